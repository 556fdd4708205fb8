"""The model registry: versions of each agent's policy, and which one is in charge."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wealtharena.core.errors import RegistryError
from wealtharena.tracking.connection import exclusive, mlflow_folder, raising
from wealtharena.tracking.experiments import Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
BUNDLE_HASH = "bundle_hash"
PROMOTED_BY = "promoted_by"
PREVIOUS_CHAMPION = "previous_champion"

_CHAMPIONS = "champions"
_MAX_CHAMPIONS = 200


@dataclass(frozen=True, slots=True)
class ModelVersionInfo:
    """A registered version of an agent's policy.

    Attributes:
        agent: name of the agent.
        version: number given by the registry, counted per agent, as text.
        source: URI of the bundle.
        run_id: MLflow run that logged it.
        bundle_hash: hash of the bundle (see ``CheckpointRef``).
        tags: everything else that was noted with it.
    """

    agent: str
    version: str
    source: str
    run_id: str
    bundle_hash: str
    tags: Mapping[str, str]


class ModelRegistry:
    """Registered models ``wealtharena-<agent>`` with the aliases ``champion`` and ``challenger``.

    Past champions are kept as a stack in a tag of the registered model, so that a rollback can go back several steps.
    """

    def __init__(self, tracker: Tracker) -> None:
        """``tracker`` says which MLflow server or database holds the registry."""
        self.tracker = tracker
        self.settings = tracker.settings

    def register(self, agent: str, bundle_dir: Path, run_id: str, tags: Mapping[str, str]) -> str:
        """Version of a bundle: a new one, or the one under which the same bundle was registered before.

        Args:
            agent: name of the agent.
            bundle_dir: folder of the bundle; copied to the run's artifacts.
            run_id: run of the agent's training.
            tags: noted with the version; must hold ``bundle_hash``.

        Raises:
            RegistryError: no ``bundle_hash``, no such folder, or the registry is out of reach.
        """
        bundle_hash = tags.get(BUNDLE_HASH, "")
        if not re.fullmatch(r"[0-9A-Za-z]+", bundle_hash):
            raise RegistryError(f"tag `{BUNDLE_HASH}` of a model must be a hash, got {bundle_hash!r}")
        if not bundle_dir.is_dir():
            raise RegistryError(f"the bundle of {agent} must be a folder, got {bundle_dir}")
        with self._acting(f"registering {agent}"):
            self._ensure_model(agent)
            existing = self._client.search_model_versions(
                f"name = '{_model(agent)}' and tags.{BUNDLE_HASH} = '{bundle_hash}'"
            )
            if existing:
                return str(min(int(item.version) for item in existing))
            folder = _artifact_folder(agent, bundle_hash)
            self._client.log_artifacts(run_id, str(bundle_dir), folder)
            source = f"{self._client.get_run(run_id).info.artifact_uri}/{folder}"
            return str(self._client.create_model_version(_model(agent), source, run_id, dict(tags)).version)

    def alias(self, agent: str, name: str) -> ModelVersionInfo | None:
        """Version that bears an alias, None if none does."""
        from mlflow.exceptions import MlflowException

        with raising(RegistryError, f"looking up {name} of {agent}", self.settings):
            try:
                found = self._client.get_model_version_by_alias(_model(agent), name)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return _info(agent, found)

    def version(self, agent: str, version: str) -> ModelVersionInfo:
        """A version by its number.

        Raises:
            RegistryError: there is no such version.
        """
        with raising(RegistryError, f"looking up version {version} of {agent}", self.settings):
            return _info(agent, self._client.get_model_version(_model(agent), version))

    def in_service(self, agent: str) -> list[ModelVersionInfo]:
        """The champion, those before it that a rollback may restore, and the challenger."""
        with raising(RegistryError, f"looking up the champions of {agent}", self.settings):
            found = [self.version(agent, version) for version in self._champions(agent)]
        challenger = self.alias(agent, CHALLENGER)
        return [*found, *([challenger] if challenger else [])]

    def set_challenger(self, agent: str, version: str) -> None:
        """Gives a version the alias ``challenger``, taking it from any other.

        Raises:
            RegistryError: there is no such version.
        """
        with self._acting(f"setting the challenger of {agent}"):
            self._client.set_registered_model_alias(_model(agent), CHALLENGER, version)

    def note(self, agent: str, version: str, tags: Mapping[str, str]) -> None:
        """Adds or replaces tags of a version, such as the gate's decision about it.

        Raises:
            RegistryError: there is no such version.
        """
        with self._acting(f"noting tags of version {version} of {agent}"):
            for name, value in sorted(tags.items()):
                self._client.set_model_version_tag(_model(agent), version, name, value)

    def promote(self, agent: str, version: str, decision_id: str) -> ModelVersionInfo:
        """Makes a version the champion and remembers the one before it.

        A decision counts once: promoting again under the same ``decision_id`` changes nothing, even if the champion
        has been rolled back in between.

        Returns:
            The champion after the call.

        Raises:
            RegistryError: there is no such version.
        """
        with self._acting(f"promoting version {version} of {agent}"):
            candidate = self._client.get_model_version(_model(agent), version)
            champions = self._champions(agent)
            if champions and candidate.tags.get(PROMOTED_BY) == decision_id:
                return _info(agent, self._client.get_model_version(_model(agent), champions[-1]))
            if champions[-1:] != [version]:
                # First the stack, then the alias: if this is cut short, `_champions` drops what has no alias.
                self._store_champions(agent, [*champions, version])
                self._client.set_model_version_tag(
                    _model(agent), version, PREVIOUS_CHAMPION, champions[-1] if champions else ""
                )
                self._client.set_registered_model_alias(_model(agent), CHAMPION, version)
            self._client.set_model_version_tag(_model(agent), version, PROMOTED_BY, decision_id)
            challenger = self.alias(agent, CHALLENGER)
            if challenger is not None and challenger.version == version:
                self._client.delete_registered_model_alias(_model(agent), CHALLENGER)
            return _info(agent, self._client.get_model_version(_model(agent), version))

    def rollback(self, agent: str) -> ModelVersionInfo:
        """Makes the previous champion the champion again; called once more, the one before that.

        Returns:
            The champion after the call.

        Raises:
            RegistryError: there is no champion, or none before it.
        """
        with self._acting(f"rolling back {agent}"):
            champions = self._champions(agent)
            if len(champions) < 2:
                state = f"version {champions[0]} is the first one" if champions else "it has no champion at all"
                raise RegistryError(f"{agent} has no previous champion to go back to: {state}")
            self._client.set_registered_model_alias(_model(agent), CHAMPION, champions[-2])
            self._store_champions(agent, champions[:-1])
            return _info(agent, self._client.get_model_version(_model(agent), champions[-2]))

    def download(self, agent: str, alias_or_version: str) -> Path:
        """Local folder of a bundle: the stored one itself if it is on this machine, otherwise a copy of it.

        Raises:
            RegistryError: no such alias or version, or its files are gone.
        """
        if alias_or_version.isdigit():
            info = self.version(agent, alias_or_version)
        else:
            found = self.alias(agent, alias_or_version)
            if found is None:
                raise RegistryError(f"{agent} has no version with the alias {alias_or_version!r}")
            info = found
        parts = urlsplit(info.source)
        folder = Path(unquote(parts.path)) if parts.scheme == "file" else self._fetch(info)
        if not folder.is_dir():
            raise RegistryError(f"the files of {agent} version {info.version} are gone: {folder}")
        return folder

    @property
    def _client(self) -> "MlflowClient":
        return self.tracker.client

    @contextmanager
    def _acting(self, act: str) -> Iterator[None]:
        """One writer at a time: reading the champions and moving the alias belong together."""
        with raising(RegistryError, act, self.settings), exclusive(mlflow_folder(self.settings) / "registry.lock"):
            yield

    def _ensure_model(self, agent: str) -> None:
        if not self._client.search_registered_models(f"name = '{_model(agent)}'"):
            self._client.create_registered_model(_model(agent))

    def _champions(self, agent: str) -> list[str]:
        """Versions that were champion, the present one last."""
        champion = self.alias(agent, CHAMPION)
        if champion is None:
            return []
        tags = self._client.get_registered_model(_model(agent)).tags
        stack: list[str] = json.loads(tags.get(_CHAMPIONS, "[]"))
        while stack and stack[-1] != champion.version:
            stack.pop()
        return stack or [champion.version]

    def _store_champions(self, agent: str, champions: list[str]) -> None:
        self._client.set_registered_model_tag(_model(agent), _CHAMPIONS, json.dumps(champions[-_MAX_CHAMPIONS:]))

    def _fetch(self, info: ModelVersionInfo) -> Path:
        downloads = mlflow_folder(self.settings) / "downloads"
        target = downloads / f"{info.agent}-{info.bundle_hash}"
        if not target.is_dir():
            downloads.mkdir(parents=True, exist_ok=True)
            with (
                raising(RegistryError, f"downloading {info.agent} version {info.version}", self.settings),
                tempfile.TemporaryDirectory(dir=downloads) as folder,
            ):
                source = self._client.download_artifacts(
                    info.run_id, _artifact_folder(info.agent, info.bundle_hash), folder
                )
                # Moved in one step: whoever sees the folder sees all of it.
                with exclusive(downloads / ".lock"):
                    if not target.is_dir():
                        Path(source).rename(target)
        return target


def _model(agent: str) -> str:
    return f"wealtharena-{agent}"


def _artifact_folder(agent: str, bundle_hash: str) -> str:
    return f"bundles/{agent}-{bundle_hash}"


def _info(agent: str, found: "ModelVersion") -> ModelVersionInfo:
    tags = {str(key): str(value) for key, value in sorted(found.tags.items())}
    return ModelVersionInfo(
        agent, str(found.version), found.source or "", found.run_id or "", tags.get(BUNDLE_HASH, ""), tags
    )
