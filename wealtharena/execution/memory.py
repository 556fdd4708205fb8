"""Where the arrays that the kernel writes lie."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

_GAP_BYTES = 1_024
_LINE_BYTES = 64


def spaced_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float64) -> NDArray[Any]:
    """Zeros that lie far from every other array.

    A loop that reads one array, writes another and sums is compiled twice: with vectors, and without for arrays that
    begin less than a few vectors (256 bytes) apart. The two add up in another order, so that without gaps the last bit
    of an equity would depend on what memory happened to be free.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 2 * _GAP_BYTES + _LINE_BYTES, np.uint8)
    start = _GAP_BYTES + -memory.ctypes.data % _LINE_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)
