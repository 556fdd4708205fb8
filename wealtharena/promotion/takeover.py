"""Who takes over tonight: the lane with the most forward evidence of those that hold both keys."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray


def takeover(
    log_e: FloatArray, second_key: NDArray[np.bool_], p_values: Callable[[], FloatArray], alpha: float
) -> int | None:
    """Index of the lane that takes over, None if no lane holds both keys.

    The first key costs a bootstrap: it is tried only on a night on which a lane holds the second. As both are needed,
    this changes no decision.

    Args:
        log_e: (k,) forward evidence of each lane; of several with both keys the one with the most takes over.
        second_key: (k,) whether forward evidence suffices, see ``challenge.second_key``.
        p_values: (k,) adjusted p-values of the histories of all k lanes, see ``spa.superiority``.
        alpha: level of tonight's look at history, see ``spending.look``.
    """
    if not second_key.any():
        return None
    both = second_key & (p_values() <= alpha)
    return int(np.argmax(np.where(both, log_e, -np.inf))) if both.any() else None
