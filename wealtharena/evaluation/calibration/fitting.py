"""Fits the simulator's constants to daily moves, by moments.

Swings of volatility
    ``|r|`` is volatility times noise that no later day knows of. So its covariances from lag 1 on, in units of the
    mean, are those of volatility: ``exp(c) - 1`` with ``c`` the autocovariance of its logarithm. Between assets of
    different groups ``c`` is that of the world's part ``h``; within a group that of ``h_c`` is added, and of an asset
    with itself that of its own part. Each is fitted by size and half-life, ``size^2 * 0.5^(lag / half_life)``.
Factors
    Correlations of open-to-close and of overnight returns, enlarged by what independent swings of volatility take from
    them: across groups the global shock's shares, within a group also the group's.
Tails
    Degrees of freedom with which the mean absolute return over the standard deviation comes out, given the swings.
Range
    The reach of high and low with which Parkinson's estimate over the variance of the day comes out.

A two-state regime has the autocovariances of an AR(1): the second moments cannot tell one from the other. The fit has
no regime in volatility, and whatever the real market has of it is in ``h``. Skewness, leverage and trends are not
fitted either, the generator has none.
"""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.evaluation.calibration.facts import pairwise_correlations
from wealtharena.evaluation.calibration.market import FittedMarket
from wealtharena.evaluation.calibration.moves import Moves
from wealtharena.vendors.simulated_models import AssetModel, ClassModel, WorldModel
from wealtharena.vendors.simulated_noise import unit_student

MAX_LAG = 120
_HALF_LIVES = np.geomspace(1.5, 2.0 * MAX_LAG, 120)
_DEGREES = np.array([2.5, 2.7, 3.0, 3.3, 3.7, 4.2, 4.8, 5.5, 6.5, 8.0, 10.0, 14.0, 20.0, 40.0])
_DRAWS = 40_000
# Smaller swings than this are noise of the fit.
_SMALLEST_SWING = 0.03
_MEAN_HALF_NORMAL = float(np.sqrt(2.0 / np.pi))
_MOST_SHARED = 0.95


@dataclass(frozen=True)
class Swing:
    """An AR(1) part of the logarithm of volatility: standard deviation (0: there is none) and half-life in rows."""

    size: float
    half_life: float

    @property
    def variance(self) -> float:
        """Square of ``size``."""
        return self.size**2

    def curve(self, lags: FloatArray) -> FloatArray:
        """Autocovariances at these lags."""
        found: FloatArray = self.variance * 0.5 ** (lags / self.half_life)
        return found


_NO_SWING = Swing(0.0, 25.0)


def fit_market(moves: Moves) -> FittedMarket:
    """Constants with which ``simulate_moves`` resembles the moves; groups of one asset have no swings of the group.

    With a single group nothing tells the world from the group: all that is shared is the group's.

    Raises:
        DataWindowError: fewer sessions than twice the longest lag.
    """
    if len(moves.dates) < 2 * MAX_LAG:
        raise DataWindowError(f"a calibration needs {2 * MAX_LAG} sessions at least, got {len(moves.dates)}")
    names = tuple(sorted(set(moves.groups)))
    members = {name: np.array([group == name for group in moves.groups]) for name in names}
    world_swing, class_swings, own_swings = _fit_swings(moves, members)
    shared = {name: world_swing.variance + class_swings[name].variance for name in names}
    total = {name: shared[name] + own_swings[name].variance for name in names}
    of_day = _fit_shares(moves.day, members, class_swings, own_swings)
    of_night = _fit_shares(moves.overnight, members, class_swings, own_swings)
    stretch = moves.days_per_session
    classes: dict[str, ClassModel] = {}
    assets: dict[str, AssetModel] = {}
    for code, name in enumerate(names, start=1):
        columns = members[name]
        night = _overnight_share(moves, columns)
        weights = np.sqrt(np.append((1.0 - night) * _all_shares(of_day[name]), night * _all_shares(of_night[name])))
        degrees, deviation = _fit_tails(moves.returns[:, columns], weights, total[name])
        sigma = _calm_volatility(moves, columns) / deviation / np.exp(total[name])
        classes[name] = ClassModel(
            code=code,
            daily_volatility=float(np.median(sigma)),
            global_share=of_day[name][0],
            class_share=of_day[name][1],
            overnight=float(np.sqrt(night)),
            first_price=100.0,
            volume=_typical_volume(moves, columns),
            class_volatility=class_swings[name].size,
            class_half_life=class_swings[name].half_life * stretch,
            own_volatility=own_swings[name].size,
            own_half_life=own_swings[name].half_life * stretch,
            student_df=degrees,
            shared_gap=float(np.sqrt(of_night[name][0])),
            class_gap=float(np.sqrt(of_night[name][1])),
            reach=float(np.sqrt(1.0 - night)) * _reach(moves, columns, total[name]),
        )
        assets |= _fit_assets(moves, columns, classes[name], sigma)
    world = WorldModel(
        volatility=world_swing.size,
        half_life=world_swing.half_life * stretch,
        bear_volatility=1.0,
        student_df=float(np.median([model.student_df for model in classes.values()])),
    )
    return FittedMarket(world, classes, dict(sorted(assets.items())))


def fit_swing(covariances: FloatArray, lags: FloatArray) -> Swing:
    """Least squares of ``size^2 * 0.5^(lag / half_life)`` with weights ``1 / lag``, for half-lives of 1.5 to 240 rows;
    none if it is tiny.

    Args:
        covariances: (K,) of the logarithm of volatility; NaN: not known.
        lags: (K,) in rows, from 1.
    """
    known = np.isfinite(covariances)
    if not known.any():
        return _NO_SWING
    told, weights = covariances[known], 1.0 / lags[known]
    shapes = 0.5 ** (lags[known] / _HALF_LIVES[:, None])
    variances = np.maximum(shapes @ (weights * told) / (shapes**2 @ weights), 0.0)
    errors = (told - variances[:, None] * shapes) ** 2 @ weights
    best = int(np.argmin(errors))
    size = float(np.sqrt(variances[best]))
    return Swing(size, float(_HALF_LIVES[best])) if size >= _SMALLEST_SWING else _NO_SWING


def _fit_swings(moves: Moves, members: dict[str, BoolArray]) -> tuple[Swing, dict[str, Swing], dict[str, Swing]]:
    """The world's part, and per group that of the group and that of each asset."""
    lags = np.arange(1.0, MAX_LAG + 1.0)
    size = np.abs(moves.returns)
    excess = size / np.nanmean(size, axis=0) - 1.0
    everyone = np.ones(len(moves.symbols), dtype=np.bool_)
    pairs = {name: _lagged_sums(excess, columns, shared=True) for name, columns in members.items()}
    world = _NO_SWING
    if len(members) > 1:
        summed, counted = _lagged_sums(excess, everyone, shared=True)
        within = sum(pair[0] for pair in pairs.values()), sum(pair[1] for pair in pairs.values())
        world = fit_swing(_log_covariances(summed - within[0], counted - within[1]), lags)
    classes, owns = {}, {}
    for name, columns in members.items():
        classes[name] = fit_swing(_log_covariances(*pairs[name]) - world.curve(lags), lags)
        alone = _log_covariances(*_lagged_sums(excess, columns, shared=False))
        owns[name] = fit_swing(alone - world.curve(lags) - classes[name].curve(lags), lags)
    return world, classes, owns


def _lagged_sums(values: FloatArray, columns: BoolArray, *, shared: bool) -> tuple[FloatArray, FloatArray]:
    """(MAX_LAG,) sums and counts of the products ``lag`` rows apart, of each column with the others (``shared``), or
    with itself."""
    known = np.isfinite(values[:, columns]).astype(np.float64)
    filled = np.where(known > 0.0, values[:, columns], 0.0)
    totals, numbers = filled.sum(axis=1), known.sum(axis=1)
    sums, counts = np.zeros(MAX_LAG), np.zeros(MAX_LAG)
    for lag in range(1, MAX_LAG + 1):
        own, own_count = np.sum(filled[:-lag] * filled[lag:]), np.sum(known[:-lag] * known[lag:])
        if shared:
            own = totals[:-lag] @ totals[lag:] - own
            own_count = numbers[:-lag] @ numbers[lag:] - own_count
        sums[lag - 1], counts[lag - 1] = own, own_count
    return sums, counts


def _log_covariances(sums: FloatArray, counts: FloatArray) -> FloatArray:
    """Autocovariances of the logarithm of volatility, from sums and counts of products of ``|r| / mean - 1``."""
    means = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0.5)
    found: FloatArray = np.log1p(np.maximum(means, -0.9))
    return found


def _fit_shares(
    values: FloatArray, members: dict[str, BoolArray], classes: dict[str, Swing], owns: dict[str, Swing]
) -> dict[str, tuple[float, float]]:
    """Shares of the variance of each group's shocks that the global and the group's shock explain."""
    means = _mean_correlations(values, members, classes, owns)
    loadings = _common_loadings(np.where(np.eye(len(means), dtype=np.bool_), np.nan, means))
    shares = {}
    for position, name in enumerate(members):
        within, of_world = means[position, position], float(loadings[position] ** 2)
        together = float(np.clip(within, 0.0, _MOST_SHARED)) if np.isfinite(within) else of_world
        shares[name] = (min(of_world, together), together - min(of_world, together))
    return shares


def _mean_correlations(
    values: FloatArray, members: dict[str, BoolArray], classes: dict[str, Swing], owns: dict[str, Swing]
) -> FloatArray:
    """(G, G) mean correlation of the shocks of two assets of each two groups; NaN for a group's only asset with itself.

    Returns are less correlated than their shocks, because each asset has swings of volatility that the other has not.
    """
    correlations, names = pairwise_correlations(values), list(members)
    found = np.full((len(names), len(names)), np.nan)
    for one, first in enumerate(names):
        for other, second in enumerate(names):
            block = correlations[np.ix_(members[first], members[second])]
            apart = owns[first].variance + owns[second].variance
            if one == other:
                block = block[~np.eye(len(block), dtype=np.bool_)]
            else:
                apart += classes[first].variance + classes[second].variance
            if np.isfinite(block).any():
                found[one, other] = np.nanmean(block) * np.exp(apart / 2.0)
    return found


def _common_loadings(means: FloatArray) -> FloatArray:
    """(G,) loadings in [0, 1) on one factor whose products come closest to the numbers of ``means`` (G, G)."""
    known = np.isfinite(means)
    if not known.any():
        return np.zeros(len(means))
    told = np.where(known, means, 0.0)
    loadings = np.full(len(means), np.sqrt(max(float(means[known].mean()), 0.0)))
    # Half steps, because full ones would swing between two groups for ever.
    for _ in range(200):
        weight = known @ loadings**2
        best = np.divide(told @ loadings, weight, out=np.zeros_like(loadings), where=weight > 0.0)
        loadings = 0.5 * loadings + 0.5 * np.clip(best, 0.0, np.sqrt(_MOST_SHARED))
    return loadings


def _fit_tails(returns: FloatArray, weights: FloatArray, log_variance: float) -> tuple[float, float]:
    """Degrees of freedom, and the standard deviation that a sum of cut shocks has with them.

    Args:
        weights: (K,) of the independent shocks that a return is made of; their squares sum to 1.
    """
    with np.errstate(all="ignore"):
        told = np.nanmean(np.abs(returns - np.nanmean(returns, axis=0)), axis=0) / np.nanstd(returns, axis=0)
    wanted = float(np.median(told)) * np.exp(log_variance / 2.0)
    means, deviations = [], []
    for degrees in _DEGREES:
        draws = np.random.default_rng(0).standard_t(degrees, (len(weights), _DRAWS))
        mixed = weights @ unit_student(draws, degrees)
        deviations.append(float(np.std(mixed)))
        means.append(float(np.mean(np.abs(mixed))) / deviations[-1])
    degrees = float(np.exp(np.interp(wanted, np.maximum.accumulate(means), np.log(_DEGREES))))
    return degrees, float(np.interp(degrees, _DEGREES, deviations))


def _all_shares(shares: tuple[float, float]) -> FloatArray:
    """(3,) shares of the global, the group's and the asset's own shock."""
    return np.array([*shares, 1.0 - sum(shares)])


def _calm_volatility(moves: Moves, columns: BoolArray) -> FloatArray:
    """Root of the summed variances of night and day, per asset."""
    night, day = np.nanvar(moves.overnight[:, columns], axis=0), np.nanvar(moves.day[:, columns], axis=0)
    found: FloatArray = np.sqrt(night + day)
    return found


def _overnight_share(moves: Moves, columns: BoolArray) -> float:
    night, day = np.nanvar(moves.overnight[:, columns], axis=0), np.nanvar(moves.day[:, columns], axis=0)
    return float(np.median(night / (night + day)))


def _reach(moves: Moves, columns: BoolArray, log_variance: float) -> float:
    """Reach in units of the deviation between open and close: the root of what a range of
    ``|e| + reach (|N1| + |N2|)`` has for a mean square."""
    day, beyond = moves.day[:, columns], moves.up[:, columns] + moves.down[:, columns]
    square = float(np.median(np.nanmean((np.abs(day) + beyond) ** 2, axis=0) / np.nanvar(day, axis=0)))
    mean_size = float(np.median(np.nanmean(np.abs(day), axis=0) / np.nanstd(day, axis=0))) * np.exp(log_variance / 2.0)
    of_square, of_product = (
        2.0 + 2.0 * _MEAN_HALF_NORMAL**2,
        2.0 * min(mean_size, _MEAN_HALF_NORMAL) * _MEAN_HALF_NORMAL,
    )
    inside = of_product**2 + of_square * max(square - 1.0, 0.0)
    return float((np.sqrt(inside) - of_product) / of_square)


def _typical_volume(moves: Moves, columns: BoolArray) -> float:
    told = moves.volume[:, columns]
    return float(np.nanmedian(told)) if np.isfinite(told).any() else 0.0


def _fit_assets(moves: Moves, columns: BoolArray, model: ClassModel, sigma: FloatArray) -> dict[str, AssetModel]:
    found = {}
    for index, (column, volatility) in enumerate(zip(np.flatnonzero(columns), sigma, strict=True), start=1):
        returns, volume = moves.returns[:, column], moves.volume[:, column]
        found[moves.symbols[column]] = AssetModel(
            model,
            index,
            daily_volatility=float(volatility),
            # The mean of simple returns, which the generator adds, lies half the variance above that of log returns.
            mean_return=float(np.nanmean(returns) + np.nanvar(returns) / 2.0),
            volume=float(np.nanmedian(volume)) if np.isfinite(volume).any() else None,
        )
    return found
