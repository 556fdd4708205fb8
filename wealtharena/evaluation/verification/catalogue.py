"""The markets with a known answer, by name."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.evaluation.verification import oracles, policies
from wealtharena.evaluation.verification.markets import M0, M1, M1_WEAK, M2, M3, M4, M5, M6
from wealtharena.evaluation.verification.policies import ADJUSTMENT, HYSTERESIS, RESTRAINT, Positions
from wealtharena.evaluation.verification.scoring import MEAN, SHARPE, UTILITY, Measure
from wealtharena.evaluation.verification.worlds import MarketModel, World, draw_world

BP = 1e-4

Target = Literal["share", "no profit", "no loss", "none"]


@dataclass(frozen=True, slots=True)
class VerificationMarket:
    """A market, the best that is known to be possible on it, and what an agent has to reach.

    Attributes:
        checks: what a learner shows here.
        model: the random law.
        one_way_cost: fraction of traded value, in the units of the formulas.
        oracle: positions from the panel's features alone; what an agent is measured against.
        measure: the score.
        target: ``share``: at least ``TARGET_SHARE`` of the oracle; ``no profit``: a Sharpe ratio that luck explains;
            ``no loss``: one that is not negative; ``none``: the market checks the engine.
        ceiling: traded without costs, what no honest policy exceeds; None where that is the oracle itself.
    """

    checks: str
    model: MarketModel
    one_way_cost: float
    oracle: Positions
    measure: Measure = SHARPE
    target: Target = "share"
    ceiling: Positions | None = None


TARGET_SHARE = 0.9
LUCK = 1.645
"""Standard errors of a Sharpe ratio that luck explains in 95 % of cases; one is ``1 / sqrt(years)``."""

_best_m1c = partial(policies.best_by_return, market=M1, cost=2 * BP)
_best_m1e = partial(policies.best_by_return, market=M1, cost=5 * BP)
_restrained = partial(policies.best_by_return, market=M1_WEAK, cost=5 * BP, risk_aversion=RESTRAINT)
_against = partial(policies.linear, direction=-1.0)
_best_m2 = partial(policies.follow_forecast, market=M2, derive=oracles.partial_adjustment)
_best_m3b = partial(policies.best_by_spread, market=M3, cost=50 * BP)
_filter = partial(policies.belief_with_hysteresis, market=M4, threshold=HYSTERESIS)
_belief = partial(policies.belief, market=M4)
_slow_carry = partial(policies.carry, adjustment=ADJUSTMENT)

VERIFICATION_MARKETS: dict[str, VerificationMarket] = {
    "M0": VerificationMarket("nothing to find", M0, 10 * BP, policies.nothing, target="no profit"),
    "M1": VerificationMarket("momentum of one session", M1, 0.0, policies.linear),
    "M1c": VerificationMarket("the engine's costs", M1, 2 * BP, _best_m1c, MEAN, "none"),
    "M1d": VerificationMarket("restraint", M1_WEAK, 5 * BP, _restrained, SHARPE, "no loss", policies.linear),
    "M1e": VerificationMarket("choosing its trades", M1, 5 * BP, _best_m1e, MEAN),
    "M2": VerificationMarket("trading gradually", M2, 0.0, _best_m2, UTILITY),
    "M3": VerificationMarket("mean reversion", M3, 10 * BP, _against, SHARPE, "none", _against),
    "M3b": VerificationMarket("mean reversion at high cost", M3, 50 * BP, _best_m3b, MEAN),
    "M4": VerificationMarket("a state that must be inferred", M4, 5 * BP, _filter, ceiling=_belief),
    "M5": VerificationMarket("a book of many assets", M5, 5 * BP, _slow_carry, ceiling=policies.carry),
    "M6": VerificationMarket("a feature published late", M6, 0.0, policies.nothing, target="no profit"),
}


def verification_market(name: str) -> VerificationMarket:
    """The market of that name.

    Raises:
        SettingsError: there is none.
    """
    if name not in VERIFICATION_MARKETS:
        raise SettingsError(unknown_name("verification market", name, VERIFICATION_MARKETS))
    return VERIFICATION_MARKETS[name]


def simulate(name: str, seed: int, num_years: float) -> World:
    """A history of ``num_years`` years; equal seeds give equal histories, and markets share no random numbers.

    Raises:
        SettingsError: no such market.
    """
    market = verification_market(name)
    return draw_world(market.model, market.one_way_cost, np.random.default_rng([seed, *name.encode()]), num_years)


def agent_target(name: str) -> str:
    """What an agent has to reach, in words.

    Raises:
        SettingsError: no such market.
    """
    market = verification_market(name)
    return {
        "share": f"at least {TARGET_SHARE:.0%} of the oracle on the same paths",
        "no profit": f"Sharpe ratio at most {LUCK}/√years out of sample, and turnover towards 0",
        "no loss": "no negative Sharpe ratio: whoever follows every signal loses here",
        "none": "none: the market checks the engine",
    }[market.target]
