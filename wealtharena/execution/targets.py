"""Scores to target weights by the limits on sizes alone, the mapping that baselines share with the kernel."""

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import ExecutionError
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.execution.kernel import padded_decisions, size_rules, weigh_scores
from wealtharena.execution.rules import TradingRules


def target_weights(scores: npt.NDArray[np.floating], observed: BoolArray, rules: TradingRules) -> FloatArray:
    """Target weights (N, A) of scores (N, A) in [-1, 1].

    With ``n`` observed assets, a score of 1 asks for ``min(max_weight, concentration * max_gross / n)``; then effective
    positions, net and gross are limited. Unobserved assets get 0. Limits that depend on the account or on past returns
    (turnover, volatility, value at risk, drawdown) are the kernel's when it trades.

    Raises:
        ExecutionError: the shapes differ, or the score of an observed asset is not finite.
    """
    values: FloatArray = np.ascontiguousarray(scores, dtype=np.float64)
    observed = np.ascontiguousarray(observed, dtype=np.bool_)
    if values.ndim != 2 or values.shape != observed.shape:
        raise ExecutionError(f"scores and observed must both be (N, A), got {values.shape} and {observed.shape}")
    if not np.isfinite(values[observed]).all():
        raise ExecutionError("scores of observed assets must be finite, got NaN or infinity")
    decisions = padded_decisions(np.where(observed, values, 0.0))
    weights = np.empty_like(decisions)
    weigh_scores(decisions, padded_decisions(observed.astype(np.float64)), size_rules(rules), weights)
    return np.ascontiguousarray(weights[:, : values.shape[1]])
