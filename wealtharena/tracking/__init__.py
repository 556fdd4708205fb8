"""Experiment tracking and model registry on MLflow, which is imported when a tracker first connects."""

from wealtharena.tracking.connection import current_commit, tracking_uri
from wealtharena.tracking.experiments import Tracker
from wealtharena.tracking.registry import ModelRegistry, ModelVersionInfo
from wealtharena.tracking.trail import Act, ModelState, TrailEntry

__all__ = [
    "Act",
    "ModelRegistry",
    "ModelState",
    "ModelVersionInfo",
    "Tracker",
    "TrailEntry",
    "current_commit",
    "tracking_uri",
]
