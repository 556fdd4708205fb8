"""Splits that a vendor tells, held against its prices: some are forgotten in the past, some applied to half of it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.actions import CorporateAction, price_before_over_next, ratio_text, split_action
from wealtharena.curation.jumps import Moves
from wealtharena.curation.quarantine import Quarantine

# Bars around an ex-date among which the other end of a stretch on the wrong basis is looked for.
_REACH = 20


def withhold_bad_splits(bars: pd.DataFrame, quarantine: Quarantine) -> pd.DataFrame:
    """Bars with split ratios that cannot be as NaN."""
    split = bars["split"].to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        bad = (split <= 0.0) | np.isinf(split)
    if not bad.any():
        return bars
    quarantine.add(bars[bad], "bad_split", "split", "new shares per old must be a number above 0; cell withheld")
    return bars.assign(split=np.where(bad, np.nan, split))


def told_splits(
    bars: pd.DataFrame,
    moves: Moves,
    as_traded: bool,
    explained: BoolArray,
    tolerance: float,
    quarantine: Quarantine,
) -> list[CorporateAction]:
    """Told splits that the prices still show, and that must therefore be adjusted for.

    As traded, prices must fall by the ratio within the jump limit. Adjusted, they must not jump; where they do by the
    told ratio, the vendor forgot to adjust what came before, and where within 20 bars they jump by its inverse, it
    adjusted only one side of that bar: each of the two is an action. Prices that say neither are recorded under
    ``split_ratio`` and left as they are.

    Args:
        bars: one symbol in date order, with ``split`` (NaN and 1: none).
        moves: of the bars as far as known actions adjust them; ``as_traded``: whether the vendor adjusts nothing.
        explained: bars at which a person has written down an action, which takes precedence.
    """
    split = bars["split"].to_numpy(np.float64)
    rows = np.flatnonzero(np.isfinite(split) & (split != 1.0) & ~explained)
    rows = rows[rows > 0]
    if not len(rows):
        return []
    seen, jumps = price_before_over_next(bars), moves.jumps
    if as_traded:
        fits = np.abs(np.log(seen[rows] / split[rows])) <= moves.limit[rows]
        found = {int(row): float(split[row]) for row in rows[fits]}
        misfits = rows[~fits]
    else:
        found, misfits = _not_adjusted(rows[jumps[rows]], split, seen, np.flatnonzero(jumps), tolerance)
    for row in misfits:
        reason = (
            f"a split of {ratio_text(float(split[row]))} is told, the price before is {seen[row]:.3f} times the next; "
            "prices left as they are"
        )
        quarantine.add(bars.iloc[[row]], "split_ratio", "split", reason)
    return [_action(bars, row, ratio, seen, int(rows[np.argmin(np.abs(rows - row))])) for row, ratio in found.items()]


def _not_adjusted(
    rows: NDArray[np.intp], split: FloatArray, seen: FloatArray, jumps: NDArray[np.intp], tolerance: float
) -> tuple[dict[int, float], list[int]]:
    """Ratio per bar at which an adjusted series changes its basis, and the bars whose jump fits no told ratio."""
    found: dict[int, float] = {}
    misfits = []
    for row in rows:
        ratio = float(split[row])
        others = [int(other) for other in jumps if other != row and abs(other - row) <= _REACH]
        if _fits(seen[row], ratio, tolerance):
            back = [other for other in others if _fits(seen[other], 1.0 / ratio, tolerance)]
            found |= {int(row): ratio} | dict.fromkeys(_nearest(back, row), 1.0 / ratio)
        elif (back := [other for other in others if _fits(seen[other], ratio, tolerance)]) and _fits(
            seen[row], 1.0 / ratio, tolerance
        ):
            found |= {int(row): 1.0 / ratio} | dict.fromkeys(_nearest(back, row), ratio)
        else:
            misfits.append(int(row))
    return found, misfits


def _nearest(rows: Sequence[int], row: int) -> list[int]:
    return sorted(rows, key=lambda other: abs(other - row))[:1]


def _fits(seen: float, ratio: float, tolerance: float) -> bool:
    return bool(abs(np.log(seen / ratio)) <= np.log1p(tolerance))


def _action(bars: pd.DataFrame, row: int, ratio: float, seen: FloatArray, told_row: int) -> CorporateAction:
    told = f"{bars['vendor'].iloc[told_row]} tells {ratio_text(float(bars['split'].iloc[told_row]))}"
    if told_row != row:
        told += f" on {bars['session_date'].iloc[told_row].date()} and adjusts only one side of this day"
    evidence = f"{told}; the price before is {seen[row]:.3f} times the next"
    return split_action(bars["session_date"].iloc[row], ratio, evidence, "told")
