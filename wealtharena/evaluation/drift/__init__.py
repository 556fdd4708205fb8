"""Drift: whether what a model observes and does today is still what it was trained and tested on."""

from wealtharena.evaluation.drift.features import FeatureDrift, feature_drift, population_stability
from wealtharena.evaluation.drift.positions import PositionDrift, position_drift

__all__ = ["FeatureDrift", "PositionDrift", "feature_drift", "population_stability", "position_drift"]
