"""Which tests share a process, where several run side by side, and what they need not make anew."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from wealtharena.settings import Settings
from wealtharena.tracking import connection, experiments

# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# These look at the night that the README begins with: it is run once for all of them, and what they add to its home
# does not disturb those that come later.
_FIRST_NIGHT = tuple(f"tests/flows/test_flows_{name}.py" for name in ("cli", "night", "readme", "models"))

# No process shall end long after the others.
_LONGEST_FIRST = ("flows", "training", "tasks", "contracts", "serving")


class ByFile(LoadScopeScheduling):
    """The tests of a file share a process, for they share its fixtures; so do the files of the first night."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "first night" if file in _FIRST_NIGHT else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first; within a file the order stays."""
    items.sort(key=_turn)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """xdist's own ``--dist loadgroup`` names groups in node ids, which pytest 9 lets nobody change."""
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def mlflow_databases_are_copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow takes two seconds to make a database, by all of its migrations: one is made, the next homes get copies.

    Only in the tests' own process; whatever they start makes its own.
    """
    folder, one_at_a_time = tmp_path_factory.mktemp("mlflow-template"), threading.Lock()

    def connect(settings: Settings) -> Any:
        if settings.mlflow.tracking_uri is None:
            with one_at_a_time:
                if not database_of(folder).is_file():
                    connection.connect(Settings(home=folder))
                copy(database_of(folder), database_of(settings.home))
        return connection.connect(settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "connect", connect)
        yield


def _turn(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0]
    if file in _FIRST_NIGHT:
        return _FIRST_NIGHT.index(file) - len(_FIRST_NIGHT)
    folder = file.split("/")[1]
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


def database_of(home: Path) -> Path:
    return home.resolve() / "mlflow" / "mlflow.db"


def copy(original: Path, database: Path) -> None:
    """In one step, and only where there is none: a test's own processes may come here at once."""
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    own = database.with_suffix(f".{os.getpid()}")
    shutil.copy(original, own)
    with suppress(FileExistsError):
        os.link(own, database)
    own.unlink()
