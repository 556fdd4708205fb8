"""A night's training killed at random moments, each time followed by the same command: nothing of it shows in the end.

``WEALTHARENA_TEST_KILLS`` says how often it is killed. Without it there is only the one kill of ``test_flows_night``.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flows_console import Console
from flows_trainings import assert_nothing_is_logged_twice, bundles_of, curves_of, points_of, receipts_of

KILLS = int(os.environ.get("WEALTHARENA_TEST_KILLS", "0"))

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not KILLS, reason="WEALTHARENA_TEST_KILLS says how often to kill")]

PROFILE = """
run: {as_of: 2023-06-30, asset_classes: [crypto, etfs]}
vendors: {simulator: {symbols_per_class: 3, start: 2019-01-02}}
windows: {held_out_days: 90, validation_days: 130, embargo_days: 2, min_train_days: 150}
training: {evaluations: 4, episode_days: 40, seeds: 2, checkpoint_seconds: 0.1}
agents:
  crypto: {env_steps: 12288, hidden_sizes: [16], num_accounts: 32, updates_per_step: 0.02}
  etfs: {env_steps: 16384, train_batch_size: 1024, hidden_sizes: [16], num_accounts: 32}
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("profiles") / "two_agents.yaml"
    path.write_text(PROFILE, encoding="utf-8")
    return str(path)


def test_a_nights_training_killed_again_and_again_ends_like_one_that_was_not(
    tmp_path: Path, prefect_api: str, profile: str
) -> None:
    calm = Console(tmp_path / "calm" / "home", prefect_api)
    for stage in ("collect", "features"):
        assert calm.run(stage, "--profile", profile).code == 0
    killed = Console(tmp_path / "killed" / "home", prefect_api)
    shutil.copytree(calm.home, killed.home)
    process = Run(calm, ("train", "--profile", profile))
    process.wait_for(lambda: bool(points_of(calm.home)))
    began = time.monotonic()
    process.end()
    span, draw = time.monotonic() - began, random.Random(3)  # noqa: S311
    in_training = 0
    for _ in range(KILLS):
        process = Run(killed, ("train", "--profile", profile))
        process.wait_for(lambda: bool(points_of(killed.home)) or len(receipts_of(killed.home)) == 2)
        time.sleep(draw.uniform(0.0, 2.0 * span / KILLS))
        in_training += bool(points_of(killed.home))
        process.kill()
    answer = killed.run("train", "--profile", profile, "--json")
    assert answer.code == 0, answer.err
    assert in_training > KILLS // 2, "too few of the kills came while the night was training"
    assert bundles_of(killed.home) == bundles_of(calm.home)
    assert curves_of(killed.home) == curves_of(calm.home)
    assert not list(killed.home.glob("nights/*/training/*"))
    runs = [receipt["mlflow_run_id"] for receipt in answer.last["done"].values()]
    assert_nothing_is_logged_twice(killed.home, runs)


class Run:
    """The command line in a process group of its own, to be killed."""

    def __init__(self, console: Console, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            console.command(*arguments),
            env=console.environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait_for(self, condition: Any, timeout_s: float = 240.0) -> None:
        """Until the condition holds, or the process has ended."""
        deadline = time.monotonic() + timeout_s
        while not condition() and self._process.poll() is None:
            assert time.monotonic() < deadline, "the training did not begin"
            time.sleep(0.05)

    def end(self) -> None:
        """Waits for its end."""
        assert self._process.wait(timeout=400) == 0

    def kill(self) -> None:
        """Kills it and all that it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
