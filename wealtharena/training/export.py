"""A trained network as ONNX: what signals, backtests and servers run, without torch or Ray."""

import copy
import logging
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from wealtharena.agents.networks import MASK_COLUMN, ScoringModule, ScoringNetwork
from wealtharena.core.errors import TrainingError

TOLERANCE = 1e-5

_OPSET = 18


def export_policy(network: ScoringNetwork, row_width: int, path: Path) -> None:
    """Writes the deterministic scores (N, A) of observations (N, A, ``row_width``) and checks them.

    N is free, and A too unless the network was made for a fixed number of assets.

    Raises:
        TrainingError: the exported network differs from torch by more than ``TOLERANCE`` somewhere.
    """
    module = ScoringModule(copy.deepcopy(network).cpu()).eval()
    num_assets = network.encoder.num_assets
    free = {0: "N"} if num_assets else {0: "N", 1: "A"}
    example = _observations(2, num_assets or 3, row_width)
    with warnings.catch_warnings():
        # The tracing exporter is deprecated but 30 times faster than the one that replaces it (0.1 s to 3 s).
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            module,
            (example,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["observation"],
            output_names=["scores"],
            dynamic_axes={"observation": free, "scores": free},
        )
    _check_equal(module, num_assets, row_width, path)


def _check_equal(module: ScoringModule, num_assets: int | None, row_width: int, path: Path) -> None:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    for accounts, assets in ((1, num_assets or 1), (2, num_assets or 3), (5, num_assets or 11)):
        observation = _observations(accounts, assets, row_width)
        with torch.inference_mode():
            expected = module(observation).numpy()
        (scores,) = session.run(None, {"observation": observation.numpy()})
        distance = float(np.abs(scores - expected).max())
        if scores.shape != expected.shape or not distance <= TOLERANCE:
            raise TrainingError(f"{path}: exported scores must equal torch's to {TOLERANCE}, differ by {distance}")


def _observations(accounts: int, assets: int, row_width: int) -> torch.Tensor:
    """Random rows of which every third is masked."""
    generator = torch.Generator().manual_seed(accounts * 1_000 + assets)
    observation = torch.randn(accounts, assets, row_width, generator=generator)
    masked = torch.arange(accounts * assets).reshape(accounts, assets) % 3 == 2
    observation[masked] = 0.0
    observation[..., MASK_COLUMN] = (~masked).float()
    return observation
