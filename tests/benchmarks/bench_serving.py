"""Loading and asking champions beside RLlib: ``bench_serving.py [--quick] [--json]``.

One policy, trained for an instant on random prices, is served as the champion of six agents: found by its alias in the
registry, every file of its bundle verified, its network loaded by ONNX. Beside it RLlib's ``RLModule.from_checkpoint``
on the checkpoint in the same bundle, with torch and without a look at sums. Both decide for the same 20 assets and must
agree. Imports are told separately, each in a process of its own. All times are those of the processor: both sides work
on one thread, and another program on the machine must not decide who wins.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd

from wealtharena.agents.networks import TorchPolicy
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.serving.production import ProductionModelManager
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.training.factory import RLAgent, RLAgentFactory
from wealtharena.training.warm_start import load_module

AGENTS = ("stocks", "crypto", "etfs", "currencies", "reits", "commodities")
ASSETS = 20
SERVING = "import onnxruntime, wealtharena.serving.production, wealtharena.serving.onnx_policy"
RLLIB = "import torch, ray.rllib.core.rl_module.rl_module"


def main() -> None:
    """Prints a figure per line, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), 10 if chosen.quick else 50)
    lines = [json.dumps(figures)] if chosen.json else [f"{name:<44}{value:>10.3f}" for name, value in figures.items()]
    sys.stdout.write("\n".join(lines) + "\n")


def measure(folder: Path, repetitions: int) -> dict[str, float]:
    """Medians in milliseconds, seconds of imports, and ratios of RLlib's to ours."""
    settings = Settings(home=folder / "home")
    agent = RLAgentFactory.create_agent("stocks", settings, folder / "training")
    agent.train(random_prices(), num_iterations=1)
    serve(settings, agent)
    checkpoint = folder / "training" / "rllib"
    manager = ProductionModelManager(settings.home)
    ours, theirs = manager.load_agent_model("stocks").policy, TorchPolicy(load_module(checkpoint).scoring_network)
    assert ours is not None
    columns = ours.observation_columns  # type: ignore[attr-defined]
    observation = np.random.default_rng(1).normal(size=(1, ASSETS, columns)).astype(np.float32)
    np.testing.assert_allclose(ours.act(observation), theirs.act(observation), atol=1e-5)
    load = milliseconds(lambda: manager.load_agent_model("stocks"), repetitions)
    load_theirs = milliseconds(lambda: load_module(checkpoint), repetitions)
    decide = milliseconds(lambda: ours.act(observation), 10 * repetitions)
    decide_theirs = milliseconds(lambda: theirs.act(observation), 10 * repetitions)
    imports, imports_theirs = import_seconds(SERVING), import_seconds(RLLIB)
    return {
        "load a champion, looked up and verified, ms": load,
        "RLModule.from_checkpoint, ms": load_theirs,
        "ratio of loads": load_theirs / load,
        f"load all {len(AGENTS)} champions, ms": milliseconds(manager.load_all, repetitions),
        "decide with ONNX, ms": decide,
        "decide with torch, ms": decide_theirs,
        "ratio of decisions": decide_theirs / decide,
        "imports of serving, s": imports,
        "imports of RLlib and torch, s": imports_theirs,
        "ratio of imports": imports_theirs / imports,
    }


def random_prices() -> dict[str, pd.DataFrame]:
    """Random walks of all assets."""
    rng = np.random.default_rng(7)
    close = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((420, ASSETS)), axis=0))
    index = pd.bdate_range("2024-01-02", periods=len(close))
    return {
        f"A{k:02d}": pd.DataFrame(
            {"Open": price, "High": price * 1.01, "Low": price * 0.99, "Close": price, "Volume": 1e6}, index=index
        )
        for k, price in enumerate(close.T)
    }


def serve(settings: Settings, trained: RLAgent) -> None:
    """Makes the trained policy the champion of every agent."""
    assert trained.result is not None
    tracker = Tracker(settings)
    registry, store = ModelRegistry(tracker), ModelCheckpoint(settings.home)
    night = tracker.start_night("bench")
    panel = trained.panel(random_prices())
    for agent in AGENTS:
        card = ModelCard(
            agent=agent,
            kind=ModelKind.POLICY,
            algorithm="PPO",
            feature_names=panel.feature_names,
            symbols=panel.symbols,
            rules=trained.rules,
            settings_hash="s",
            data_version="d",
            seed=1,
        )
        ref = store.save_checkpoint(agent, "bench", card, trained.result.policy.parent, datetime.now(UTC))
        run_id = tracker.start_agent(night, agent)
        registry.promote(agent, registry.register(agent, Path(ref.uri), run_id, {"bundle_hash": ref.bundle_hash}), "d")


def milliseconds(act: Callable[[], object], repetitions: int) -> float:
    """Median over the repetitions, after one that does not count."""
    act()
    taken = []
    for _ in range(repetitions):
        begun = time.process_time()
        act()
        taken.append(time.process_time() - begun)
    return 1e3 * median(taken)


def import_seconds(code: str) -> float:
    """Median of three processes."""
    timed = f"import time; begun = time.process_time(); {code}; print(time.process_time() - begun)"
    outputs = [
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    return median(float(output.split()[-1]) for output in outputs)


if __name__ == "__main__":
    main()
