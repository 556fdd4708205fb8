"""How MLflow is reached: where it keeps its data, what it is kept from doing, and how its errors come out."""

import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wealtharena.core.errors import WealthArenaError
from wealtharena.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient

_complete: set[str] = set()
"""Servers and databases that this process has found, or made, complete."""

_NOISY_LOGGERS = ("mlflow.store.db.utils", "alembic")


def tracking_uri(settings: Settings) -> str:
    """Server or database that holds the runs: the one set, else SQLite under the home folder."""
    return settings.mlflow.tracking_uri or f"sqlite:///{mlflow_folder(settings) / 'mlflow.db'}"


def mlflow_folder(settings: Settings) -> Path:
    """Absolute folder of MLflow's local files; not made here."""
    return settings.home.resolve() / "mlflow"


def artifact_location(settings: Settings) -> str | None:
    """Where artifacts go; None leaves it to a tracking server."""
    if tracking_uri(settings).startswith(("http://", "https://")):
        return None
    return (mlflow_folder(settings) / "artifacts").as_uri()


def silence() -> None:
    """Keeps MLflow from telling its makers and the terminal about us.

    Must run before mlflow is imported for the first time: it reads these variables once.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    # The default of 7 retries leaves a person waiting for minutes for the news that a server is down.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")


def connect(settings: Settings) -> "MlflowClient":
    """A client of its own for these settings; MLflow's global state stays untouched.

    The first call on a new home creates the database (about 1.5 s); processes that do so at once wait for each other.
    """
    from mlflow import MlflowClient

    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    if settings.mlflow.password is not None:
        os.environ["MLFLOW_TRACKING_PASSWORD"] = settings.mlflow.password.get_secret_value()
    folder = mlflow_folder(settings)
    uri = tracking_uri(settings)
    if uri in _complete:
        return MlflowClient(tracking_uri=uri, registry_uri=uri)
    with exclusive(folder / "create.lock"):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        # Touches both stores, so that their tables are made before the lock is released.
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    _complete.add(uri)
    return client


@cache
def current_commit() -> str:
    """Git commit of the code that runs; ``""`` outside a checkout."""
    silence()
    from mlflow.utils.git_utils import get_git_commit

    return get_git_commit(str(Path(__file__).parent)) or ""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Holds a lock file against other processes and threads; a holder that dies lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def raising(kind: type[WealthArenaError], act: str, settings: Settings) -> Iterator[None]:
    """Turns errors of MLflow, its database and its files into ``kind``: what was tried, where, and why it failed."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        text = " ".join(str(error).split())
        raise kind(_without_credentials(f"{act} at {tracking_uri(settings)} failed: {text}")) from None


def _without_credentials(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)
