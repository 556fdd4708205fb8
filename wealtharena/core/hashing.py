"""Hashes that name content: equal content, equal hash, in every process and on every machine."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_json(value: Any) -> str:
    """SHA-256 of ``value`` as canonical JSON (sorted keys; dates and enums by ``str``)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def hash_arrays(arrays: Iterable[NDArray[Any]]) -> str:
    """SHA-256 over dtype, shape and bytes of each array in turn; NaNs of one bit pattern are equal."""
    digest = hashlib.sha256()
    for array in arrays:
        contiguous = np.ascontiguousarray(array)
        digest.update(f"{contiguous.dtype.str}{contiguous.shape}".encode())
        digest.update(contiguous.tobytes())
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
