"""Macro series as features: joined on the day after they could be read, in units of their own recent spread."""

from bisect import bisect_left
from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.indicators.indicator import FEATURE_LIMIT

MACRO_PREFIX = "macro_"
MAX_SERIES = 12
WINDOW_OBSERVATIONS = 252
MIN_OBSERVATIONS = 12
# Price levels and counts that only grow: their relative change is what moves around a mean.
CHANGE_SERIES = frozenset({"CPIAUCSL", "PAYEMS"})


def macro_series(macro: pd.DataFrame, left_out: Collection[str] = ()) -> list[str]:
    """The series that become features: the first ``MAX_SERIES`` by name, without those to leave out."""
    return sorted(set(macro["series"]) - set(left_out))[:MAX_SERIES]


def compute_macro_features(
    macro: pd.DataFrame, sessions: pd.DatetimeIndex, left_out: Collection[str] = ()
) -> pd.DataFrame:
    """Trailing z-scores of macro series, as they could be known at the close of each session.

    A value with ``available_date`` d is used by sessions after d, not on d itself: the hour of a release is not known.
    A later vintage of a reference date replaces the earlier one from its own ``available_date`` on. The z-score is the
    last known value (by reference date) less the mean of the last 252 known ones over their standard deviation (n − 1),
    clipped to ±5; for ``CHANGE_SERIES`` relative changes take the place of values.

    Args:
        macro: ``series``, ``reference_date``, ``value``, ``available_date``; rows without a finite value are left out.
        sessions: dates of the features, ascending.
        left_out: series that are no features.

    Returns:
        float32, one row per session, ``macro_<series>`` per series; 0 before there are 12 observations.
    """
    columns = {}
    for series in macro_series(macro, left_out):
        releases = macro[(macro["series"] == series) & np.isfinite(macro["value"].to_numpy(np.float64))]
        releases = releases.sort_values(["available_date", "reference_date"], kind="stable")
        known_from, scores = _scores_by_release(releases, series in CHANGE_SERIES)
        # Position of the last release day strictly before the session.
        position = np.searchsorted(known_from, sessions.to_numpy("datetime64[D]"), side="left") - 1
        padded = np.append(scores, 0.0)
        columns[MACRO_PREFIX + series] = padded[position].astype(np.float32)
    return pd.DataFrame(columns, index=sessions)


def _scores_by_release(releases: pd.DataFrame, of_change: bool) -> tuple[DateArray, FloatArray]:
    """Release days, ascending, and the z-score that holds from each of them on."""
    days = releases["available_date"].to_numpy("datetime64[D]")
    references = releases["reference_date"].to_numpy("datetime64[D]").astype(np.int64)
    values = releases["value"].to_numpy(np.float64)
    last_of_day = np.append(days[1:] != days[:-1], True) if len(days) else np.zeros(0, dtype=np.bool_)
    known_references: list[int] = []
    known_values: list[float] = []
    scores = []
    for reference, value, is_last in zip(references.tolist(), values.tolist(), last_of_day.tolist(), strict=True):
        _learn(known_references, known_values, reference, value)
        if is_last:
            scores.append(_z_score(known_values[-(WINDOW_OBSERVATIONS + 1) :], of_change))
    return days[last_of_day], np.array(scores, dtype=np.float64)


def _learn(references: list[int], values: list[float], reference: int, value: float) -> None:
    place = bisect_left(references, reference)
    if place < len(references) and references[place] == reference:
        values[place] = value
    else:
        references.insert(place, reference)
        values.insert(place, value)


def _z_score(known: Iterable[float], of_change: bool) -> float:
    window = np.array(known, dtype=np.float64)
    window = _relative_changes(window) if of_change else window[-WINDOW_OBSERVATIONS:]
    if len(window) < MIN_OBSERVATIONS:
        return 0.0
    deviation = window - window.sum() / len(window)
    spread = np.sqrt((deviation * deviation).sum() / (len(window) - 1))
    if spread <= 1e-12 * max(1.0, float(np.abs(window).max())):
        return 0.0
    return float(np.clip(deviation[-1] / spread, -FEATURE_LIMIT, FEATURE_LIMIT))


def _relative_changes(values: FloatArray) -> FloatArray:
    base = np.abs(values[:-1])
    return np.diff(values) / np.where(base > 0.0, base, 1.0)
