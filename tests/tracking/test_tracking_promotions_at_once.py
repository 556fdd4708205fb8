"""Many writers at once, and writers that are killed: one champion, a complete trail, a way back."""

import multiprocessing
import multiprocessing.synchronize
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from wealtharena.settings import Settings
from wealtharena.tracking import Act, ModelRegistry, ModelState, Tracker
from wealtharena.tracking.trail import TrailEntry, champions_of, effective

pytestmark = pytest.mark.slow

WRITERS = 5
PROMOTIONS_EACH = 20
VERSIONS = 6
SECONDS = 240
WRITES = ("set_registered_model_tag", "set_registered_model_alias", "set_model_version_tag",
          "delete_registered_model_alias")  # fmt: skip


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes of their own that find MLflow imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlflow", "wealtharena.tracking"])
    return context


@pytest.fixture
def registered(registry: ModelRegistry, bundle: Path, run_id: str) -> Iterator[ModelRegistry]:
    """Versions 1 to 6 of the stocks; 1 is the champion."""
    for number in range(VERSIONS):
        registry.register("stocks", bundle, run_id, {"bundle_hash": f"hash{number}"})
    registry.promote("stocks", "1", "first")
    yield registry


def test_a_hundred_promotions_at_once_leave_one_champion_and_every_one_of_them_in_the_trail(
    registered: ModelRegistry, processes: ForkServerContext
) -> None:
    barrier = processes.Barrier(WRITERS)
    writers = [
        processes.Process(target=promote_often, args=(registered.settings.home, number, barrier))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(SECONDS)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    trail = registered.history("stocks")
    decisions = {f"{writer}-{k}" for writer in range(WRITERS) for k in range(PROMOTIONS_EACH)}
    assert len(trail) == 1 + len(decisions) == 101
    assert {entry.decision_id for entry in trail} == decisions | {"first"}
    assert_whole(registered)
    assert champion(registered) == trail[-1].after
    assert registered.rollback("stocks").version == champions_of(trail)[-2]


@pytest.mark.parametrize("writes", range(5))
def test_a_promotion_killed_between_two_writes_leaves_a_champion_and_is_put_right_by_the_next(
    registered: ModelRegistry, processes: ForkServerContext, writes: int
) -> None:
    """The writes in order: the entry, the alias, the state, and that it is no challenger any more; so many are done."""
    registered.set_challenger("stocks", "2")
    run(processes, promote_and_die, registered.settings.home, writes)
    has_moved = writes >= 2
    assert champion(registered) == ("2" if has_moved else "1")
    assert registered.promote("stocks", "2", "second", state=ModelState.PROVISIONAL).version == "2"
    acts = [entry.act for entry in registered.history("stocks")]
    told_but_not_done = [Act.PROMOTED, Act.PROMOTED, Act.CUT_SHORT, Act.PROMOTED]
    assert acts == (told_but_not_done if writes == 1 else [Act.PROMOTED, Act.PROMOTED])
    assert registered.alias("stocks", "challenger") is None
    assert registered.version("stocks", "2").state == "provisional"
    assert_whole(registered)
    assert registered.rollback("stocks").version == "1"


def test_promotions_and_rollbacks_killed_at_any_moment_never_leave_none(
    registered: ModelRegistry, processes: ForkServerContext
) -> None:
    chance = random.Random(5)  # noqa: S311
    for life in range(5):
        begun = processes.Event()
        victim = processes.Process(target=move_for_ever, args=(registered.settings.home, life, begun))
        victim.start()
        assert begun.wait(SECONDS)
        time.sleep(chance.uniform(0.0, 0.3))
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        victim.join(SECONDS)
        before = champion(registered)
        assert before in {str(number + 1) for number in range(VERSIONS)}
        registered.promote("stocks", "3", f"after {life}")
        assert_whole(registered)
    assert len(registered.history("stocks")) > 10


def assert_whole(registry: ModelRegistry) -> None:
    """Numbers without gaps, every move begins where the one before ended, and the last one ends at the champion."""
    trail = registry.history("stocks")
    assert [entry.number for entry in trail] == list(range(1, len(trail) + 1))
    moves: list[TrailEntry] = [entry for entry in effective(trail) if entry.moves]
    assert [move.before for move in moves] == ["", *(move.after for move in moves[:-1])]
    assert moves[-1].after == champion(registry) == champions_of(trail)[-1]
    assert [info.version for info in registry.in_service("stocks")] == list(champions_of(trail))


def champion(registry: ModelRegistry) -> str:
    found = registry.alias("stocks", "champion")
    assert found is not None
    return found.version


def run(processes: ForkServerContext, act: Callable[..., None], *arguments: Any) -> None:
    """Runs what kills itself."""
    victim = processes.Process(target=act, args=arguments)
    victim.start()
    victim.join(SECONDS)
    assert victim.exitcode == -signal.SIGKILL


def opened(home: Path) -> ModelRegistry:
    return ModelRegistry(Tracker(Settings(home=home)))


def promote_often(home: Path, writer: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    registry = opened(home)
    champion(registry)
    barrier.wait(SECONDS)
    for k in range(PROMOTIONS_EACH):
        registry.promote("stocks", str((writer + k) % VERSIONS + 1), f"{writer}-{k}")


def promote_and_die(home: Path, writes: int) -> None:
    registry = opened(home)
    client = registry.tracker.client
    left = [writes]

    def deadly(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return act(*arguments)

        return wrapped

    for name in WRITES:
        setattr(client, name, deadly(getattr(client, name)))
    registry.promote("stocks", "2", "second", state=ModelState.PROVISIONAL)
    os.kill(os.getpid(), signal.SIGKILL)


def move_for_ever(home: Path, life: int, begun: multiprocessing.synchronize.Event) -> None:
    registry = opened(home)
    champion(registry)
    begun.set()
    for k in range(10_000):
        registry.promote("stocks", str(k % VERSIONS + 1), f"{life}-{k}")
        if k % 3 == 2:
            registry.rollback("stocks", decision_id=f"back {life}-{k}")
