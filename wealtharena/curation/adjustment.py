"""The adjustment factor of one symbol: which corporate actions its prices show, and what dividends took."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wealtharena.core.market_data import PriceBasis
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.actions import CorporateAction, KnownAction, cumulative_factor, find_splits
from wealtharena.curation.dividends import dividend_factor, withhold_bad_dividends
from wealtharena.curation.jumps import Moves, moves_of
from wealtharena.curation.quarantine import Quarantine
from wealtharena.curation.told_splits import told_splits, withhold_bad_splits
from wealtharena.settings import CurationSettings


def adjust(
    bars: pd.DataFrame,
    basis: PriceBasis,
    known: Sequence[KnownAction],
    settings: CurationSettings,
    quarantine: Quarantine,
) -> tuple[FloatArray, list[CorporateAction]]:
    """Adjustment factor of each bar, 1 at the last, and the corporate actions in it by date.

    Known actions come first and apply to as-traded series only; then splits that the vendor tells, as far as the prices
    show them; then splits found among the jumps that are left, in as-traded bars only.

    Args:
        bars: one symbol in date order.
        quarantine: takes dividends and splits that cannot be, and told splits that the prices contradict.
    """
    bars = withhold_bad_splits(bars, quarantine)
    as_traded = np.full(len(bars), basis is PriceBasis.AS_TRADED) | bars["as_traded"].to_numpy(np.bool_)
    actions = [action.applied() for action in known] if basis is PriceBasis.AS_TRADED else []
    explained = _explained(bars, actions)
    if _tells_splits(bars):
        moves, whole = _moves(bars, actions, settings), basis is PriceBasis.AS_TRADED
        actions += told_splits(bars, moves, whole, explained, settings.split_tolerance, quarantine)
        explained |= _explained(bars, actions)
    if as_traded.any():
        left = _moves(bars, actions, settings).jumps & as_traded & ~explained
        actions += find_splits(bars, np.flatnonzero(left), settings)
    actions.sort(key=lambda action: (action.ex_date, action.kind))
    factor = cumulative_factor(bars, actions)
    bars = withhold_bad_dividends(bars, factor, quarantine)
    return factor * dividend_factor(bars, factor), actions


def _moves(bars: pd.DataFrame, actions: Sequence[CorporateAction], settings: CurationSettings) -> Moves:
    factor = cumulative_factor(bars, actions)
    # What is said about impossible dividends is said once, when every action is known.
    plausible = withhold_bad_dividends(bars, factor, Quarantine("session_date"))
    return moves_of(bars, factor * dividend_factor(plausible, factor), settings)


def _explained(bars: pd.DataFrame, actions: Sequence[CorporateAction]) -> BoolArray:
    """Bars at which an action takes effect: those of its ex-date, else the next ones."""
    days = bars["session_date"].to_numpy()
    explained = np.zeros(len(bars) + 1, dtype=np.bool_)
    for action in actions:
        explained[np.searchsorted(days, action.ex_date.to_datetime64())] = True
    return explained[:-1]


def _tells_splits(bars: pd.DataFrame) -> bool:
    split = bars["split"].to_numpy(np.float64)
    return bool((np.isfinite(split) & (split != 1.0)).any())
