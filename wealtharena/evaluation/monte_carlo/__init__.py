"""Monte Carlo: how much of a held-out result is luck, cost assumption or detail."""

from wealtharena.evaluation.monte_carlo.cost_stress import BreakEven, Stress
from wealtharena.evaluation.monte_carlo.market_bootstrap import MarketHistory, market_history
from wealtharena.evaluation.monte_carlo.robustness import Robustness, robustness
from wealtharena.evaluation.monte_carlo.simulation import QUANTILES, WHOLE, Simulation
from wealtharena.evaluation.monte_carlo.strategies import FrozenPolicy, FrozenRule, FrozenTargets, Strategy

__all__ = [
    "QUANTILES",
    "WHOLE",
    "BreakEven",
    "FrozenPolicy",
    "FrozenRule",
    "FrozenTargets",
    "MarketHistory",
    "Robustness",
    "Simulation",
    "Strategy",
    "Stress",
    "market_history",
    "robustness",
]
