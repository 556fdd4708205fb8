"""Champions in the MLflow registry: which version of an agent's model is in service, and where its bundle lies."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlparse

from wealtharena.core.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
BUNDLE_HASH_TAG = "bundle_hash"
DATABASE = Path("mlflow") / "mlflow.db"
_MODEL_PREFIX = "wealtharena-"


@dataclass(frozen=True, slots=True)
class RegisteredBundle:
    """A version of a registered model.

    Attributes:
        agent: canonical agent name.
        version: number in the registry.
        folder: the bundle on this machine.
        bundle_hash: hash noted when it was registered; ``""`` if none was.
    """

    agent: str
    version: str
    folder: Path
    bundle_hash: str


class ChampionRegistry:
    """Reads the registry that the nightly run writes.

    A database on this machine is asked directly: MLflow, which wrote it, takes seconds to import and ten times as long
    to answer. A server is asked through MLflow.
    """

    def __init__(self, home: Path, tracking_uri: str = "") -> None:
        """Looks into the registry of a home folder, or of a tracking server.

        Raises:
            RegistryError: no server is named and the home folder holds no registry.
        """
        self._database = None if tracking_uri else (home / DATABASE).resolve()
        if self._database is not None and not self._database.is_file():
            raise RegistryError(f"{home / DATABASE}: no model registry there; the nightly run creates it")
        self._downloads = home / DATABASE.parent / "downloads"
        self._uri = tracking_uri or f"sqlite:///{self._database}"

    def champion(self, agent: str) -> RegisteredBundle:
        """The version of ``agent`` (canonical name) that carries the alias ``champion``.

        Raises:
            RegistryError: the agent has none, or its bundle cannot be fetched.
        """
        found = self._asked(agent) if self._database is None else _read(self._database).get(agent)
        if found is None:
            raise RegistryError(f"{agent}: no champion in {self._uri}")
        return RegisteredBundle(agent, found.version, self._folder(agent, found), found.bundle_hash)

    def champions(self) -> list[RegisteredBundle]:
        """Every champion, in the order of the agents' names.

        Raises:
            RegistryError: the registry cannot be read, or a bundle cannot be fetched.
        """
        if self._database is None:
            return [self.champion(agent) for agent in self._agents_of_server()]
        return [
            RegisteredBundle(agent, found.version, self._folder(agent, found), found.bundle_hash)
            for agent, found in sorted(_read(self._database).items())
        ]

    def _asked(self, agent: str) -> "_Version | None":
        from mlflow.exceptions import MlflowException

        try:
            version = self._client.get_model_version_by_alias(_MODEL_PREFIX + agent, CHAMPION)
        except MlflowException as error:
            raise RegistryError(f"{agent}: no champion in {self._uri}: {error.message}") from None
        return _Version(str(version.version), version.source or "", version.tags.get(BUNDLE_HASH_TAG, ""))

    def _agents_of_server(self) -> list[str]:
        models = self._client.search_registered_models(filter_string=f"name LIKE '{_MODEL_PREFIX}%'", max_results=100)
        return sorted(model.name.removeprefix(_MODEL_PREFIX) for model in models if CHAMPION in model.aliases)

    @cached_property
    def _client(self) -> "MlflowClient":
        """Made once: a new one looks through the whole database first."""
        # MLflow reads this once, when it is imported, and would report usage to its makers without it.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    def _folder(self, agent: str, version: "_Version") -> Path:
        parsed = urlparse(version.source)
        if parsed.scheme in ("", "file"):
            return Path(unquote(parsed.path))
        uri = self._client.get_model_version_download_uri(_MODEL_PREFIX + agent, version.version)
        # The hash keeps apart what two servers call by the same number.
        return self._download(uri, self._downloads / f"{agent}-{version.version}-{version.bundle_hash[:16]}")

    def _download(self, uri: str, target: Path) -> Path:
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        target.mkdir(parents=True, exist_ok=True)
        try:
            return Path(download_artifacts(artifact_uri=uri, dst_path=str(target), tracking_uri=self._uri))
        except (MlflowException, OSError) as error:
            raise RegistryError(f"{uri}: the bundle cannot be fetched: {error}") from None


class _Version(NamedTuple):
    version: str
    source: str
    bundle_hash: str


_CHAMPIONS = """
SELECT substr(alias.name, ?), version.version, version.source, coalesce(tag.value, '')
FROM registered_model_aliases AS alias
JOIN model_versions AS version
  ON version.name = alias.name AND version.version = alias.version AND version.workspace = alias.workspace
LEFT JOIN model_version_tags AS tag
  ON tag.name = version.name AND tag.version = version.version AND tag.workspace = version.workspace AND tag.key = ?
WHERE alias.alias = ? AND alias.name LIKE ?
"""


def _read(database: Path) -> dict[str, _Version]:
    """The champion's version by agent, from the tables of MLflow's release that is installed with this program."""
    parameters = (len(_MODEL_PREFIX) + 1, BUNDLE_HASH_TAG, CHAMPION, f"{_MODEL_PREFIX}%")
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_CHAMPIONS, parameters).fetchall()
    except sqlite3.Error as error:
        raise RegistryError(f"{database}: the model registry cannot be read: {error}") from None
    return {agent: _Version(str(version), source or "", bundle_hash) for agent, version, source, bundle_hash in rows}
