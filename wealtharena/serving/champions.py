"""Champions in the MLflow registry: which version of an agent's model is in service, and where its bundle lies."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from wealtharena.core.errors import RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

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
    """Reads the registry that the nightly run writes."""

    def __init__(self, home: Path, tracking_uri: str = "") -> None:
        """Looks into the registry of a home folder, or of a tracking server.

        Raises:
            RegistryError: no server is named and the home folder holds no registry.
        """
        if not tracking_uri and not (home / DATABASE).is_file():
            raise RegistryError(f"{home / DATABASE}: no model registry there; the nightly run creates it")
        self._downloads = home / DATABASE.parent / "downloads"
        self._uri = tracking_uri or f"sqlite:///{(home / DATABASE).resolve()}"

    def champion(self, agent: str) -> RegisteredBundle:
        """The version of ``agent`` (canonical name) that carries the alias ``champion``.

        Raises:
            RegistryError: the agent has none, or its bundle cannot be fetched.
        """
        from mlflow.exceptions import MlflowException

        client = self._client
        try:
            version = client.get_model_version_by_alias(_MODEL_PREFIX + agent, CHAMPION)
        except MlflowException as error:
            raise RegistryError(f"{agent}: no champion in {self._uri}: {error.message}") from None
        folder = self._folder(client, agent, version)
        return RegisteredBundle(agent, str(version.version), folder, version.tags.get(BUNDLE_HASH_TAG, ""))

    def agents_with_champion(self) -> list[str]:
        """Canonical names, sorted."""
        models = self._client.search_registered_models(filter_string=f"name LIKE '{_MODEL_PREFIX}%'", max_results=100)
        return sorted(model.name.removeprefix(_MODEL_PREFIX) for model in models if CHAMPION in model.aliases)

    @cached_property
    def _client(self) -> "MlflowClient":
        """Made once: a new one looks through the whole database first."""
        # MLflow reads this once, when it is imported, and would report usage to its makers without it.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    def _folder(self, client: "MlflowClient", agent: str, version: "ModelVersion") -> Path:
        parsed = urlparse(version.source or "")
        if parsed.scheme in ("", "file"):
            return Path(unquote(parsed.path))
        uri = client.get_model_version_download_uri(version.name, version.version)
        # The hash keeps apart what two servers call by the same number.
        bundle_hash = version.tags.get(BUNDLE_HASH_TAG, "")
        return self._download(uri, self._downloads / f"{agent}-{version.version}-{bundle_hash[:16]}")

    def _download(self, uri: str, target: Path) -> Path:
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        target.mkdir(parents=True, exist_ok=True)
        try:
            return Path(download_artifacts(artifact_uri=uri, dst_path=str(target), tracking_uri=self._uri))
        except (MlflowException, OSError) as error:
            raise RegistryError(f"{uri}: the bundle cannot be fetched: {error}") from None
