"""Markets with a known answer: they check the engine, and show whether an agent learns what there is to learn.

A world is simulated in the product's own form, traded through the execution kernel, and scored against an oracle.
"""

from wealtharena.evaluation.verification.catalogue import (
    VERIFICATION_MARKETS,
    VerificationMarket,
    agent_target,
    simulate,
    verification_market,
)
from wealtharena.evaluation.verification.comparison import Comparison, compare, score
from wealtharena.evaluation.verification.figures import KNOWN_FIGURES, KnownFigure
from wealtharena.evaluation.verification.scoring import Estimate, Measure, estimate, score_of
from wealtharena.evaluation.verification.trading import Trades, trade, trading_rules
from wealtharena.evaluation.verification.worlds import PRICE_SCALE, World

__all__ = [
    "KNOWN_FIGURES",
    "PRICE_SCALE",
    "VERIFICATION_MARKETS",
    "Comparison",
    "Estimate",
    "KnownFigure",
    "Measure",
    "Trades",
    "VerificationMarket",
    "World",
    "agent_target",
    "compare",
    "estimate",
    "score",
    "score_of",
    "simulate",
    "trade",
    "trading_rules",
    "verification_market",
]
