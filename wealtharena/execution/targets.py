"""Scores to target weights, the one mapping that training, backtests and signals share."""

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.execution.kernel import kernel_rules, weigh_scores
from wealtharena.execution.rules import TradingRules


def target_weights(scores: npt.NDArray[np.floating], observed: BoolArray, rules: TradingRules) -> FloatArray:
    """Target weights (N, A) of scores (N, A) in [-1, 1].

    With ``n`` observed assets, a score of 1 asks for ``min(max_weight, concentration * max_gross / n)``; if the
    absolute weights then sum to more than ``max_gross``, all are scaled down. Unobserved assets get 0.

    Raises:
        ExecutionError: the shapes differ, or the score of an observed asset is not finite.
    """
    values: FloatArray = np.ascontiguousarray(scores, dtype=np.float64)
    observed = np.ascontiguousarray(observed, dtype=np.bool_)
    if values.ndim != 2 or values.shape != observed.shape:
        raise ExecutionError(f"scores and observed must both be (N, A), got {values.shape} and {observed.shape}")
    if not np.isfinite(values[observed]).all():
        raise ExecutionError("scores of observed assets must be finite, got NaN or infinity")
    weights = np.empty_like(values)
    weigh_scores(values, observed, kernel_rules(rules), weights)
    return weights
