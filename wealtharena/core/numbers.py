"""Numbers for readers that know neither NaN nor infinity: JSON, and tables whose unknown is None."""

import math


def number_or_none(value: float) -> float | None:
    """``value``, or None where it is NaN or infinite."""
    return value if math.isfinite(value) else None
