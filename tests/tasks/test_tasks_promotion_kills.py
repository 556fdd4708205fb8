"""A decision whose process is killed between any two of its writes, and which is then made again."""

import math
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from contest_nights import AGENT, Contest, Network
from mlflow import MlflowClient

from tasks.evidence import DECISIONS
from tasks.night import Night
from tasks.promotion import EVIDENCE, STAGE, decide_agent
from tasks.receipts import TABLE
from warehouse import Warehouse
from wealtharena.tracking import ModelRegistry, Tracker
from wealtharena.tracking.trail import effective

pytestmark = pytest.mark.slow

SECONDS = 240
TO_WAREHOUSE = "write"
CHANGING = ("create_", "delete_", "log_", "rename_", "set_", "update_")
"""How the names of the MLflow client's methods begin that write."""
IMPORTED = (
    "deltalake",
    "exchange_calendars",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "numba",
    "onnx",
    "onnxruntime",
    "pytest",
    "scipy.stats",
)
"""What takes long to import, and is imported at first use."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes of their own that find everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED, "tasks.collection", "tasks.promotion"])
    return context


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Contest:
    return Contest.over(tmp_path_factory.mktemp("kills"))


def test_a_takeover_killed_between_two_writes_leaves_the_old_or_the_new_champion_and_is_put_right_by_the_next_run(
    contest: Contest, processes: ForkServerContext, tmp_path: Path
) -> None:
    old = contest.register_equal_weights()
    contest.crown(old)
    night = contest.night(1)
    new = contest.train(night, Network((0.0, 0.5, 0.0, 1.0))).version
    writes, expected = undisturbed(moved(night, tmp_path / "undisturbed"))
    assert [name for name in writes if "alias" in name] == [
        "set_registered_model_alias",
        "set_registered_model_alias",
        "delete_registered_model_alias",
    ]
    assert writes.index(TO_WAREHOUSE) == 0
    decided = night
    for number in range(len(writes)):
        # Once the receipt is stored, the deaths go on from there: what the decision rests on is not computed anew.
        killed = moved(decided, tmp_path / f"killed-{number}")
        die_before(killed, number, processes)
        assert champion(killed) in {old, new}
        if number == 1:
            decided = moved(killed, tmp_path / "decided")
        decide_agent.fn(killed, AGENT)
        assert state(killed) == expected, (number, writes[number])


def test_a_rule_that_is_to_serve_is_registered_once_wherever_that_was_cut_short(
    contest: Contest, processes: ForkServerContext, tmp_path: Path
) -> None:
    """Champion and candidate yield NaN: a rule serves, which is stored and registered before the receipt is."""
    old = contest.train(contest.night(2), Network((0.0, math.nan, 0.0, 1.0))).version
    contest.crown(old)
    night = contest.night(3)
    contest.train(night, Network((0.0, math.nan, 0.0, 0.5)))
    writes, expected = undisturbed(moved(night, tmp_path / "undisturbed"))
    assert expected["aliases"]["champion"] != old
    assert writes.index("create_model_version") < writes.index(TO_WAREHOUSE)
    for name in ("create_model_version", TO_WAREHOUSE):
        killed = moved(night, tmp_path / name)
        die_before(killed, writes.index(name), processes)
        assert champion(killed) == old
        decide_agent.fn(killed, AGENT)
        assert state(killed) == expected, name


def undisturbed(night: Night) -> tuple[list[str], dict[str, Any]]:
    """Names of the writes of a decision, and what it leaves."""
    writes: list[str] = []
    with watched(writes.append):
        decide_agent.fn(night, AGENT)
    return writes, state(night)


def die_before(night: Night, number: int, processes: ForkServerContext) -> None:
    victim = processes.Process(target=decide_and_die, args=(night, number))
    victim.start()
    victim.join(SECONDS)
    assert victim.exitcode == -signal.SIGKILL


def champion(night: Night) -> str:
    found = registry_of(night).alias(AGENT, "champion")
    return found.version if found else ""


def moved(night: Night, home: Path) -> Night:
    """The same night over a copy of its home folder."""
    shutil.copytree(night.settings.home, home, ignore=shutil.ignore_patterns("artifacts"))
    return night.model_copy(update={"settings": night.settings.model_copy(update={"home": home})})


@contextmanager
def watched(before_write: Callable[[str], None]) -> Iterator[None]:
    """Every write to the warehouse and to MLflow is announced by its name."""

    def announced(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            before_write(name)
            return write(*arguments, **options)

        return wrapped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Warehouse, "write", announced(TO_WAREHOUSE, Warehouse.write))
        for name in dir(MlflowClient):
            if name.startswith(CHANGING):
                patch.setattr(MlflowClient, name, announced(name, getattr(MlflowClient, name)))
        yield


def state(night: Night) -> dict[str, Any]:
    """Everything that a decision leaves, but for the clock: rows, aliases, tags and the trail as far as it holds."""
    registry = registry_of(night)
    rows = {
        DECISIONS: night.warehouse.read(DECISIONS).drop(columns="decided_at"),
        EVIDENCE: night.warehouse.read_or_empty(EVIDENCE).drop(columns="known_at"),
        TABLE: night.warehouse.read(TABLE, where={"stage": STAGE}).drop(columns="finished_at"),
    }
    entries = effective(registry.history(AGENT))
    return {
        **{name: table.to_json() for name, table in rows.items()},
        "aliases": registry.aliases(AGENT),
        "tags": {info.version: dict(info.tags) for info in registry.versions(AGENT)},
        "trail": [(e.act, e.before, e.after, e.by, e.decision_id, e.reason, e.state) for e in entries],
    }


def registry_of(night: Night) -> ModelRegistry:
    return ModelRegistry(Tracker(night.settings))


def decide_and_die(night: Night, number: int) -> None:
    """Runs in a process of its own, which does not survive write ``number``."""
    left = [number]

    def count_down(_: str) -> None:
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    with watched(count_down):
        decide_agent.fn(night, AGENT)
