"""A training that has nothing to learn from is refused when it is asked for, before there is any Ray."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_samples import make_job_in, planted_panel

from wealtharena.core.errors import TrainingError
from wealtharena.settings.models import Algorithm
from wealtharena.training.result import TrainingJob

PANEL = planted_panel(40, 3, 0.0, seed=1)
NO_ASSETS = planted_panel(40, 0, 0.0, seed=1)


@pytest.fixture(scope="module")
def job() -> TrainingJob:
    return make_job_in(Path("never-written"), Algorithm.PPO, PANEL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"panel_train": NO_ASSETS}, "stocks: panel_train must hold at least one asset, got none"),
        ({"panel_validation": NO_ASSETS}, "panel_validation must hold at least one asset, got none"),
        (
            {"panel_train": replace(PANEL, observed=np.zeros_like(PANEL.observed))},
            "panel_train must have an asset with valid features on some session, got none",
        ),
        ({"panel_train": PANEL.rows(0, 1)}, r"panel_train must have more sessions than window \(1\), got 1"),
        (
            {"panel_validation": replace(PANEL, feature_names=("f0", "f1", "f2", "other"))},
            "panel_validation must have the features of panel_train .*got f0, f1, f2, other",
        ),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_a_job_that_cannot_be_trained_is_not_made(job: TrainingJob, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        replace(job, **changes)
    assert not job.output_dir.exists()
