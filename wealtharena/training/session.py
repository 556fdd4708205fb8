"""A Ray session on this machine, or a connection to a cluster, without Ray's chatter."""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from wealtharena.settings.models import TrainingSettings

_NAMESPACE = "wealtharena"
_OBJECT_STORE_BYTES = 300 * 1024**2
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",  # 2.60 warns about missing tokens even on a loopback-only session
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextmanager
def ray_session(training: TrainingSettings, num_cpus: int) -> Iterator[None]:
    """Ray for the duration of the block; a session that is already there is used and left running.

    Args:
        training: ``ray_address`` is ``local`` for a session of its own on this machine, else a cluster's address.
        num_cpus: trainings that run side by side in a local session.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    local = {
        "num_cpus": num_cpus,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }
    ray.init(
        address=training.ray_address,
        namespace=_NAMESPACE,
        logging_level=logging.ERROR,
        log_to_driver=False,
        **(local if training.ray_address == "local" else {}),
    )
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def deferred_ray_session(training: TrainingSettings, num_cpus: int) -> Iterator[Callable[[], None]]:
    """Gives a function that opens a session when it is first called, from any thread; the block's end closes it.

    A run that finds all its trainings finished never waits for Ray.
    """
    # Ray's processes die with the thread that started them, so it must be one that outlives its callers.
    with ThreadPoolExecutor(1, thread_name_prefix="ray-session") as keeper, ExitStack() as stack:

        def open_here() -> None:
            import ray

            if not ray.is_initialized():
                stack.enter_context(ray_session(training, num_cpus))

        try:
            yield lambda: keeper.submit(open_here).result()
        finally:
            keeper.submit(stack.close).result()


def quieten_rllib() -> None:
    """Silences RLlib's hints about its own API and deprecations; errors still show."""
    for name in ("ray.rllib", "ray.tune", "ray._common.deprecation"):
        logging.getLogger(name).setLevel(logging.ERROR)
