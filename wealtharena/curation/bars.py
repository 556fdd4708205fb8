"""Raw bars of one asset class to core bars: checks, corporate actions, adjustment, flags. What happens to which kind of
dirt stands in ``docs/curation.md``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np
import pandas as pd

from wealtharena.core.errors import CurationError
from wealtharena.core.market_data import BAR_COLUMNS, Instrument, PriceBasis
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.actions import (
    ACTION_COLUMNS,
    CorporateAction,
    KnownAction,
    cumulative_factor,
    find_splits,
)
from wealtharena.curation.checks import (
    MAX_REVERSAL,
    log_prices,
    order_rows,
    withhold_bad_cells,
    withhold_bad_closes,
    withhold_closed_days,
    withhold_glitches,
)
from wealtharena.curation.coverage import coverage_of
from wealtharena.curation.quarantine import Quarantine, merge_quarantine
from wealtharena.curation.schemas import require_core_bars, require_raw_bars
from wealtharena.settings import CurationSettings

CORE_COLUMNS = ("symbol", "session_date", "open", "high", "low", "close", "volume", "adj_factor", "tradable", "flags")

_SIGMA_WINDOW = 63
_SIGMA_MIN_RETURNS = 21
_ROUNDING = 1e-6


@dataclass(frozen=True)
class CuratedBars:
    """Core bars of one asset class and the account of how they came about.

    Attributes:
        bars: ``CORE_COLUMNS`` by symbol and date. ``price x adj_factor`` is comparable over time, on the basis of the
            symbol's last bar. NaN: open, high, low that were withheld, and the volume of a symbol without volume.
            ``flags`` joins with ``;``: ``no_open``, ``no_high``, ``no_low``, ``non_positive_price``,
            ``high_below_low``, ``outside_range``, ``open_outlier``, ``stale``, ``unexplained_jump``.
        quarantine: ``QUARANTINE_COLUMNS``, one row per withheld row or cell.
        actions: ``ACTION_COLUMNS``, known and detected corporate actions up to ``as_of``.
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
        raw: ``symbol`` and ``BAR_COLUMNS`` of the instruments of one asset class, in the vendor's order.
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
    rows = order_rows(raw, as_of, quarantine)
    rows = withhold_closed_days(rows, known, quarantine)
    rows = withhold_bad_closes(rows, known, settings.jump_threshold, quarantine)
    rows, withheld = withhold_bad_cells(rows, known, quarantine)
    rows = rows.assign(**withheld)
    rows = withhold_glitches(rows, _jump_limit(rows, settings), settings.glitch_reversal, quarantine)
    own_actions = [action for action in known_actions if action.ex_date <= as_of]
    curated = [
        _curate_symbol(
            bars.reset_index(drop=True),
            price_basis[str(symbol)],
            [action for action in own_actions if action.symbol == symbol],
            settings,
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
    bars: pd.DataFrame, basis: PriceBasis, known: Sequence[KnownAction], settings: CurationSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Core rows and corporate actions of one symbol, whose bars are in date order."""
    symbol = str(bars["symbol"].iloc[0])
    actions = _actions(bars, known, settings) if basis is PriceBasis.AS_TRADED else []
    factor = cumulative_factor(bars, actions) * _dividend_factor(bars)
    jumps = _jump_rows(bars, factor, settings)
    outlier = _open_outliers(bars, factor, settings)
    stale = _stale(bars)
    opened = bars["open"].to_numpy(np.float64)
    flags = {
        **{name: bars[name].to_numpy(np.bool_) for name in ("no_open", "no_high", "no_low")},
        "non_positive_price": (bars[["open", "high", "low", "close"]] <= 0.0).any(axis=1).to_numpy(),
        "high_below_low": (bars["high"] < bars["low"]).to_numpy(),
        "outside_range": _outside_range(bars),
        "open_outlier": outlier,
        "stale": stale,
        "unexplained_jump": jumps,
    }
    core = bars[["symbol", "session_date", "open", "high", "low", "close", "volume"]].assign(
        adj_factor=factor,
        tradable=(opened > 0.0) & ~stale & ~outlier,
        flags=_joined(flags, len(bars)),
    )
    return core, pd.DataFrame(
        [{"symbol": symbol, **asdict(action)} for action in actions], columns=list(ACTION_COLUMNS)
    )


def _actions(bars: pd.DataFrame, known: Sequence[KnownAction], settings: CurationSettings) -> list[CorporateAction]:
    """Known actions, and splits among the jumps that no known action explains, by date."""
    actions = [action.applied() for action in known]
    days = bars["session_date"].to_numpy()
    explained = np.zeros(len(bars) + 1, dtype=np.bool_)
    for action in actions:
        explained[np.searchsorted(days, action.ex_date.to_datetime64())] = True
    jumps = _jump_rows(bars, cumulative_factor(bars, actions), settings) & ~explained[:-1]
    found = find_splits(bars, np.flatnonzero(jumps), settings)
    return sorted([*actions, *found], key=lambda action: (action.ex_date, action.kind))


def _dividend_factor(bars: pd.DataFrame) -> FloatArray:
    """Adjusted close over close, 1 at the last bar; ones for a symbol without adjusted close.

    Where the adjusted close is missing or impossible the ratio of the bar before holds; at the start, of the bar after.
    """
    close, adjusted = bars["close"].to_numpy(np.float64), bars["adj_close"].to_numpy(np.float64)
    usable = np.isfinite(adjusted) & (adjusted > 0.0) & (close > 0.0)
    if not usable.any():
        return np.ones(len(bars))
    known = np.flatnonzero(usable)
    source = np.maximum(np.searchsorted(known, np.arange(len(bars)), side="right") - 1, 0)
    ratio: FloatArray = (adjusted[known] / close[known])[source]
    basis: FloatArray = ratio / ratio[-1]
    return basis


def _jump_rows(bars: pd.DataFrame, factor: FloatArray, settings: CurationSettings) -> BoolArray:
    """Bars whose adjusted close or open is further from the adjusted close before than the jump limit."""
    close, overnight, limit = _moves(bars, factor, settings)
    with np.errstate(invalid="ignore"):
        # The open counts only where the close confirms half of its move: a lone bad open is an outlier, not a jump.
        confirmed = (np.abs(overnight) > limit) & (np.abs(close) > 0.5 * limit)
        jumped: BoolArray = (np.abs(close) > limit) | confirmed
    return jumped


def _open_outliers(bars: pd.DataFrame, factor: FloatArray, settings: CurationSettings) -> BoolArray:
    """Opens that leap from the close before and that the close of the same bar takes back."""
    close, overnight, limit = _moves(bars, factor, settings)
    with np.errstate(invalid="ignore", divide="ignore"):
        taken_back = (overnight - close) / overnight
        lone: BoolArray = np.abs(overnight) > limit
        return lone & (taken_back >= settings.glitch_reversal) & (taken_back <= MAX_REVERSAL)


def _moves(
    bars: pd.DataFrame, factor: FloatArray, settings: CurationSettings
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Adjusted log moves from the close before to the close and to the open, and the jump limit; NaN where unknown."""
    adjusted = bars.assign(close=bars["close"] * factor, open=bars["open"] * factor)
    close, opened = log_prices(adjusted["close"]), log_prices(adjusted["open"])
    before = np.concatenate(([np.nan], close[:-1]))
    return close - before, opened - before, _jump_limit(adjusted, settings)


def _jump_limit(rows: pd.DataFrame, settings: CurationSettings) -> FloatArray:
    """Log distance from which a bar counts as a jump: the threshold, or ``jump_sigmas`` trailing deviations if more.

    The deviation is that of the last 63 clipped close-to-close returns before the bar; with fewer than 21 of them the
    threshold alone decides.
    """
    same = rows["symbol"].eq(rows["symbol"].shift()).to_numpy()
    close = log_prices(rows["close"])
    returns = np.where(same, np.diff(close, prepend=np.nan), np.nan)
    clipped = pd.Series(np.clip(returns, -settings.jump_threshold, settings.jump_threshold), index=rows.index)
    rolling = clipped.groupby(rows["symbol"], sort=False).rolling(_SIGMA_WINDOW, min_periods=_SIGMA_MIN_RETURNS)
    sigma = np.concatenate(([np.nan], rolling.std().to_numpy(np.float64)[:-1]))
    known = np.where(same & np.isfinite(sigma), sigma, 0.0)
    limit: FloatArray = np.maximum(settings.jump_threshold, settings.jump_sigmas * known)
    return limit


def _stale(bars: pd.DataFrame) -> BoolArray:
    """Bars of a symbol with volume on which nothing traded: no volume, and all four prices equal."""
    still = bars[["open", "high", "low"]].eq(bars["close"], axis=0).all(axis=1)
    return (still & (bars["volume"] == 0.0)).to_numpy(np.bool_)


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
    return pd.DataFrame(
        {"symbol": pd.Series(dtype="str"), "session_date": pd.Series(dtype="datetime64[us]"), **numbers}
    )
