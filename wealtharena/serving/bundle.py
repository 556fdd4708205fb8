"""Model bundles: folders whose every byte is vouched for by a manifest.

A bundle holds ``manifest.json`` (see ``Manifest``), ``settings.json`` (what the model was made with), ``policy.onnx``
and ``parity.json`` (how closely it repeats torch) for a trained policy, whatever else the training left
(``training.json``, ``timings.json``, an RLlib checkpoint under ``rllib/``), and ``created.json``. What differs between
two runs of one training (the moment of creation, timings, table versions, RLlib's pickles) is vouched for by
``created.json``; everything else by the manifest, whose hash is the bundle's: equal trainings, equal bundle hash.
Nothing here unpickles.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from wealtharena.core import CheckpointRef
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.core.hashing import hash_file, hash_json
from wealtharena.serving.manifest import FORMAT_VERSION, CreationRecord, Manifest, ModelCard

MANIFEST_FILE = "manifest.json"
CREATED_FILE = "created.json"
SETTINGS_FILE = "settings.json"
PARITY_FILE = "parity.json"
PARITY_TOLERANCE = 1e-5

Schema = TypeVar("Schema", bound=BaseModel)


def write_bundle(
    folder: Path,
    card: ModelCard,
    content: Path | None,
    created_at: datetime,
    settings: Mapping[str, object] | None = None,
    data_versions: Mapping[str, int] | None = None,
) -> CheckpointRef:
    """Makes ``folder`` a bundle of everything under ``content``; ``folder`` appears whole or not at all.

    Equal card and content give equal bundle hashes. A bundle of that name is replaced, or left alone if it is the same.

    Args:
        folder: the bundle to write.
        card: what the model is.
        content: folder with ``policy.onnx`` and further files, copied as they are; None for a baseline.
        created_at: moment of creation with its time zone, for ordering only.
        settings: what ``card.settings_hash`` is the hash of (see ``decisive_settings``); kept as ``settings.json``.
        data_versions: version by name of every warehouse table that the data were read from.

    Raises:
        ModelIntegrityError: the content lacks the policy, holds a link, or uses a name that bundles reserve; the
            settings are not those of the card; or the policy repeats torch too loosely.
    """
    if created_at.tzinfo is None:
        raise ModelIntegrityError(f"{folder}: created_at must carry a time zone, got {created_at.isoformat()}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        staging.chmod(0o755)
        if content is not None:
            shutil.copytree(content, staging, symlinks=True, dirs_exist_ok=True)
        if settings is not None:
            text = json.dumps(settings, sort_keys=True, indent=1, ensure_ascii=False) + "\n"
            (staging / SETTINGS_FILE).write_text(text, encoding="utf-8")
        names = sorted(_present_files(staging))
        for name in names:
            _check_name(staging, name)
        lasting = {name: hash_file(staging / name) for name in names if not _is_volatile(name)}
        volatile = {name: hash_file(staging / name) for name in names if _is_volatile(name)}
        manifest = _validated(Manifest, folder, {"model": card.model_dump(mode="json"), "files": lasting})
        made: dict[str, object] = {"created_at": created_at.isoformat(), "files": volatile}
        made["data_versions"] = dict(data_versions or {})
        record = _validated(CreationRecord, folder, made)
        (staging / MANIFEST_FILE).write_text(_canonical(manifest), encoding="utf-8")
        (staging / CREATED_FILE).write_text(_canonical(record), encoding="utf-8")
        _check_documents(staging, manifest)
        _put_in_place(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return checkpoint_ref(folder)


def verify_bundle(folder: Path, bundle_hash: str = "") -> Manifest:
    """The manifest of a bundle whose files are exactly those that were written.

    Args:
        folder: the bundle.
        bundle_hash: hash noted elsewhere (receipt, registry); with it, a rewritten manifest is found out too. It does
            not cover ``created.json``, hence not the RLlib checkpoint, which serving never reads.

    Raises:
        ModelIntegrityError: a file is missing, altered, unlisted, a link, or badly named; the manifest is unreadable,
            of another format version, or not the one that ``bundle_hash`` names; the settings are not those that the
            card names; or the policy repeats torch too loosely. The message names file and rule.
    """
    manifest = read_manifest(folder)
    actual_hash = hash_file(folder / MANIFEST_FILE)
    if bundle_hash and actual_hash != bundle_hash:
        raise ModelIntegrityError(
            f"{folder / MANIFEST_FILE}: must have the recorded SHA-256 {bundle_hash}, got {actual_hash}"
        )
    listed = {MANIFEST_FILE: manifest.files, CREATED_FILE: _read_record(folder).files}
    present = set(_present_files(folder))
    for source, files in listed.items():
        _verify_files(folder, source, files, present)
    unlisted = sorted(present - set(manifest.files) - set(listed[CREATED_FILE]) - set(listed))
    if unlisted:
        raise ModelIntegrityError(f"{folder / unlisted[0]}: not listed in {MANIFEST_FILE}")
    _check_documents(folder, manifest)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest as it stands, without a look at the files that it lists.

    Raises:
        ModelIntegrityError: it is missing, not JSON, of another format version, or not of the schema.
    """
    path = folder / MANIFEST_FILE
    values = _read_object(path)
    if values.get("format_version") != FORMAT_VERSION:
        raise ModelIntegrityError(
            f"{path}: format_version must be {FORMAT_VERSION}, got {values.get('format_version')!r}"
        )
    return _validated(Manifest, path, values)


def created_at(folder: Path) -> datetime:
    """When the bundle was written, in UTC or the writer's time zone.

    Raises:
        ModelIntegrityError: the record is missing or unreadable.
    """
    return _read_record(folder).created_at


def read_settings(folder: Path) -> dict[str, object]:
    """The settings that the model was made with; of a bundle that ``verify_bundle`` has found intact.

    Raises:
        ModelIntegrityError: the bundle has none, as before they were kept.
    """
    return _read_object(folder / SETTINGS_FILE)


def data_versions(folder: Path) -> dict[str, int]:
    """Version by name of the warehouse tables that the model's data were read from; none in bundles of before.

    Raises:
        ModelIntegrityError: the record is missing or unreadable.
    """
    return dict(_read_record(folder).data_versions)


def checkpoint_ref(folder: Path) -> CheckpointRef:
    """Receipt of a bundle.

    Raises:
        ModelIntegrityError: the manifest cannot be read.
    """
    model = read_manifest(folder).model
    return CheckpointRef(
        uri=str(folder),
        settings_hash=model.settings_hash,
        data_version=model.data_version,
        bundle_hash=hash_file(folder / MANIFEST_FILE),
    )


def _read_record(folder: Path) -> CreationRecord:
    return _validated(CreationRecord, folder / CREATED_FILE, _read_object(folder / CREATED_FILE))


def _read_object(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelIntegrityError(f"{path}: missing, so {path.parent} is not a model bundle") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelIntegrityError(f"{path}: must be readable JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelIntegrityError(f"{path}: must be a JSON object, got {type(values).__name__}")
    return values


def _validated(schema: type[Schema], subject: Path, values: dict[str, object]) -> Schema:
    try:
        # Through JSON, so that what is written is exactly what a reader will accept.
        return schema.model_validate_json(json.dumps(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise ModelIntegrityError(f"{subject}: {place}: {first['msg']}, got {_short(first['input'])}") from None


def _verify_files(folder: Path, source: str, files: Mapping[str, str], present: set[str]) -> None:
    for name, expected in files.items():
        _check_name(folder, name)
        if _is_volatile(name) != (source == CREATED_FILE):
            raise ModelIntegrityError(f"{folder / source}: must not list {name!r}, which belongs in the other list")
        if name not in present:
            raise ModelIntegrityError(f"{folder / name}: listed in {source} but missing")
        actual = hash_file(folder / name)
        if actual != expected:
            raise ModelIntegrityError(f"{folder / name}: must have SHA-256 {expected}, got {actual}")


def _is_volatile(name: str) -> bool:
    """Whether two runs of one training may leave different bytes: RLlib pickles clocks and addresses."""
    return name == "timings.json" or name.startswith("rllib/")


def _check_documents(folder: Path, manifest: Manifest) -> None:
    """What the files say must fit the card; bundles of before lack them."""
    if SETTINGS_FILE in manifest.files:
        actual, expected = hash_json(_read_object(folder / SETTINGS_FILE)), manifest.model.settings_hash
        if actual != expected:
            raise ModelIntegrityError(
                f"{folder / SETTINGS_FILE}: must be the settings with the hash {expected}, got {actual}"
            )
    if PARITY_FILE in manifest.files:
        distance = _read_object(folder / PARITY_FILE).get("max_abs_difference")
        if not isinstance(distance, float | int) or not 0.0 <= distance <= PARITY_TOLERANCE:
            raise ModelIntegrityError(
                f"{folder / PARITY_FILE}: max_abs_difference from torch must be in [0, {PARITY_TOLERANCE}], "
                f"got {_short(distance)}"
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _canonical(content: BaseModel) -> str:
    return json.dumps(content.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _present_files(folder: Path) -> list[str]:
    """Relative POSIX paths of all files; a link could lead anywhere and is refused."""
    names: list[str] = []
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise ModelIntegrityError(f"{path}: a bundle must hold regular files only")
        names.extend(Path(root, name).relative_to(folder).as_posix() for name in files)
    return names


def _check_name(folder: Path, name: str) -> None:
    """Refuses names that mean something else than a file below the bundle."""
    path = PurePosixPath(name)
    plain = name == path.as_posix() and not path.is_absolute() and ".." not in path.parts and name != "."
    if not plain or any(sign in name for sign in ("\\", "\0", ":")):
        raise ModelIntegrityError(f"{folder}: file names must be relative paths inside the bundle, got {name!r}")
    if name in (MANIFEST_FILE, CREATED_FILE):
        raise ModelIntegrityError(f"{folder}: {name} is reserved and must not be listed as content")


def _put_in_place(staging: Path, folder: Path) -> None:
    """Renames ``staging`` to ``folder``, unless the same bundle is there already."""
    if not folder.exists():
        staging.rename(folder)
        return
    if _is_intact(folder, hash_file(staging / MANIFEST_FILE)):
        return
    # A folder cannot be renamed over a full one: the old one steps aside first.
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    folder.rename(aside / folder.name)
    staging.rename(folder)
    shutil.rmtree(aside)


def _is_intact(folder: Path, bundle_hash: str) -> bool:
    try:
        verify_bundle(folder, bundle_hash)
        created_at(folder)
    except ModelIntegrityError:
        return False
    return True
