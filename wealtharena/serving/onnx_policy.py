"""Trained policies without torch or Ray: ONNX networks on one CPU thread."""

from pathlib import Path

import numpy as np
import onnxruntime

from wealtharena.core.errors import ModelIntegrityError
from wealtharena.core.panel import Float32Array, FloatArray


class OnnxPolicy:
    """A policy network: observations (N, A, D) in, scores (N, A) out.

    Deterministic: one thread, fixed order of operations. Works for any number N of accounts, and for any number A of
    assets unless the network was made for a fixed one.

    Attributes:
        num_assets: A, if it is fixed; None: any.
    """

    def __init__(self, path: Path) -> None:
        """Loads a network.

        Raises:
            ModelIntegrityError: the file is missing, is no ONNX network, or does not map (N, A, D) to (N, A).
        """
        self._path = path
        self._session = _session(path)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 3 or inputs[0].type != "tensor(float)":
            got = [(item.name, item.type, item.shape) for item in inputs]
            raise ModelIntegrityError(f"{path}: must take one float32 input (N, A, D), got {got}")
        accounts, assets, columns = inputs[0].shape
        if isinstance(accounts, int) or not isinstance(columns, int):
            raise ModelIntegrityError(f"{path}: N of the input must be free and D fixed, got {inputs[0].shape}")
        if len(outputs) != 1 or len(outputs[0].shape) != 2:
            raise ModelIntegrityError(
                f"{path}: must give one output (N, A), got {[(item.name, item.shape) for item in outputs]}"
            )
        self._input_name: str = inputs[0].name
        self._columns: int = columns
        self.num_assets: int | None = assets if isinstance(assets, int) else None

    @property
    def observation_columns(self) -> int:
        """D: features plus the four account columns."""
        return self._columns

    def act(self, observation: Float32Array) -> FloatArray:
        """Scores in [-1, 1] of shape (N, A) for observations (N, A, D); NaN where the network yields NaN.

        Raises:
            ModelIntegrityError: the observation has another rank, or another number of columns or, where that is
                fixed, of assets.
        """
        fits = observation.ndim == 3 and observation.shape[2] == self._columns
        if not fits or self.num_assets not in (None, observation.shape[1]):
            raise ModelIntegrityError(
                f"{self._path}: observations must have the shape (N, {self.num_assets or 'A'}, {self._columns}), "
                f"got {observation.shape}"
            )
        feed = {self._input_name: np.ascontiguousarray(observation, dtype=np.float32)}
        scores = np.asarray(self._session.run(None, feed)[0], dtype=np.float64)
        if scores.shape != observation.shape[:2]:
            raise ModelIntegrityError(
                f"{self._path}: scores must have the shape {observation.shape[:2]}, got {scores.shape}"
            )
        return scores


def _session(path: Path) -> "onnxruntime.InferenceSession":
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    try:
        # From bytes, not from the path: a network must not pull in weights from files that no manifest vouches for.
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelIntegrityError(f"{path}: the network cannot be read: {error.strerror}") from None
    except Exception as error:  # onnxruntime's errors share no public base class
        raise ModelIntegrityError(f"{path}: must be an ONNX network: {error}") from None
