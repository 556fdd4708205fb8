"""The model registry: versions of each agent's policy, and which one is in charge."""

import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from wealtharena.core.errors import RegistryError
from wealtharena.tracking.connection import exclusive, mlflow_folder, raising, tracking_uri
from wealtharena.tracking.experiments import Tracker
from wealtharena.tracking.trail import (
    Act,
    ModelState,
    TrailEntry,
    as_text,
    champions_of,
    effective,
    new_key,
    number_of,
    read_trail,
    up_to,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
CHALLENGER = "challenger"
BUNDLE_HASH = "bundle_hash"
STATE = "state"
RETIRED = "retired"

_ATTEMPTS = 8
_PAUSE_S = 0.2
_PAGE = 1_000

Answer = TypeVar("Answer")


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
        created_at: when it was registered, in UTC.
    """

    agent: str
    version: str
    source: str
    run_id: str
    bundle_hash: str
    tags: Mapping[str, str]
    created_at: datetime

    @property
    def state(self) -> str:
        """``unproven``, ``provisional`` or ``confirmed``, see ``ModelState``; ``""`` for what never served."""
        return self.tags.get(STATE, "")

    @property
    def is_retired(self) -> bool:
        """Its files were removed to save space."""
        return RETIRED in self.tags


@dataclass(frozen=True, slots=True)
class _Standing:
    """A registered model at one moment, read at once: version by alias, and its trail."""

    aliases: Mapping[str, str]
    keys: frozenset[str]
    trail: tuple[TrailEntry, ...]

    @property
    def champion(self) -> str:
        """``""`` for none."""
        return self.aliases.get(CHAMPION, "")

    @property
    def challenger(self) -> str:
        """``""`` for none."""
        return self.aliases.get(CHALLENGER, "")

    @property
    def champions(self) -> tuple[str, ...]:
        """Versions that were champion, the present one last; the alias counts, whatever the trail says of it."""
        return up_to(champions_of(self.trail), self.champion) if self.champion else ()


class _LostRaceError(Exception):
    """Somebody else wrote to the trail at the same time; nothing was moved."""


class ModelRegistry:
    """Registered models ``wealtharena-<agent>`` with the aliases ``champion`` and ``challenger``.

    Every move of the champion is an entry of an append-only trail (see ``wealtharena.tracking.trail``), which also says
    what a rollback goes back to. The entry is written first, then the alias moves in one transaction: at no moment is
    there no champion, and what a killed process left half done is found and noted by the next call that writes.

    Writers on one machine wait for each other. Those on several machines that share a tracking server see each other's
    entries, and the later one begins anew; see docs/registry.md.
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
            kept = [int(item.version) for item in existing if RETIRED not in item.tags]
            if kept:
                return str(min(kept))
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

    def versions(self, agent: str) -> list[ModelVersionInfo]:
        """Every version of an agent, the oldest first."""
        with raising(RegistryError, f"listing the versions of {agent}", self.settings):
            found = self._client.search_model_versions(f"name = '{_model(agent)}'", max_results=_PAGE)
            everything = list(found)
            while found.token:
                found = self._client.search_model_versions(
                    f"name = '{_model(agent)}'", max_results=_PAGE, page_token=found.token
                )
                everything += found
            return sorted((_info(agent, item) for item in everything), key=lambda info: int(info.version))

    def in_service(self, agent: str) -> list[ModelVersionInfo]:
        """The champion, those before it that a rollback may restore, and the challenger."""
        with raising(RegistryError, f"looking up the champions of {agent}", self.settings):
            standing = self._standing(agent)
            names = [*standing.champions, *([standing.challenger] if standing.challenger else [])]
            return [self.version(agent, version) for version in names]

    def aliases(self, agent: str) -> dict[str, str]:
        """Version by alias, those that a person gave in MLflow included."""
        with raising(RegistryError, f"reading the aliases of {agent}", self.settings):
            return dict(self._standing(agent).aliases)

    def history(self, agent: str) -> tuple[TrailEntry, ...]:
        """The audit trail: every promotion, rollback, change of state and retirement, the oldest first."""
        with raising(RegistryError, f"reading the trail of {agent}", self.settings):
            return self._standing(agent).trail

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

    def promote(
        self, agent: str, version: str, decision_id: str, *, by: str = "gate", reason: str = "", state: str = ""
    ) -> ModelVersionInfo:
        """Makes a version the champion; the one before it stays where a rollback finds it.

        A decision counts once: promoting again under the same ``decision_id`` changes nothing, even if the champion
        has been rolled back in between.

        Args:
            agent: name of the agent.
            version: number of the version.
            decision_id: decision that is carried out.
            by: who or what decided.
            reason: one sentence for the trail.
            state: see ``ModelState``; ``""`` leaves the version's state as it is.

        Returns:
            The champion after the call.

        Raises:
            RegistryError: there is no such version or state, its files were removed, or others move the champion too.
        """
        _check_state(state)

        def act() -> ModelVersionInfo:
            candidate = _info(agent, self._client.get_model_version(_model(agent), version))
            if candidate.is_retired:
                raise RegistryError(f"{agent} version {version} cannot be promoted: {_gone(candidate)}")
            standing = self._settled(agent)
            done = effective(standing.trail)
            if not any(e.act is Act.PROMOTED and (e.decision_id, e.after) == (decision_id, version) for e in done):
                self._move(agent, standing, Act.PROMOTED, version, by, decision_id, reason, state)
            return self.version(agent, self._settled(agent).champion)

        return self._contend(f"promoting version {version} of {agent}", act)

    def mark(self, agent: str, state: str, decision_id: str, *, by: str = "gate", reason: str = "") -> ModelVersionInfo:
        """Gives the champion another state, for instance ``confirmed``; the same state again changes nothing.

        Raises:
            RegistryError: there is no such state, or no champion.
        """
        _check_state(state)

        def act() -> ModelVersionInfo:
            standing = self._settled(agent)
            if not standing.champion:
                raise RegistryError(f"{agent} has no champion that could be {state}")
            if self.version(agent, standing.champion).state != state:
                here = standing.champion
                self._append(agent, standing, Act.STATE, here, here, by, decision_id, reason, state)
            return self.version(agent, self._settled(agent).champion)

        return self._contend(f"marking the champion of {agent} as {state}", act)

    def rollback(self, agent: str, *, by: str = "person", reason: str = "", decision_id: str = "") -> ModelVersionInfo:
        """Makes the previous champion the champion again; called once more, the one before that.

        Returns:
            The champion after the call.

        Raises:
            RegistryError: there is no champion, or none before it.
        """

        def act() -> ModelVersionInfo:
            standing = self._settled(agent)
            champions = standing.champions
            if len(champions) < 2:
                state = f"version {champions[0]} is the first one" if champions else "it has no champion at all"
                raise RegistryError(f"{agent} has no previous champion to go back to: {state}")
            self._move(agent, standing, Act.ROLLED_BACK, champions[-2], by, decision_id, reason, "")
            return self.version(agent, self._settled(agent).champion)

        return self._contend(f"rolling back {agent}", act)

    def retire(self, agent: str, version: str, *, by: str, reason: str) -> None:
        """Removes the files of a version that no alias and no rollback needs; the version itself stays on record.

        A call that was cut short is finished by the next one.

        Raises:
            RegistryError: it bears an alias, a rollback may restore it, or there is no such version.
        """

        def act() -> None:
            standing = self._settled(agent)
            if version in (*standing.champions, *standing.aliases.values()):
                raise RegistryError(
                    f"{agent} version {version} must stay: it bears an alias, or a rollback may restore it"
                )
            info = self.version(agent, version)
            if not any(entry.act is Act.RETIRED and entry.before == version for entry in standing.trail):
                self._append(agent, standing, Act.RETIRED, version, "", by, "", reason, "")
            if not info.is_retired:
                moment = datetime.now(UTC).isoformat(timespec="seconds")
                self._client.set_model_version_tag(_model(agent), version, RETIRED, moment)
            self._remove_files(info)

        self._contend(f"retiring version {version} of {agent}", act)

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
        if info.is_retired:
            raise RegistryError(_gone(info))
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

    def _contend(self, act: str, attempt: Callable[[], Answer]) -> Answer:
        """Does what changes a trail, again if another machine was faster."""
        with self._acting(act):
            for number in range(_ATTEMPTS):
                try:
                    return attempt()
                except _LostRaceError:
                    # Rivals that pause equally long would meet again.
                    time.sleep(random.uniform(0.0, _PAUSE_S * (number + 1)))  # noqa: S311
        raise RegistryError(
            f"{act} at {tracking_uri(self.settings)} gave way to other writers {_ATTEMPTS} times: repeat it later"
        )

    def _standing(self, agent: str) -> _Standing:
        from mlflow.exceptions import MlflowException

        try:
            model = self._client.get_registered_model(_model(agent))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return _Standing({}, frozenset(), ())
            raise
        aliases = {name: str(version) for name, version in model.aliases.items()}
        keys = frozenset(key for key in model.tags if number_of(key) is not None)
        return _Standing(aliases, keys, read_trail(model.tags))

    def _settled(self, agent: str) -> _Standing:
        """The standing after what a killed process left half done was put right."""
        standing = self._standing(agent)
        moves = [entry for entry in effective(standing.trail) if entry.moves]
        last = moves[-1] if moves else None
        told = last.after if last else ""
        if standing.champion != told:
            # The entry comes before the move: an alias that is still where it was means that the move was cut short.
            is_cut_short = last is not None and last is standing.trail[-1] and standing.champion == last.before
            act = Act.CUT_SHORT if is_cut_short else Act.FOUND
            reason = f"the trail said version {told or 'none'}, the alias says {standing.champion or 'none'}"
            self._append(agent, standing, act, told, standing.champion, "registry", "", reason, "")
            standing = self._standing(agent)
        self._finish(agent, standing)
        return standing

    def _finish(self, agent: str, standing: _Standing) -> None:
        """What comes after the move of an alias: the champion's state, and that it is no challenger any more."""
        told = [entry for entry in effective(standing.trail) if entry.state and entry.after == standing.champion]
        if told and self.version(agent, standing.champion).state != told[-1].state:
            self._client.set_model_version_tag(_model(agent), standing.champion, STATE, told[-1].state)
        if standing.champion and standing.challenger == standing.champion:
            self._client.delete_registered_model_alias(_model(agent), CHALLENGER)

    def _move(
        self,
        agent: str,
        standing: _Standing,
        act: Act,
        after: str,
        by: str,
        decision_id: str,
        reason: str,
        state: str,
    ) -> None:
        """First the entry, then the alias, then a look whether both stand."""
        entry = self._append(agent, standing, act, standing.champion, after, by, decision_id, reason, state)
        if after != standing.champion:
            self._client.set_registered_model_alias(_model(agent), CHAMPION, after)
        now = self._standing(agent)
        if now.champion != after or now.trail[-1] != entry:
            raise RegistryError(
                f"the champion of {agent} was moved by two writers at once: version {after} was wanted here, "
                f"{now.champion or 'none'} it is; look at its history and repeat what is still wanted"
            )

    def _append(
        self,
        agent: str,
        standing: _Standing,
        act: Act,
        before: str,
        after: str,
        by: str,
        decision_id: str,
        reason: str,
        state: str,
    ) -> TrailEntry:
        """Writes an entry, and withdraws it before anything has moved if another one came in at the same time.

        Of two writers at once each writes before it looks, so at least one sees the other.
        """
        number = len(standing.trail) + 1
        entry = TrailEntry(number, act, before, after, datetime.now(UTC), by, decision_id, reason, state)
        key = new_key(number)
        self._client.set_registered_model_tag(_model(agent), key, as_text(entry))
        now = self._standing(agent)
        if now.keys - {key} != standing.keys or now.champion != standing.champion:
            self._client.delete_registered_model_tag(_model(agent), key)
            raise _LostRaceError
        return entry

    def _remove_files(self, info: ModelVersionInfo) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        repository = get_artifact_repository(info.source, tracking_uri=tracking_uri(self.settings))
        repository.delete_artifacts()  # type: ignore[no-untyped-call]
        shutil.rmtree(self._downloaded(info), ignore_errors=True)

    def _downloaded(self, info: ModelVersionInfo) -> Path:
        return mlflow_folder(self.settings) / "downloads" / f"{info.agent}-{info.bundle_hash}"

    def _fetch(self, info: ModelVersionInfo) -> Path:
        target = self._downloaded(info)
        downloads = target.parent
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


def _check_state(state: str) -> None:
    if state and state not in set(ModelState):
        raise RegistryError(f"a model's state must be one of {', '.join(ModelState)}, got {state!r}")


def _gone(info: ModelVersionInfo) -> str:
    return f"the files of {info.agent} version {info.version} were removed on {info.tags[RETIRED]} to save space"


def _artifact_folder(agent: str, bundle_hash: str) -> str:
    return f"bundles/{agent}-{bundle_hash}"


def _info(agent: str, found: "ModelVersion") -> ModelVersionInfo:
    tags = {str(key): str(value) for key, value in sorted(found.tags.items())}
    return ModelVersionInfo(
        agent=agent,
        version=str(found.version),
        source=found.source or "",
        run_id=found.run_id or "",
        bundle_hash=tags.get(BUNDLE_HASH, ""),
        tags=tags,
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
    )
