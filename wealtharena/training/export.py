"""A trained network as ONNX: what signals, backtests and servers run, without torch or Ray."""

import copy
import logging
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from wealtharena.agents.networks import MASK_COLUMN, GaussianScores, ScoringModule, ScoringNetwork
from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import BoolArray, Float32Array

TOLERANCE = 1e-5

_OPSET = 18
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Parity:
    """How closely an exported network repeats torch's scores.

    Attributes:
        max_abs_difference: largest distance between two scores.
        observations: number of recorded observations (N, A, D), each of all assets, that both were asked for.
        ties: scores left out because the two best levels lie within the tolerance: either is right.
        tolerance: what the distance had to stay within.
    """

    max_abs_difference: float
    observations: int
    ties: int = 0
    tolerance: float = TOLERANCE


def export_policy(network: ScoringNetwork, row_width: int, path: Path, recorded: Float32Array | None = None) -> Parity:
    """Writes the deterministic scores (N, A) of observations (N, A, ``row_width``) and checks them.

    N is free, and A too unless the network was made for a fixed number of assets.

    Args:
        network: to export.
        row_width: columns of an observation.
        path: of the ONNX file.
        recorded: (N, A, ``row_width``) observations that the policy met; made-up ones are always checked too.

    Returns:
        The figures on the recorded observations; without any, on those made up.

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
    session = _session(path)
    made_up = [_observations(n, num_assets or a, row_width) for n, a in ((1, 1), (2, 3), (5, 11))]
    parity = _compared(module, session, made_up, path)
    return parity if recorded is None else _compared(module, session, _batches(recorded), path)


def _compared(
    module: ScoringModule, session: onnxruntime.InferenceSession, batches: Iterable[torch.Tensor], path: Path
) -> Parity:
    largest, count, ties = 0.0, 0, 0
    for observation in batches:
        with torch.inference_mode():
            expected = module(observation).numpy()
        (scores,) = session.run(None, {"observation": observation.numpy()})
        if scores.shape != expected.shape:
            raise TrainingError(f"{path}: exported scores must have torch's shape {expected.shape}, got {scores.shape}")
        distances = np.abs(scores - expected)
        tied = (distances > TOLERANCE) & _ties(module, observation)
        distance = float(np.where(tied, 0.0, distances).max())
        if not distance <= TOLERANCE:
            raise TrainingError(f"{path}: exported scores must equal torch's to {TOLERANCE}, differ by {distance}")
        largest, count, ties = max(largest, distance), count + len(observation), ties + int(tied.sum())
    return Parity(largest, count, ties)


def _ties(module: ScoringModule, observation: torch.Tensor) -> BoolArray:
    """(N, A) where rounding may choose another level; never for scores that are not levels."""
    if isinstance(module.network, GaussianScores):
        return np.zeros(observation.shape[:2], np.bool_)
    with torch.inference_mode():
        ties: BoolArray = (module.network.leads(observation) <= TOLERANCE).numpy()
    return ties


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # As served: one thread, a fixed order of operations.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def _batches(recorded: Float32Array) -> Iterable[torch.Tensor]:
    return (torch.from_numpy(recorded[k : k + _BATCH]) for k in range(0, len(recorded), _BATCH))


def _observations(accounts: int, assets: int, row_width: int) -> torch.Tensor:
    """Random rows of which every third is masked."""
    generator = torch.Generator().manual_seed(accounts * 1_000 + assets)
    observation = torch.randn(accounts, assets, row_width, generator=generator)
    masked = torch.arange(accounts * assets).reshape(accounts, assets) % 3 == 2
    observation[masked] = 0.0
    observation[..., MASK_COLUMN] = (~masked).float()
    return observation
