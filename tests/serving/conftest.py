from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from serving_models import CREATED, policy_card, write_linear_network

from wealtharena.serving.bundle import write_bundle
from wealtharena.serving.manifest import ModelCard, ModelKind


@pytest.fixture
def training_output(tmp_path: Path) -> Path:
    """What a training leaves: a network that buys momentum, its log, and a checkpoint in a subfolder."""
    folder = tmp_path / "training"
    (folder / "rllib").mkdir(parents=True)
    write_linear_network(folder / "policy.onnx", [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    (folder / "training.json").write_text('{"iterations": 3}')
    (folder / "rllib" / "state.bin").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture
def bundle(tmp_path: Path, training_output: Path) -> Path:
    folder = tmp_path / "checkpoints" / "stocks" / "night-1"
    write_bundle(folder, policy_card(), training_output, CREATED)
    return folder


@pytest.fixture
def make_bundle(training_output: Path) -> Callable[..., Path]:
    """Writes a bundle of the training output, or of nothing for a baseline, at a place of choice."""

    def make(folder: Path, card: ModelCard | None = None, created: datetime = CREATED) -> Path:
        card = card or policy_card()
        content = training_output if card.kind is ModelKind.POLICY else None
        write_bundle(folder, card, content, created)
        return folder

    return make
