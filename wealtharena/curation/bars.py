"""Raw bars of one asset class to core bars: checks, corporate actions, adjustment, flags. What happens to which kind of
dirt stands in ``docs/curation.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import pandas as pd

from wealtharena.core.errors import CurationError
from wealtharena.core.market_data import BAR_COLUMNS, Instrument, PriceBasis
from wealtharena.core.panel import BoolArray
from wealtharena.curation.actions import ACTION_COLUMNS, KnownAction
from wealtharena.curation.adjustment import adjust
from wealtharena.curation.checks import (
    order_rows,
    withhold_bad_cells,
    withhold_bad_closes,
    withhold_closed_days,
    withhold_glitches,
)
from wealtharena.curation.coverage import coverage_of
from wealtharena.curation.jumps import jump_limit, moves_of
from wealtharena.curation.quarantine import Quarantine, merge_quarantine
from wealtharena.curation.schemas import require_core_bars, require_raw_bars
from wealtharena.curation.sources import MARK_COLUMNS
from wealtharena.settings import CurationSettings

CORE_COLUMNS = (
    "symbol",
    "session_date",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "adj_factor",
    "tradable",
    "flags",
    "vendor",
)

_CELL_FLAGS = ("close_only", "no_open", "no_high", "no_low")
_ROUNDING = 1e-6
# A bar that is equal to this many before it is a feed that stands still.
_REPEATS = 2


@dataclass(frozen=True)
class CuratedBars:
    """Core bars of one asset class and the account of how they came about.

    Attributes:
        bars: ``CORE_COLUMNS`` by symbol and date. ``price x adj_factor`` is comparable over time, on the basis of the
            symbol's last bar. NaN: open, high, low that were withheld, and the volume of a symbol without volume.
            ``flags`` joins with ``;``: ``close_only``, ``no_open``, ``no_high``, ``no_low``, ``non_positive_price``,
            ``high_below_low``, ``outside_range``, ``open_outlier``, ``stale``, ``unexplained_jump``,
            ``stand_in_vendor``, ``minor_unit``. ``vendor`` is where the bar comes from.
        quarantine: ``QUARANTINE_COLUMNS``, one row per withheld row or cell and per told split that does not fit.
        actions: ``ACTION_COLUMNS``, corporate actions up to ``as_of`` that are in the factors.
        coverage: one row per instrument, see ``coverage_of``.
    """

    bars: pd.DataFrame
    quarantine: pd.DataFrame
    actions: pd.DataFrame
    coverage: pd.DataFrame

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that have bars, sorted."""
        return tuple(sorted(str(symbol) for symbol in self.bars["symbol"].unique()))

    def quarantine_rows(self, asset_class: str, unparsed: pd.DataFrame) -> pd.DataFrame:
        """The quarantine together with the cells that the vendor could not read, with ``asset_class``."""
        return merge_quarantine(self.quarantine, unparsed, asset_class)


def curate_bars(
    raw: pd.DataFrame,
    instruments: Sequence[Instrument],
    price_basis: Mapping[str, PriceBasis],
    settings: CurationSettings,
    as_of: date,
    known_actions: Sequence[KnownAction],
) -> CuratedBars:
    """Core bars from raw ones; the result does not depend on any row after ``as_of``.

    Args:
        raw: bars of the instruments of one asset class as ``merge_vendors`` gives them, or a single vendor's:
            ``symbol``, ``BAR_COLUMNS``, ``vendor``, in the vendor's order; the marks may be missing.
        price_basis: per symbol; splits are looked for and known actions applied only where prices are as traded.
        as_of: last session that closed; its bar is admitted, later ones are not.

    Raises:
        CurationError: the frame breaks the schema, or names a symbol without instrument or price basis.
    """
    if raw.empty:
        raw = _empty_raw()
    require_raw_bars(raw)
    known = {instrument.symbol: instrument for instrument in instruments}
    strangers = sorted(set(raw["symbol"]) - set(known) | set(raw["symbol"]) - set(price_basis))
    if strangers:
        raise CurationError(f"raw bars must belong to instruments with a price basis, got {', '.join(strangers)}")
    quarantine = Quarantine("session_date")
    marks = {name: False for name in MARK_COLUMNS if name not in raw}
    rows = order_rows(raw.assign(**marks), as_of, quarantine)
    rows = withhold_closed_days(rows, known, quarantine)
    rows = withhold_bad_closes(rows, known, settings.jump_threshold, quarantine)
    rows, withheld = withhold_bad_cells(rows, known, quarantine)
    rows = rows.assign(**withheld)
    rows = withhold_glitches(rows, jump_limit(rows, settings), settings.glitch_reversal, quarantine)
    own_actions = [action for action in known_actions if action.ex_date <= as_of]
    curated = [
        _curate_symbol(
            bars.reset_index(drop=True),
            price_basis[str(symbol)],
            [action for action in own_actions if action.symbol == symbol],
            settings,
            quarantine,
        )
        for symbol, bars in rows.groupby("symbol", sort=True)
    ]
    bars = _concat([part[0] for part in curated], CORE_COLUMNS)
    actions = _concat([part[1] for part in curated], ACTION_COLUMNS)
    actions = actions.astype({"ex_date": "datetime64[us]", "ratio": "float64"})
    if len(bars):
        require_core_bars(bars)
    coverage = coverage_of(bars, instruments, settings.stale_sessions, as_of)
    return CuratedBars(bars, quarantine.frame(), actions, coverage)


def _curate_symbol(
    bars: pd.DataFrame,
    basis: PriceBasis,
    known: Sequence[KnownAction],
    settings: CurationSettings,
    quarantine: Quarantine,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Core rows and corporate actions of one symbol, whose bars are in date order."""
    symbol = str(bars["symbol"].iloc[0])
    factor, actions = adjust(bars, basis, known, settings, quarantine)
    moves, stale = moves_of(bars, factor, settings), _stale(bars)
    outlier = moves.open_outliers(settings.glitch_reversal)
    flags = {
        **{name: bars[name].to_numpy(np.bool_) for name in _CELL_FLAGS},
        "non_positive_price": (bars[["open", "high", "low", "close"]] <= 0.0).any(axis=1).to_numpy(),
        "high_below_low": (bars["high"] < bars["low"]).to_numpy(),
        "outside_range": _outside_range(bars),
        "open_outlier": outlier,
        "stale": stale,
        "unexplained_jump": moves.jumps,
        **{name: bars[name].to_numpy(np.bool_) for name in ("stand_in_vendor", "minor_unit")},
    }
    core = bars[["symbol", "session_date", "open", "high", "low", "close", "volume"]].assign(
        adj_factor=factor,
        tradable=(bars["open"].to_numpy(np.float64) > 0.0) & ~stale & ~outlier,
        flags=_joined(flags, len(bars)),
        vendor=bars["vendor"],
    )
    return core, pd.DataFrame(
        [{"symbol": symbol, **asdict(action)} for action in actions], columns=list(ACTION_COLUMNS)
    )


def _stale(bars: pd.DataFrame) -> BoolArray:
    """Bars of a symbol with volume on which nothing traded, or which repeat the bars before to the last share.

    Nothing traded: no volume, four equal prices. Repeated: prices and volume equal those of the two bars before.
    """
    prices = bars[["open", "high", "low", "close", "volume"]].to_numpy(np.float64)
    still = (prices[:, :4] == prices[:, 3:4]).all(axis=1) & (prices[:, 4] == 0.0)
    repeats = np.append(False, (prices[1:] == prices[:-1]).all(axis=1)) & (prices[:, 4] > 0.0)
    earlier = [np.append(np.zeros(steps, dtype=np.bool_), repeats[: len(repeats) - steps]) for steps in range(_REPEATS)]
    stale: BoolArray = still | np.logical_and.reduce(earlier)
    return stale


def _outside_range(bars: pd.DataFrame) -> BoolArray:
    """Open or close outside [low, high] by more than a millionth."""
    slack = _ROUNDING * bars["close"].abs()
    ends = bars[["open", "close"]]
    above = ends.gt(bars["high"] + slack, axis=0).any(axis=1)
    below = ends.lt(bars["low"] - slack, axis=0).any(axis=1)
    return (above | below).to_numpy(np.bool_)


def _joined(flags: Mapping[str, BoolArray], count: int) -> list[str]:
    texts = [""] * count
    for name, mask in flags.items():
        for row in np.flatnonzero(mask):
            texts[row] = f"{texts[row]};{name}" if texts[row] else name
    return texts


def _concat(parts: list[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))


def _empty_raw() -> pd.DataFrame:
    numbers = {name: pd.Series(dtype="float64") for name in BAR_COLUMNS[1:]}
    texts = {name: pd.Series(dtype="str") for name in ("symbol", "vendor")}
    return pd.DataFrame({**texts, "session_date": pd.Series(dtype="datetime64[us]"), **numbers})
