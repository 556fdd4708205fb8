"""Process-wide random state for one training, and back: RLlib's learners draw from the global generators."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """State of every global generator."""
    return {"python": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state().numpy()}


def set_random_state(state: dict[str, Any]) -> None:
    """Go on from ``random_state``."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(torch.from_numpy(state["torch"].copy()))


@contextmanager
def isolated_randomness(seed: int) -> Iterator[None]:
    """Seeds every global generator, one torch thread, deterministic kernels; restores all of it afterwards."""
    before, threads = random_state(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        yield
    finally:
        set_random_state(before)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
