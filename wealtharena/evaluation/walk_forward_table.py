"""What a history says of a strategy, with intervals: figures at the market's costs and at twice the costs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wealtharena.core.numbers import number_or_none
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import annual_return, annual_turnover, max_drawdown, sharpe_ratio
from wealtharena.evaluation.metrics.observations import is_constant
from wealtharena.evaluation.walk_forward import OutOfSample

RESAMPLES = 2_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; all None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Performance:
    """One strategy over its out-of-sample sessions; figures are None where undefined.

    Attributes:
        name: of the lane or baseline.
        lane_id: identity of the lane.
        is_baseline: a fixed rule.
        first, last: days of the first and last session, ISO.
        sessions: number of them.
        annual_return, annual_return_double_cost: geometric, net, as a fraction.
        sharpe, sharpe_double_cost: annual ratio of the returns above cash.
        max_drawdown, max_drawdown_double_cost: as a positive fraction.
        annual_turnover: traded value over equity, per year.
        annual_cost: trading and carrying costs, less carry earned, as a fraction of equity, per year; what costs alone
            take is seen in the returns at twice the costs.
        best_baseline: name of the baseline with the highest Sharpe ratio over the same sessions; ``""`` for baselines.
        gain, gain_double_cost: Sharpe ratio less that of ``best_baseline``; None for baselines.
    """

    name: str
    lane_id: str
    is_baseline: bool
    first: str
    last: str
    sessions: int
    annual_return: float | None
    annual_return_double_cost: float | None
    sharpe: Estimate
    sharpe_double_cost: Estimate
    max_drawdown: float | None
    max_drawdown_double_cost: float | None
    annual_turnover: float | None
    annual_cost: float | None
    best_baseline: str = ""
    gain: Estimate | None = None
    gain_double_cost: Estimate | None = None


def walk_forward_table(
    policies: Mapping[str, tuple[str, OutOfSample]],
    baselines: Mapping[str, tuple[str, OutOfSample]],
    annualisation: int,
    seed: int,
) -> tuple[Performance, ...]:
    """Figures of every policy and every baseline, the policies first.

    Intervals hold 95 % of the figures of 2,000 stationary-bootstrap histories (Politis and Romano 1994, arch's
    ``StationaryBootstrap``), whose mean block is the longest of the series' optimal lengths (Politis and White 2004,
    corrected by Patton, Politis and White 2009). They say how far luck of the sessions reaches, not that of the
    training's seed, nor that of having tried several recipes. The best baseline is found with hindsight: a policy
    that comes near it comes near the luckiest of several rules.

    Args:
        policies, baselines: lane_id and history by name.
        annualisation: sessions per year.
        seed: of the bootstrap.
    """
    rules = {
        name: _performance(name, lane_id, history, annualisation, seed, is_baseline=True)
        for name, (lane_id, history) in baselines.items()
    }
    rows = [
        _compared(
            _performance(name, lane_id, history, annualisation, seed, is_baseline=False),
            history,
            {rule: known for rule, (_, known) in baselines.items()},
            annualisation,
            seed,
        )
        for name, (lane_id, history) in policies.items()
    ]
    return (*rows, *rules.values())


def bootstrap_sharpes(excess: FloatArray, annualisation: int, seed: int) -> FloatArray:
    """Annual Sharpe ratios (2000, K) of resampled histories; NaN where a series does not move.

    Args:
        excess: (T, K) returns above cash; the K series of a session are drawn together, so that they stay correlated.
        annualisation: sessions per year.
        seed: of the draw.
    """
    from arch.bootstrap import StationaryBootstrap

    moving = [k for k, column in enumerate(excess.T) if not is_constant(column)]
    result = np.full((RESAMPLES, excess.shape[1]), np.nan)
    if not moving:
        return result
    draw = StationaryBootstrap(_mean_block(excess[:, moving]), excess[:, moving], seed=seed)

    def sharpes(sample: FloatArray) -> FloatArray:
        spread = sample.std(axis=0, ddof=1)
        means = sample.mean(axis=0)
        ratios: FloatArray = np.divide(means, spread, out=np.full(means.shape, np.nan), where=spread > 0.0)
        return ratios

    result[:, moving] = draw.apply(sharpes, RESAMPLES) * math.sqrt(annualisation)
    return result


def _performance(
    name: str, lane_id: str, history: OutOfSample, annualisation: int, seed: int, *, is_baseline: bool
) -> Performance:
    excess = np.column_stack([history.excess_returns, history.excess_returns_double_cost])
    resampled = bootstrap_sharpes(excess, annualisation, seed)
    plain, stressed = (
        _estimate(sharpe_ratio(excess[:, k], annualisation), resampled[:, k]) for k in range(excess.shape[1])
    )
    return Performance(
        name=name,
        lane_id=lane_id,
        is_baseline=is_baseline,
        first=str(history.dates[0]),
        last=str(history.dates[-1]),
        sessions=len(history.dates),
        annual_return=number_or_none(annual_return(history.returns, annualisation)),
        annual_return_double_cost=number_or_none(annual_return(history.returns_double_cost, annualisation)),
        sharpe=plain,
        sharpe_double_cost=stressed,
        max_drawdown=number_or_none(max_drawdown(history.returns)),
        max_drawdown_double_cost=number_or_none(max_drawdown(history.returns_double_cost)),
        annual_turnover=number_or_none(annual_turnover(history.turnover, annualisation)),
        annual_cost=number_or_none(float(history.cost.mean()) * annualisation),
    )


def _compared(
    own: Performance, history: OutOfSample, baselines: Mapping[str, OutOfSample], annualisation: int, seed: int
) -> Performance:
    """``own`` with its gain over the best baseline of the sessions that both have."""
    shared = {name: _shared(history, other) for name, other in baselines.items()}
    shared = {name: series for name, series in shared.items() if len(series)}
    if not shared:
        return own
    best = max(shared, key=lambda name: _score(shared[name][:, 2], annualisation))
    series = shared[best]
    resampled = bootstrap_sharpes(series, annualisation, seed)
    drawn = resampled[:, :2] - np.nan_to_num(resampled[:, 2:], nan=0.0)
    plain, stressed = (
        _estimate(sharpe_ratio(series[:, k], annualisation) - _score(series[:, 2 + k], annualisation), drawn[:, k])
        for k in range(2)
    )
    return replace(own, best_baseline=best, gain=plain, gain_double_cost=stressed)


def _shared(history: OutOfSample, baseline: OutOfSample) -> FloatArray:
    """(T, 4) excess returns of shared sessions: history at 1x and 2x costs, baseline at 1x and 2x costs."""
    _, own, other = np.intersect1d(history.dates, baseline.dates, assume_unique=True, return_indices=True)
    return np.column_stack(
        [
            history.excess_returns[own],
            history.excess_returns_double_cost[own],
            baseline.excess_returns[other],
            baseline.excess_returns_double_cost[other],
        ]
    )


def _score(excess: FloatArray, annualisation: int) -> float:
    """Sharpe ratio for the comparison: cash, which has none, counts as 0, the ratio of what earns nothing over cash."""
    ratio = sharpe_ratio(excess, annualisation)
    return 0.0 if math.isnan(ratio) else ratio


def _mean_block(excess: FloatArray) -> int:
    """Longest optimal block of the columns, in whole sessions."""
    from arch.bootstrap import optimal_block_length

    lengths: FloatArray = optimal_block_length(excess)["stationary"].to_numpy(np.float64)
    return int(np.ceil(lengths[np.isfinite(lengths)].max(initial=1.0)))


def _estimate(value: float, resampled: FloatArray) -> Estimate:
    known = resampled[np.isfinite(resampled)]
    if math.isnan(value) or not known.size:
        return Estimate(None, None, None)
    low, high = np.quantile(known, [(1.0 - CONFIDENCE) / 2.0, (1.0 + CONFIDENCE) / 2.0])
    return Estimate(value, float(low), float(high))
