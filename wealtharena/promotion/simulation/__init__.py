"""Simulated years of the gate: how often it errs and how often it finds what is there."""

from wealtharena.promotion.simulation.scenarios import SCENARIOS, Scenario
from wealtharena.promotion.simulation.summary import HORIZONS, Bound, Rate, Summary, run_scenario, worlds_of

__all__ = ["HORIZONS", "SCENARIOS", "Bound", "Rate", "Scenario", "Summary", "run_scenario", "worlds_of"]
