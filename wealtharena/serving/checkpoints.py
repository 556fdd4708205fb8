"""Checkpoints on disk: every bundle that a night has written, champion or not."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from wealtharena.agents.specs import resolve_agent
from wealtharena.core import CheckpointRef
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.serving.bundle import checkpoint_ref, created_at, read_manifest, write_bundle
from wealtharena.serving.manifest import ModelCard
from wealtharena.serving.model import ServedModel, load_model


class ModelCheckpoint:
    """The bundles below ``<home>/checkpoints/<agent>/``."""

    def __init__(self, path: Path | str) -> None:
        """Looks below ``path``, the WEALTHARENA_HOME folder."""
        self._root = Path(path) / "checkpoints"

    def list_checkpoints(self, agent: str) -> list[dict[str, Any]]:
        """One dict per bundle, newest first: ``name``, ``path``, ``created_at``, ``bundle_hash``, and the model card.

        A bundle whose manifest cannot be read is listed last, with ``name``, ``path`` and ``error``. The files that a
        manifest lists are verified when a checkpoint is loaded, not here.

        Raises:
            SettingsError: there is no such agent.
        """
        folder = self._root / resolve_agent(agent).name
        found = sorted(item for item in folder.glob("*") if item.is_dir() and not item.name.startswith("."))
        entries = [_entry(item) for item in found]
        readable = sorted((e for e in entries if "error" not in e), key=lambda e: (e["created_at"], e["name"]))
        return readable[::-1] + [e for e in entries if "error" in e]

    def load_checkpoint(self, agent: str, name: str = "") -> ServedModel:
        """The verified model of a name; of the newest checkpoint by default.

        Raises:
            SettingsError: there is no such agent.
            ModelIntegrityError: there is no such checkpoint, or it is not intact.
        """
        if name:
            return load_model(self._folder(agent, name))
        readable = [entry for entry in self.list_checkpoints(agent) if "error" not in entry]
        if not readable:
            raise ModelIntegrityError(f"{self._root}: holds no checkpoint of agent {resolve_agent(agent).name!r}")
        return load_model(Path(readable[0]["path"]))

    def save_checkpoint(
        self,
        agent: str,
        name: str,
        card: ModelCard,
        content: Path | None,
        created_at: datetime,
        settings: Mapping[str, object] | None = None,
        data_versions: Mapping[str, int] | None = None,
    ) -> CheckpointRef:
        """Writes a bundle; see ``write_bundle``.

        Raises:
            SettingsError: there is no such agent.
            ModelIntegrityError: the card is another agent's, the name is no plain file name, or the content is unfit.
        """
        if card.agent != resolve_agent(agent).name:
            raise ModelIntegrityError(f"checkpoint {name!r} of {agent!r}: the card must name it, got {card.agent!r}")
        return write_bundle(self._folder(agent, name), card, content, created_at, settings, data_versions)

    def _folder(self, agent: str, name: str) -> Path:
        if not name or name != Path(name).name or name.startswith("."):
            raise ModelIntegrityError(f"a checkpoint's name must be a plain file name, got {name!r}")
        return self._root / resolve_agent(agent).name / name


def _entry(folder: Path) -> dict[str, Any]:
    place = {"name": folder.name, "path": str(folder)}
    try:
        card = read_manifest(folder).model
        return {
            **place,
            "created_at": created_at(folder),
            "bundle_hash": checkpoint_ref(folder).bundle_hash,
            **card.model_dump(mode="json"),
        }
    except ModelIntegrityError as error:
        return {**place, "error": str(error)}
