"""How loops over arrays in training are compiled."""

from collections.abc import Callable
from typing import Any

from numba import njit

# Sums may be reordered, but not "nnan" or "ninf": what is not finite must come out as such.
compiled: Callable[[Any], Any] = njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"}, cache=True)
"""Compiles a function of arrays, once per machine."""
