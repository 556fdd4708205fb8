"""Experiment tracking and model registry on MLflow, which is imported when a tracker first connects."""

from wealtharena.tracking.connection import current_commit, tracking_uri
from wealtharena.tracking.experiments import Tracker
from wealtharena.tracking.registry import ModelRegistry, ModelVersionInfo

__all__ = ["ModelRegistry", "ModelVersionInfo", "Tracker", "current_commit", "tracking_uri"]
