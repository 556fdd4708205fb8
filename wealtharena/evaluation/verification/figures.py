"""Scores that are known beforehand: what a policy must earn on a market, by formula."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wealtharena.evaluation.verification import oracles, policies
from wealtharena.evaluation.verification.catalogue import BP
from wealtharena.evaluation.verification.markets import M0, M1, M1_WEAK, M2, M3, M4, M5, M6
from wealtharena.evaluation.verification.policies import (
    ADJUSTMENT,
    HYSTERESIS,
    LINEAR_LIMIT,
    RESTRAINT,
    Positions,
)
from wealtharena.evaluation.verification.scoring import MEAN, SHARPE, UTILITY, Measure
from wealtharena.evaluation.verification.value_iteration import solve_autoregression, solve_spread


@dataclass(frozen=True, slots=True)
class KnownFigure:
    """A policy whose score on a market is known.

    Attributes:
        market: key of ``VERIFICATION_MARKETS``.
        policy: what is traded; some policies read what is hidden.
        value: the score it must have, from a closed formula, value iteration or a long simulation.
        positions: the policy itself.
        measure: how it is scored.
        costless: traded without proportional costs.
        error: standard error of ``value`` if it is from a simulation.
    """

    market: str
    policy: str
    value: Callable[[], float]
    positions: Positions
    measure: Measure = SHARPE
    costless: bool = False
    error: float = 0.0


_PER_K = Measure("mean", full_position=LINEAR_LIMIT * M3.deviation)
_NET_M2 = Measure("sharpe", full_position=M2.full_position, quadratic_cost=M2.quadratic_cost)

_against = partial(policies.linear, direction=-1.0)
_sign_against = partial(policies.feature_sign, direction=-1.0)
_best_m1d = partial(policies.best_by_return, market=M1_WEAK, cost=5 * BP, risk_aversion=RESTRAINT)
_best_m1e = partial(policies.best_by_return, market=M1, cost=5 * BP)
_best_m2 = partial(policies.follow_forecast, market=M2, derive=oracles.partial_adjustment)
_markowitz = partial(policies.follow_forecast, market=M2, derive=oracles.markowitz)
_best_m3b = partial(policies.best_by_spread, market=M3, cost=50 * BP)
_filter = partial(policies.belief_with_hysteresis, market=M4, threshold=HYSTERESIS)
_belief = partial(policies.belief, market=M4)
_slow_carry = partial(policies.carry, adjustment=ADJUSTMENT)

KNOWN_FIGURES: tuple[KnownFigure, ...] = (
    KnownFigure("M0", "coin", lambda: oracles.coin_sharpe(M0, 10 * BP), policies.hidden_sign),
    KnownFigure("M1", "linear", lambda: oracles.linear_sharpe(M1), policies.linear),
    KnownFigure("M1c", "sign rule", lambda: oracles.sign_rule_sharpe(M1, 2 * BP), policies.feature_sign),
    KnownFigure("M1d", "sign rule", lambda: oracles.sign_rule_sharpe(M1_WEAK, 5 * BP), policies.feature_sign),
    KnownFigure("M1d", "best of -1, 0, 1", lambda: solve_autoregression(M1_WEAK, 5 * BP, RESTRAINT).sharpe, _best_m1d),
    KnownFigure("M1e", "best of -1, 0, 1", lambda: solve_autoregression(M1, 5 * BP).mean, _best_m1e, MEAN),
    KnownFigure("M1e", "best of -1, 0, 1 (Sharpe)", lambda: solve_autoregression(M1, 5 * BP).sharpe, _best_m1e),
    KnownFigure("M1e", "sign rule", lambda: oracles.sign_rule_mean(M1, 5 * BP), policies.feature_sign, MEAN),
    KnownFigure("M2", "best rule", lambda: oracles.rule_utility(M2, oracles.partial_adjustment(M2)), _best_m2, UTILITY),
    KnownFigure("M2", "best rule (net Sharpe)", lambda: oracles.rule_sharpe(M2), _best_m2, _NET_M2),
    KnownFigure("M2", "Markowitz", lambda: oracles.rule_utility(M2, oracles.markowitz(M2)), _markowitz, UTILITY),
    KnownFigure("M3", "linear, mean per k", lambda: oracles.spread_mean(M3, 10 * BP), _against, _PER_K),
    KnownFigure("M3", "linear, no cost", lambda: oracles.spread_sharpe(M3), _against, costless=True),
    KnownFigure("M3b", "best of five", lambda: solve_spread(M3, 50 * BP).mean, _best_m3b, MEAN),
    KnownFigure("M3b", "best of five (Sharpe)", lambda: solve_spread(M3, 50 * BP).sharpe, _best_m3b),
    KnownFigure("M3b", "sign rule", lambda: oracles.sign_rule_mean(M3, 50 * BP), _sign_against, MEAN),
    KnownFigure("M4", "regime known", lambda: oracles.known_regime_sharpe(M4, 5 * BP), policies.hidden_sign),
    KnownFigure("M4", "Bayes filter with hysteresis", lambda: 0.522, _filter, error=0.011),
    KnownFigure("M4", "belief, no cost", lambda: 0.66, _belief, costless=True, error=0.011),
    KnownFigure("M5", "at once", lambda: oracles.carry_sharpe(M5, 5 * BP), policies.carry),
    KnownFigure("M5", "at once, no cost", lambda: oracles.carry_sharpe(M5, 0.0), policies.carry, costless=True),
    KnownFigure("M5", "partial adjustment", lambda: oracles.carry_sharpe(M5, 5 * BP, ADJUSTMENT), _slow_carry),
    KnownFigure("M6", "before release", lambda: oracles.trap_sharpe(M6), policies.hidden_sign),
    KnownFigure("M6", "as published", lambda: 0.0, policies.feature_sign),
)
