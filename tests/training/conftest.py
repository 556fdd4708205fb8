"""Quick jobs on a small market."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from training_samples import make_job_in

from wealtharena.settings.models import Algorithm
from wealtharena.training.result import TrainingJob


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., TrainingJob]:
    """``make_job_in`` with folders of this test's own."""

    def make(algorithm: Algorithm, *args: Any, folder: str = "job", **kwargs: Any) -> TrainingJob:
        return make_job_in(tmp_path / folder, algorithm, *args, **kwargs)

    return make
