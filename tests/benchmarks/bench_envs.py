"""Speed of the vector environment: ``python tests/benchmarks/bench_envs.py``.

Reports, as medians over rounds: account-steps per second, the time that a plain copy of the observations takes as a
fraction of a step, and the CPU time until a process has done its first step, with a cold and a warm compilation cache.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

import numpy as np

from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig, TradingVectorEnv
from wealtharena.execution import TradingRules

SESSIONS, ASSETS, FEATURES = 1_500, 30, 16
ROUNDS, STEPS = 9, 50


def market() -> MarketPanel:
    """A random walk of the size of a universe."""
    rng = np.random.default_rng(0)
    shape = (SESSIONS, ASSETS)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=0))
    everything = np.ones(shape, bool)
    return MarketPanel(
        dates=np.datetime64("2015-01-01") + np.arange(SESSIONS),
        symbols=tuple(f"S{k:02d}" for k in range(ASSETS)),
        feature_names=tuple(f"f{k}" for k in range(FEATURES)),
        features=rng.normal(size=(*shape, FEATURES)).astype(np.float32),
        open=close * np.exp(rng.normal(0.0, 0.003, shape)),
        close=close,
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full(shape, 1e8),
        volatility=np.full(shape, 0.01),
        one_way_cost=np.full(ASSETS, 3e-4),
        annualisation=252,
    )


def speed(num_envs: int, *, copy: bool) -> dict[str, float]:
    """Steps per second of one environment with ``num_envs`` accounts."""
    rules = TradingRules(
        long_only=False,
        max_weight=0.35,
        max_gross=1.0,
        concentration=2.0,
        delisting_haircut=0.3,
        borrow_per_session=1e-5,
        risk_aversion=1.0,
    )
    env = TradingVectorEnv(market(), EnvConfig(rules=rules), num_envs, 0, copy=copy)
    env.reset()
    actions = np.random.default_rng(1).uniform(-1, 1, (num_envs, ASSETS)).astype(np.float32)
    observation = env.step(actions)[0]
    target = np.empty_like(observation)
    step, plain_copy = [], []
    for _ in range(ROUNDS):
        step.append(_seconds(lambda: env.step(actions)))
        plain_copy.append(_seconds(lambda: np.copyto(target, observation)))
    return {
        "num_envs": num_envs,
        "copy": copy,
        "steps_per_second": round(num_envs / median(step)),
        "ns_per_step": round(median(step) / num_envs * 1e9),
        "memcpy_fraction": round(median(plain_copy) / median(step), 3),
    }


def first_step() -> float:
    """CPU seconds until the first step of this process is done, imports left out."""
    panel = market()
    start = time.process_time()
    env = TradingVectorEnv(panel, num_envs=2)
    env.reset()
    env.step(np.zeros((2, ASSETS), np.float32))
    return time.process_time() - start


def first_step_in_new_process(cache: str) -> float:
    """The same in a fresh interpreter with its own compilation cache."""
    done = subprocess.run(
        [sys.executable, __file__, "first-step"],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _seconds(act: object) -> float:
    start = time.perf_counter()
    for _ in range(STEPS):
        act()  # type: ignore[operator]
    return (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    if sys.argv[1:] == ["first-step"]:
        sys.stdout.write(str(first_step()))
    else:
        results = [speed(count, copy=copy) for count in (1, 64, 1024) for copy in (False, True)]
        with tempfile.TemporaryDirectory() as folder:
            cold, warm = first_step_in_new_process(folder), first_step_in_new_process(folder)
        compiled = {"first_step_cold_cpu_seconds": round(cold, 2), "first_step_cached_cpu_seconds": round(warm, 2)}
        sys.stdout.write("\n".join(json.dumps(result) for result in [*results, compiled]) + "\n")
