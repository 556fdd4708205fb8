"""Calibration of the simulated market on real bars: what is fitted, and how close its stylised facts come."""

from wealtharena.evaluation.calibration.comparison import Comparison, Curves, FactRow, compare
from wealtharena.evaluation.calibration.facts import FACTS, bootstrap, facts, sample_of
from wealtharena.evaluation.calibration.fitting import fit_market
from wealtharena.evaluation.calibration.loading import RealBars, load_real_bars
from wealtharena.evaluation.calibration.market import FittedMarket, simulate_moves
from wealtharena.evaluation.calibration.moves import Moves, moves_of

__all__ = [
    "FACTS",
    "Comparison",
    "Curves",
    "FactRow",
    "FittedMarket",
    "Moves",
    "RealBars",
    "bootstrap",
    "compare",
    "facts",
    "fit_market",
    "load_real_bars",
    "moves_of",
    "sample_of",
    "simulate_moves",
]
