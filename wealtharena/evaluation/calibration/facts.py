"""Stylised facts of daily moves: single figures, and curves to look at. Undefined is NaN."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.calibration.moves import Moves

DAYS_PER_YEAR = 365.25
_LEVERAGE_LAGS = 10
_VOLUME_WINDOW = 63
_BLOCK_SESSIONS = 250


@dataclass(frozen=True)
class Sample:
    """What facts are computed from; rows are sessions, which a bootstrap may draw again.

    Attributes:
        returns, day, overnight, span: (T, A) log returns from close to close, open to close, close to open, and from
            low to high.
        volume: (T, A) logarithm of the volume less that of the mean of the 63 sessions up to it.
        sessions_per_year: rows of one asset in a year.
    """

    returns: FloatArray
    day: FloatArray
    overnight: FloatArray
    span: FloatArray
    volume: FloatArray
    sessions_per_year: float

    @cached_property
    def size(self) -> FloatArray:
        """(T, A) absolute returns."""
        found: FloatArray = np.abs(self.returns)
        return found

    @cached_property
    def eigenvalue_shares(self) -> FloatArray:
        """(A,) eigenvalues of the correlations of returns over their number, the largest first."""
        values = np.linalg.eigvalsh(pairwise_correlations(self.returns))[::-1]
        found: FloatArray = values / len(values)
        return found


def sample_of(moves: Moves) -> Sample:
    """The sample of all sessions of the moves."""
    usual = pd.DataFrame(moves.volume).rolling(_VOLUME_WINDOW, min_periods=_VOLUME_WINDOW // 3).mean().to_numpy()
    with np.errstate(all="ignore"):
        volume = np.log(moves.volume / usual)
    return Sample(
        moves.returns,
        moves.day,
        moves.overnight,
        moves.up + moves.down + np.abs(moves.day),
        volume,
        DAYS_PER_YEAR / moves.days_per_session,
    )


def facts(sample: Sample) -> FloatArray:
    """(F,) every fact of ``FACTS``."""
    return np.array([fact(sample) for fact in FACTS.values()])


def bootstrap(sample: Sample, draws: int, seed: int) -> FloatArray:
    """(draws, F) facts of samples of the same length, made of circular blocks of 250 sessions of all assets at once.

    Pairs of sessions that straddle two blocks belong to no real series: autocorrelations come out a little too small
    (at lag 20 by about a twelfth).
    """
    generator = np.random.default_rng(seed)
    count = len(sample.returns)
    length = min(_BLOCK_SESSIONS, count)
    found = []
    for _ in range(draws):
        starts = generator.integers(0, count, size=-(-count // length))
        rows = (starts[:, None] + np.arange(length)).ravel()[:count] % count
        parts = {name: getattr(sample, name)[rows] for name in ("returns", "day", "overnight", "span", "volume")}
        found.append(facts(replace(sample, **parts)))
    return np.array(found)


def autocorrelation_of_size(sample: Sample, lags: int) -> FloatArray:
    """(lags,) autocorrelation of the absolute return at lags 1, 2, …, the median over the assets."""
    found = _lagged_correlations(sample.size, sample.size, np.arange(1, lags + 1))
    return np.array([_median(row) for row in found])


def exceedance(sample: Sample, limits: FloatArray) -> FloatArray:
    """Share of returns beyond each limit, in standard deviations of the asset, over all assets."""
    with np.errstate(all="ignore"):
        scaled = np.abs(sample.returns - np.nanmean(sample.returns, axis=0)) / np.nanstd(sample.returns, axis=0)
    known = np.sort(scaled[np.isfinite(scaled)])
    share: FloatArray = 1.0 - np.searchsorted(known, limits, side="right") / max(len(known), 1)
    return share


def _annual_volatility(sample: Sample) -> float:
    return _median(np.nanstd(sample.returns, axis=0)) * float(np.sqrt(sample.sessions_per_year))


def _excess_kurtosis(sample: Sample) -> float:
    square = (sample.returns - np.nanmean(sample.returns, axis=0)) ** 2
    return _median(np.nanmean(square * square, axis=0) / np.nanmean(square, axis=0) ** 2) - 3.0


def _skewness(sample: Sample) -> float:
    centred = sample.returns - np.nanmean(sample.returns, axis=0)
    square = centred**2
    return _median(np.nanmean(square * centred, axis=0) / np.nanmean(square, axis=0) ** 1.5)


def _size_autocorrelation(lag: int) -> Callable[[Sample], float]:
    def fact(sample: Sample) -> float:
        return _median(_lagged_correlations(sample.size, sample.size, np.array([lag]))[0])

    return fact


def _leverage(sample: Sample) -> float:
    lags = np.arange(1, _LEVERAGE_LAGS + 1)
    return _median(_lagged_correlations(sample.returns, sample.size, lags).mean(axis=0))


def _eigenvalue_share(position: int) -> Callable[[Sample], float]:
    def fact(sample: Sample) -> float:
        if sample.returns.shape[1] <= position:
            return float("nan")
        return float(sample.eigenvalue_shares[position])

    return fact


def _max_drawdown(sample: Sample) -> float:
    return _median(_falls(sample).max(axis=0))


def _mean_drawdown(sample: Sample) -> float:
    return _median(_falls(sample).mean(axis=0))


def _parkinson(sample: Sample) -> float:
    variance = np.nanmean(sample.span**2, axis=0) / (4.0 * np.log(2.0))
    return _median(np.sqrt(variance / np.nanvar(sample.day, axis=0)))


def _garman_klass(sample: Sample) -> float:
    variance = 0.5 * sample.span**2 - (2.0 * np.log(2.0) - 1.0) * sample.day**2
    return _median(np.sqrt(np.nanmean(variance, axis=0) / np.nanvar(sample.day, axis=0)))


def _overnight_share(sample: Sample) -> float:
    night = np.nanvar(sample.overnight, axis=0)
    return _median(night / (night + np.nanvar(sample.day, axis=0)))


def _volume_and_size(sample: Sample) -> float:
    return _median(_lagged_correlations(sample.volume, sample.size, np.array([0]))[0])


def _volume_autocorrelation(sample: Sample) -> float:
    return _median(_lagged_correlations(sample.volume, sample.volume, np.array([1]))[0])


FACTS: dict[str, Callable[[Sample], float]] = {
    "annual volatility": _annual_volatility,
    "excess kurtosis": _excess_kurtosis,
    "skewness": _skewness,
    "autocorrelation of |r|, lag 1": _size_autocorrelation(1),
    "autocorrelation of |r|, lag 5": _size_autocorrelation(5),
    "autocorrelation of |r|, lag 20": _size_autocorrelation(20),
    "leverage: r with |r| of the next 10": _leverage,
    "first eigenvalue, share": _eigenvalue_share(0),
    "second eigenvalue, share": _eigenvalue_share(1),
    "third eigenvalue, share": _eigenvalue_share(2),
    "largest drawdown": _max_drawdown,
    "average drawdown": _mean_drawdown,
    "Parkinson over open to close": _parkinson,
    "Garman-Klass over open to close": _garman_klass,
    "overnight share of variance": _overnight_share,
    "volume with |r|": _volume_and_size,
    "autocorrelation of volume, lag 1": _volume_autocorrelation,
}
"""Every fact by its name; where assets have one each, the median over the assets."""
FITTED_FACTS = (
    "annual volatility",
    "autocorrelation of |r|, lag 1",
    "autocorrelation of |r|, lag 5",
    "autocorrelation of |r|, lag 20",
    "first eigenvalue, share",
    "Parkinson over open to close",
    "overnight share of variance",
)
"""Facts that the fit aims at; the others show what comes out by itself."""


def pairwise_correlations(values: FloatArray) -> FloatArray:
    """(A, A) correlations of the columns of ``values`` (T, A), each over the rows that both have; NaN without any."""
    known = np.isfinite(values)
    centred = np.where(known, values - np.nanmean(values, axis=0), 0.0)
    both = known.astype(np.float64)
    squares = (centred**2).T @ both
    with np.errstate(all="ignore"):
        found: FloatArray = (centred.T @ centred) / np.sqrt(squares * squares.T)
    return found


def _falls(sample: Sample) -> FloatArray:
    """(T, A) share by which each asset lies below its highest close so far; where it has no return, it stands still."""
    path = np.cumsum(np.nan_to_num(sample.returns), axis=0)
    falls: FloatArray = 1.0 - np.exp(path - np.maximum(np.maximum.accumulate(path, axis=0), 0.0))
    return falls


def _lagged_correlations(first: FloatArray, second: FloatArray, lags: NDArray[np.int_]) -> FloatArray:
    """(K, A) correlation of each column of ``first`` with ``second`` so many rows later, where both are known."""
    (one, one_known), (two, two_known) = _standardised(first), _standardised(second)
    rows = len(first)
    found = np.empty((len(lags), first.shape[1]))
    for position, lag in enumerate(lags):
        pairs = np.einsum("ta,ta->a", one_known[: rows - lag], two_known[lag:])
        with np.errstate(all="ignore"):
            found[position] = np.einsum("ta,ta->a", one[: rows - lag], two[lag:]) / pairs
    return found


def _standardised(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Columns with mean 0 and variance 1, 0 where unknown; and 1 where known."""
    known = np.isfinite(values).astype(np.float64)
    count, filled = known.sum(axis=0), np.where(known > 0.0, values, 0.0)
    with np.errstate(all="ignore"):
        centred = (filled - filled.sum(axis=0) / count) * known
        return centred / np.sqrt((centred**2).sum(axis=0) / count), known


def _median(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")
