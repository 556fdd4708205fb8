"""What the tests of environments share."""

from collections.abc import Iterator

import pytest

from wealtharena.settings.models import TrainingSettings
from wealtharena.training.session import ray_session


@pytest.fixture
def own_ray() -> Iterator[None]:
    """A Ray session of this test: RLlib would attach to any that runs on the machine, and leave its own behind."""
    with ray_session(TrainingSettings(), 1):
        yield
