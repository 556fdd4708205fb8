"""The two checks that every feature must pass, as functions, so that seeded leaks can prove that they bite."""

from collections.abc import Iterable

import numpy as np

from wealtharena.indicators import Indicator, evaluate

Inputs = dict[str, np.ndarray]


def truncation_changes(indicator: Indicator, inputs: Inputs, cuts: Iterable[int]) -> bool:
    """Whether any output changes when the bars after it are cut off."""
    whole = evaluate(indicator, inputs)
    parts = ((cut, evaluate(indicator, {name: values[:cut] for name, values in inputs.items()})) for cut in cuts)
    return any(not np.array_equal(part, whole[:cut], equal_nan=True) for cut, part in parts)


def future_matters(indicator: Indicator, inputs: Inputs, cuts: Iterable[int]) -> bool:
    """Whether any output changes when the bars after it are replaced by others."""
    whole = evaluate(indicator, inputs)
    rng = np.random.default_rng(0)
    for cut in cuts:
        factors = rng.uniform(0.1, 10.0, len(whole) - cut)
        scrambled = {name: np.append(values[:cut], values[cut:] * factors) for name, values in inputs.items()}
        if not np.array_equal(evaluate(indicator, scrambled)[:cut], whole[:cut], equal_nan=True):
            return True
    return False
