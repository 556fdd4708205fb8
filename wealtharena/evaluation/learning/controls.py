"""What a training is asked to learn, and what counts as having learnt it."""

from dataclasses import dataclass

from wealtharena.core.errors import SettingsError
from wealtharena.evaluation.learning.leak import LEAKY_MARKETS, leaky_market, with_leak
from wealtharena.evaluation.verification.catalogue import VerificationMarket, simulate, verification_market
from wealtharena.evaluation.verification.scoring import UTILITY
from wealtharena.evaluation.verification.worlds import PRICE_SCALE, SESSIONS_PER_YEAR, World
from wealtharena.execution import RewardWeights

LEAK_SHARE = 0.95
"""Share of the oracle that the finder of a leaked return must reach."""

TRAINING_CELLS = 500_000
"""Sessions x assets of a training world: so many that nobody learns them by heart."""

_RISK_AVERSION = {"M0": 1.0, "M1": 80.0, "M1d": 2.0, "M4": 4.0, "M5": 160.0, "M6": 1.0}
"""Half of it times the squared log return is taken from the reward, in the units of the formulas; 0 for all others.

Markets scored by their mean have none. A Sharpe ratio does not tell how large a position is to be: in M1 and M5 the
best positions then just fit the limits. Where there is nothing to find it is that of the agents.
"""


@dataclass(frozen=True, slots=True)
class LearningControl:
    """A market to learn.

    Attributes:
        market: name in ``VERIFICATION_MARKETS``.
        leak: the next return is one of the features.
        share: of the oracle's score that must be reached, where the market's target is a share.
    """

    market: str
    leak: bool
    share: float

    @property
    def verification(self) -> VerificationMarket:
        """Oracle, measure and target."""
        return leaky_market(self.market) if self.leak else verification_market(self.market)

    @property
    def title(self) -> str:
        """For tables."""
        return f"{self.market} with leak" if self.leak else self.market

    @property
    def reward(self) -> RewardWeights:
        """What the market's score asks for."""
        risk_aversion = 0.0 if self.leak else _RISK_AVERSION.get(self.market, 0.0)
        # At the scale of the panels a square counts less beside the return itself.
        return RewardWeights(variance=risk_aversion / PRICE_SCALE)

    @property
    def num_assets(self) -> int:
        """Of the market."""
        return len(simulate(self.market, 0, 1 / SESSIONS_PER_YEAR).panel.symbols)

    @property
    def training_years(self) -> float:
        """Length of the training world."""
        return TRAINING_CELLS / SESSIONS_PER_YEAR / self.num_assets

    def world(self, seed: int, num_years: float) -> World:
        """A history; equal seeds give equal histories."""
        world = simulate(self.market, seed, num_years)
        return with_leak(world) if self.leak else world


def learning_control(market: str, share: float, *, leak: bool = False) -> LearningControl:
    """What is to be learnt on a market.

    Args:
        share: of the oracle that must be reached; with ``leak`` it is ``LEAK_SHARE``.

    Raises:
        SettingsError: there is no such market, it asks nothing of agents or not what a reward can say, or its oracle
            with a leak is not known.
    """
    known = verification_market(market)
    if leak:
        if market not in LEAKY_MARKETS:
            raise SettingsError(f"market of a leak must be one of {', '.join(LEAKY_MARKETS)}, got {market}")
        return LearningControl(market, True, LEAK_SHARE)
    if known.target == "none":
        raise SettingsError(f"market must ask something of agents, got {market}, which checks the engine alone")
    if known.measure == UTILITY:
        raise SettingsError(f"market must have costs that the reward knows, got {market}, whose costs are quadratic")
    return LearningControl(market, False, share)
