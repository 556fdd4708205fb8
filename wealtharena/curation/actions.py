"""Corporate actions: known ones from a file, splits and consolidations found in prices, and what both do to prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from wealtharena.core.errors import CurationError
from wealtharena.core.panel import FloatArray
from wealtharena.settings import CurationSettings

ACTION_COLUMNS = ("symbol", "ex_date", "kind", "ratio", "evidence", "source")
SHARE_KINDS = ("split", "consolidation")
VALUE_KINDS = ("demerger", "rights_issue")

# New shares per old that companies use; each may also be a consolidation. A longer list would match any jump.
_SIMPLE_RATIOS = np.array([1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0])
# A ratio near 1 needs a closer fit: no more than this share of the logarithm of the ratio.
_CLOSE_FIT = 0.10
# A split leaves the traded value about as it was, a crash multiplies it; this is the largest factor either way.
_VALUE_FACTOR = 2.5
_VOLUME_BARS = 20


@dataclass(frozen=True)
class CorporateAction:
    """A corporate action of one symbol; the symbol apart, the columns of the table of actions.

    Attributes:
        ex_date: first session without the entitlement.
        kind: ``split``, ``consolidation``, ``demerger`` or ``rights_issue``.
        ratio: new shares per old share for the first two, price factor for the others.
        evidence: why it is believed.
        source: ``known`` (a person wrote it down), ``told`` (by the vendor, and seen in its prices) or ``detected``.
    """

    ex_date: pd.Timestamp
    kind: str
    ratio: float
    evidence: str
    source: str

    @property
    def price_factor(self) -> float:
        """What prices before the action are multiplied by to compare with those after it."""
        return 1.0 / self.ratio if self.kind in SHARE_KINDS else self.ratio


@dataclass(frozen=True)
class KnownAction:
    """A corporate action that a person wrote down; ``source`` says where the figures come from."""

    symbol: str
    ex_date: date
    kind: str
    ratio: float
    source: str

    def applied(self) -> CorporateAction:
        """The action as it is applied to its symbol's prices."""
        return CorporateAction(pd.Timestamp(self.ex_date).as_unit("us"), self.kind, self.ratio, self.source, "known")


def load_known_actions(path: Path) -> tuple[KnownAction, ...]:
    """Actions of a YAML file, in order of symbol and date.

    Raises:
        CurationError: the file is missing, is not valid YAML, or an entry breaks a rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CurationError(f"curation.corporate_actions: {path} must be a readable YAML file, got: {error}") from None
    entries = content.get("actions") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise CurationError(f"curation.corporate_actions: {path} must hold a list under `actions`")
    actions = [_known_action(entry, f"{path}: action {number}") for number, entry in enumerate(entries, start=1)]
    keys = [(action.symbol, action.ex_date, action.kind) for action in actions]
    for key in keys:
        if keys.count(key) > 1:
            raise CurationError(f"{path}: an action must stand once, got {key[0]} {key[1]} {key[2]} twice")
    return tuple(sorted(actions, key=lambda action: (action.symbol, action.ex_date, action.kind)))


def find_splits(bars: pd.DataFrame, jumps: NDArray[np.intp], settings: CurationSettings) -> list[CorporateAction]:
    """Splits and consolidations among the jumps of one as-traded series.

    A jump counts when the overnight price ratio (previous close to open; to close where there is no open) lies within
    ``split_tolerance`` of a simple ratio, and within a tenth of its logarithm, and, where there is volume, the traded
    value of the day is within a factor of 2.5 of the median of the 20 bars before.

    Args:
        bars: one symbol in date order, with ``session_date``, ``open``, ``close``, ``volume``.
        jumps: rows that jumped, none of them the first.
    """
    close, volume = bars["close"].to_numpy(np.float64), bars["volume"].to_numpy(np.float64)
    seen_at = price_before_over_next(bars)
    found: list[CorporateAction] = []
    for row in jumps:
        if not np.isfinite(seen_at[row]):
            continue
        seen = float(seen_at[row])
        ratio = _simple_ratio(seen, settings.split_tolerance)
        value_change = _value_change(close, volume, int(row))
        if ratio is None or not 1.0 / _VALUE_FACTOR <= (value_change or 1.0) <= _VALUE_FACTOR:
            continue
        on_volume = f"traded value {value_change:.2f} of its median before" if value_change else "no volume to compare"
        prices = f"close {close[row - 1]:g}, next price {close[row - 1] / seen:g}"
        evidence = f"{prices}: {seen:.3f}, near {ratio_text(ratio)}; {on_volume}"
        found.append(split_action(bars["session_date"].iloc[row], ratio, evidence, "detected"))
    return found


def cumulative_factor(bars: pd.DataFrame, actions: Sequence[CorporateAction]) -> FloatArray:
    """Product of the price factors of all actions after each bar's date, so that the last bar has factor 1."""
    factor = np.ones(len(bars))
    days = bars["session_date"].to_numpy()
    for action in actions:
        factor[days < action.ex_date.to_datetime64()] *= action.price_factor
    return factor


def split_action(ex_date: pd.Timestamp, ratio: float, evidence: str, source: str) -> CorporateAction:
    """A split, or a consolidation if there are fewer shares after it."""
    return CorporateAction(ex_date, "split" if ratio > 1.0 else "consolidation", ratio, evidence, source)


def price_before_over_next(bars: pd.DataFrame) -> FloatArray:
    """Close of the bar before over the open, without open over the close; NaN where one is not positive."""
    close, opened = bars["close"].to_numpy(np.float64), bars["open"].to_numpy(np.float64)
    before, price = np.append(np.nan, close[:-1]), np.where(opened > 0.0, opened, close)
    known = (before > 0.0) & (price > 0.0)
    ratio: FloatArray = np.where(known, before / np.where(known, price, 1.0), np.nan)
    return ratio


def ratio_text(ratio: float) -> str:
    """``2:1`` for new shares per old, ``1:5`` for a consolidation."""
    return f"{ratio:g}:1" if ratio > 1.0 else f"1:{1.0 / ratio:g}"


def _simple_ratio(seen: float, tolerance: float) -> float | None:
    """New shares per old if a price ratio is near a simple one, else None."""
    log_seen = abs(np.log(seen))
    logs = np.log(_SIMPLE_RATIOS)
    nearest = int(np.argmin(np.abs(logs - log_seen)))
    error = abs(logs[nearest] - log_seen)
    if error > min(np.log1p(tolerance), _CLOSE_FIT * logs[nearest]):
        return None
    ratio = float(_SIMPLE_RATIOS[nearest])
    return ratio if seen > 1.0 else 1.0 / ratio


def _value_change(close: FloatArray, volume: FloatArray, row: int) -> float | None:
    """Traded value of a bar over the median of the bars before; None where there is no volume."""
    before = (close * volume)[max(row - _VOLUME_BARS, 0) : row]
    before = before[np.isfinite(before) & (before > 0.0)]
    today = close[row] * volume[row]
    return float(today / np.median(before)) if len(before) and np.isfinite(today) and today > 0.0 else None


def _known_action(entry: Any, place: str) -> KnownAction:
    fields = {"symbol", "ex_date", "kind", "ratio", "source"}
    if not isinstance(entry, dict) or set(entry) != fields:
        given = sorted(map(str, entry)) if isinstance(entry, dict) else entry
        raise CurationError(f"{place} must have exactly {', '.join(sorted(fields))}, got {given}")
    if not isinstance(entry["ex_date"], date):
        raise CurationError(f"{place}: ex_date must be a date, got {entry['ex_date']!r}")
    if entry["kind"] not in (*SHARE_KINDS, *VALUE_KINDS):
        raise CurationError(
            f"{place}: kind must be one of {', '.join((*SHARE_KINDS, *VALUE_KINDS))}, got {entry['kind']!r}"
        )
    ratio = entry["ratio"]
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0.0 < ratio < float("inf"):
        raise CurationError(f"{place}: ratio must be a number above 0, got {ratio!r}")
    return KnownAction(str(entry["symbol"]), entry["ex_date"], entry["kind"], float(ratio), str(entry["source"]))
