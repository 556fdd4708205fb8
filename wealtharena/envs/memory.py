"""Where the arrays that the kernel writes lie."""

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wealtharena.execution.accounts import Accounts, SessionReport

_GAP_BYTES = 1_024
_LINE_BYTES = 64

_Arrays = TypeVar("_Arrays", Accounts, SessionReport)


def apart(arrays: _Arrays) -> _Arrays:
    """Copies of arrays that lie far from each other and from everything else.

    A loop that reads one array, writes another and sums is compiled twice: with vectors, and without for arrays that
    begin less than a few vectors (256 bytes) apart. The two add up in another order, so that without gaps the last bit
    of an equity would depend on what memory happened to be free.
    """
    return type(arrays)(*(_apart(array) for array in arrays))


def _apart(array: NDArray[Any]) -> NDArray[Any]:
    memory = np.zeros(array.nbytes + 2 * _GAP_BYTES + _LINE_BYTES, np.uint8)
    start = _GAP_BYTES + -memory.ctypes.data % _LINE_BYTES
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
