"""An agent against the best that is possible, on the same histories."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import FloatArray
from wealtharena.envs.simulation import SimulationPath
from wealtharena.evaluation.verification.catalogue import LUCK, TARGET_SHARE, VerificationMarket, verification_market
from wealtharena.evaluation.verification.scoring import resampled_scores, score_of
from wealtharena.evaluation.verification.trading import Trades, trade
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR, World

TOLERANCE = 0.02
"""Share of the ceiling by which a score may surpass it: oracles on a grid, and rules that are best to second order."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores on the same sessions, with the limits of a two-sided confidence interval.

    Attributes:
        market: its name.
        score: the agent's.
        oracle: the oracle's.
        ceiling: what no honest policy exceeds but by luck.
        ratio, ratio_low, ratio_high: of the agent's score to the oracle's; NaN where the oracle earns nothing.
        excess_low: lower limit of the agent's score less the ceiling.
        above_ceiling: the agent knows more than it can: a leak, an error of the engine or of the oracle.
        meets_target: the target of ``agent_target``; for a share by the ratio itself, not by its lower limit.
        turnover: the agent's mean per session, as a fraction of equity.
        sessions: compared.
    """

    market: str
    score: float
    oracle: float
    ceiling: float
    ratio: float
    ratio_low: float
    ratio_high: float
    excess_low: float
    above_ceiling: bool
    meets_target: bool
    turnover: float
    sessions: int


def score(name: str, paths: Sequence[SimulationPath]) -> float:
    """The market's score of an account's paths; 0 for an account that never moved.

    Args:
        paths: from ``trade`` or ``run_policy``, at the scale of the panels of ``simulate``.

    Raises:
        SettingsError: no such market.
    """
    return score_of(verification_market(name).measure, Trades.of(paths))


def compare(
    name: str,
    worlds: Sequence[World],
    paths: Sequence[SimulationPath],
    *,
    market: VerificationMarket | None = None,
    confidence: float = 0.98,
    replicates: int = 1_000,
    block: float = 63.0,
    seed: int = 0,
) -> Comparison:
    """An agent's paths with the oracle's on the same worlds, by a paired stationary bootstrap.

    Use at least 200 years in all. An agent is above the ceiling if even the lower limit of its excess is more than
    ``TOLERANCE`` of the ceiling.

    Args:
        worlds: what the agent traded, from row 1 to the last.
        paths: the agent's, one per world, from ``run_policy`` or ``trade``.
        market: a variant of the market of that name, with an oracle of its own; by default the one of the catalogue.
        confidence: of the two-sided interval; 0.98 leaves 1 % above and below.
        replicates, block, seed: see ``resampled_scores``.

    Raises:
        SettingsError: no such market.
        ExecutionError: the paths do not cover the worlds' sessions.
    """
    market = verification_market(name) if market is None else market
    _check_sessions(worlds, paths)
    agent, oracle, ceiling = Trades.of(paths), _oracle(market, worlds), _ceiling(market, worlds)
    accounts = [agent, oracle, oracle if ceiling is None else ceiling]
    values = [score_of(market.measure, account) for account in accounts]
    resampled = resampled_scores(market.measure, accounts, replicates=replicates, block=block, seed=seed)
    tails = [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence]
    ratio_low, ratio_high = _ratio_limits(resampled, values[1], tails)
    excess_low = float(np.quantile(resampled[:, 0] - resampled[:, 2], tails[0]))
    return Comparison(
        market=name,
        score=values[0],
        oracle=values[1],
        ceiling=values[2],
        ratio=values[0] / values[1] if values[1] > 0.0 else math.nan,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        excess_low=excess_low,
        above_ceiling=excess_low > TOLERANCE * abs(values[2]),
        meets_target=_meets_target(market, values[0], values[1], len(agent.returns)),
        turnover=float(agent.turnover.mean()),
        sessions=len(agent.returns),
    )


def _oracle(market: VerificationMarket, worlds: Sequence[World]) -> Trades:
    return Trades.of([trade(world, market.oracle(world)) for world in worlds])


def _ceiling(market: VerificationMarket, worlds: Sequence[World]) -> Trades | None:
    if market.ceiling is None:
        return None
    return Trades.of([trade(world, market.ceiling(world), costless=True) for world in worlds])


def _ratio_limits(resampled: FloatArray, oracle: float, tails: list[float]) -> tuple[float, float]:
    """Limits of agent over oracle; infinite where the oracle's own score may be 0 or less."""
    if oracle <= 0.0:
        return math.nan, math.nan
    if np.quantile(resampled[:, 1], tails[0]) <= 0.0:
        return -math.inf, math.inf
    low, high = np.quantile(resampled[:, 0] / resampled[:, 1], tails)
    return float(low), float(high)


def _meets_target(market: VerificationMarket, agent: float, oracle: float, sessions: int) -> bool:
    if market.target == "share":
        return agent >= TARGET_SHARE * oracle
    if market.target == "no profit":
        return agent <= LUCK / math.sqrt(sessions / SESSIONS_PER_YEAR)
    return market.target == "none" or agent >= 0.0


def _check_sessions(worlds: Sequence[World], paths: Sequence[SimulationPath]) -> None:
    traded = [len(path.returns) for path in paths]
    expected = [len(world.panel.dates) - 1 for world in worlds]
    if traded != expected:
        raise ExecutionError(f"paths must cover rows 1 to the last of each world, {expected} sessions, got {traded}")
