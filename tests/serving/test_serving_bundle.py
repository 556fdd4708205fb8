import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving_models import CREATED, RULES, baseline_card, policy_card

from wealtharena.core.errors import ModelIntegrityError
from wealtharena.core.hashing import hash_file, hash_json
from wealtharena.serving.bundle import (
    checkpoint_ref,
    created_at,
    data_versions,
    read_manifest,
    read_settings,
    verify_bundle,
    write_bundle,
)
from wealtharena.serving.manifest import ModelKind
from wealtharena.settings import Settings, decisive_settings


def test_a_written_bundle_verifies_and_says_what_it_is(bundle: Path) -> None:
    manifest = verify_bundle(bundle)
    assert manifest.model == policy_card()
    assert set(manifest.files) == {"policy.onnx", "training.json"}
    assert manifest.files["policy.onnx"] == hash_file(bundle / "policy.onnx")
    assert created_at(bundle) == CREATED


def test_the_receipt_names_folder_settings_data_and_manifest(bundle: Path) -> None:
    ref = checkpoint_ref(bundle)
    assert (ref.uri, ref.settings_hash, ref.data_version) == (str(bundle), "5" * 64, "d" * 64)
    assert ref.bundle_hash == hash_file(bundle / "manifest.json")
    verify_bundle(bundle, ref.bundle_hash)


def test_metrics_that_are_not_numbers_are_stored_as_undefined(bundle: Path) -> None:
    assert read_manifest(bundle).model.metrics == {"sharpe": 0.8, "sortino": None}


def test_equal_content_gives_equal_hashes_whenever_it_is_written(tmp_path: Path, training_output: Path) -> None:
    first = write_bundle(tmp_path / "a", policy_card(), training_output, CREATED)
    second = write_bundle(tmp_path / "b", policy_card(), training_output, CREATED + timedelta(days=1))
    assert first.bundle_hash == second.bundle_hash
    other = write_bundle(tmp_path / "c", policy_card(seed=2), training_output, CREATED)
    assert other.bundle_hash != first.bundle_hash


def test_what_differs_between_runs_of_one_training_does_not_change_the_hash(
    tmp_path: Path, training_output: Path
) -> None:
    first = write_bundle(tmp_path / "a", policy_card(), training_output, CREATED)
    (training_output / "rllib" / "state.bin").write_bytes(b"other addresses")
    (training_output / "timings.json").write_text('{"seconds": 12.5}')
    second = write_bundle(tmp_path / "b", policy_card(), training_output, CREATED)
    assert second.bundle_hash == first.bundle_hash
    verify_bundle(tmp_path / "b", first.bundle_hash)


def test_the_same_bundle_written_again_is_left_alone(bundle: Path, training_output: Path) -> None:
    write_bundle(bundle, policy_card(), training_output, CREATED + timedelta(days=1))
    assert created_at(bundle) == CREATED


def test_another_bundle_of_that_name_replaces_it_whole(bundle: Path, training_output: Path) -> None:
    (training_output / "training.json").unlink()
    write_bundle(bundle, policy_card(seed=9), training_output, CREATED)
    assert verify_bundle(bundle).model.seed == 9
    assert not (bundle / "training.json").exists()
    assert [item.name for item in bundle.parent.iterdir()] == ["night-1"]


def test_a_damaged_bundle_is_mended_by_writing_it_again(bundle: Path, training_output: Path) -> None:
    (bundle / "policy.onnx").write_bytes(b"broken")
    write_bundle(bundle, policy_card(), training_output, CREATED)
    verify_bundle(bundle)


def test_a_bundle_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, training_output: Path) -> None:
    (training_output / "policy.onnx").unlink()
    with pytest.raises(ModelIntegrityError, match=r"must list policy\.onnx"):
        write_bundle(tmp_path / "models" / "a", policy_card(), training_output, CREATED)
    assert list((tmp_path / "models").iterdir()) == []


def test_a_baseline_needs_no_network(tmp_path: Path) -> None:
    write_bundle(tmp_path / "a", baseline_card(), None, CREATED)
    manifest = verify_bundle(tmp_path / "a")
    assert manifest.model.kind is ModelKind.BASELINE
    assert manifest.files == {}


SETTINGS = {"seed": 1, "agents": {"stocks": {"algorithm": "PPO"}}}


def documented(folder: Path, content: Path, distance: object = 3e-7, **changes: object) -> Path:
    """A bundle with the settings and the parity figure that a training leaves."""
    (content / "parity.json").write_text(json.dumps({"max_abs_difference": distance, "observations": 126}))
    card = policy_card(**({"settings_hash": hash_json(SETTINGS)} | changes))
    write_bundle(folder, card, content, CREATED, SETTINGS, {"core_stocks__daily_bars": 7})
    return folder


def test_a_bundle_says_with_what_it_was_made(tmp_path: Path, training_output: Path) -> None:
    folder = documented(tmp_path / "a", training_output)
    manifest = verify_bundle(folder)
    assert {"settings.json", "parity.json"} <= set(manifest.files)
    assert read_settings(folder) == SETTINGS
    assert data_versions(folder) == {"core_stocks__daily_bars": 7}


def test_table_versions_do_not_change_the_hash_as_equal_data_may_have_others(
    tmp_path: Path, training_output: Path
) -> None:
    refs = [
        write_bundle(tmp_path / name, policy_card(), training_output, CREATED, None, {"core_stocks__daily_bars": k})
        for k, name in enumerate("ab")
    ]
    assert refs[0].bundle_hash == refs[1].bundle_hash


def test_bundles_of_before_lack_settings_and_table_versions(bundle: Path) -> None:
    assert data_versions(bundle) == {}
    with pytest.raises(ModelIntegrityError, match=r"settings\.json: missing"):
        read_settings(bundle)


def test_settings_that_are_not_those_of_the_card_are_refused(tmp_path: Path, training_output: Path) -> None:
    with pytest.raises(ModelIntegrityError, match=f"settings.json: must be the settings with the hash {'5' * 64}, got"):
        documented(tmp_path / "a", training_output, settings_hash="5" * 64)
    assert list(tmp_path.glob("a")) == []


@pytest.mark.parametrize("distance", [1.1e-5, -1.0, None, "0", float("nan")])
def test_a_policy_that_repeats_torch_too_loosely_is_refused(
    tmp_path: Path, training_output: Path, distance: object
) -> None:
    with pytest.raises(ModelIntegrityError, match=r"max_abs_difference from torch must be in \[0, 1e-05\], got"):
        documented(tmp_path / "a", training_output, distance)


def rewrite(folder: Path, name: str, text: str) -> None:
    """Alters a file and its hash in the manifest, as one who knows the format would."""
    (folder / name).write_text(text)
    values = json.loads((folder / "manifest.json").read_text())
    values["files"][name] = hash_file(folder / name)
    (folder / "manifest.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("settings.json", "{}", r"settings\.json: must be the settings with the hash"),
        ("settings.json", "[]", r"settings\.json: must be a JSON object, got list"),
        ("parity.json", '{"max_abs_difference": 0.1}', r"parity\.json: max_abs_difference from torch must be in"),
        ("parity.json", "{", r"parity\.json: must be readable JSON"),
    ],
)
def test_altered_documents_are_found_out_by_what_they_say_too(
    tmp_path: Path, training_output: Path, name: str, text: str, message: str
) -> None:
    folder = documented(tmp_path / "a", training_output)
    rewrite(folder, name, text)
    with pytest.raises(ModelIntegrityError, match=message):
        verify_bundle(folder)


@pytest.mark.parametrize("name", ["settings.json", "parity.json"])
@pytest.mark.parametrize("fault", ["removed", "truncated", "linked", "added"])
def test_damaged_documents_are_refused_by_name(
    tmp_path: Path, training_output: Path, name: str, fault: str, bundle: Path
) -> None:
    folder = documented(tmp_path / "a", training_output)
    path = folder / name
    if fault == "added":
        shutil.copy(path, bundle / name)
        folder, message = bundle, "not listed in manifest.json"
    elif fault == "linked":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        message = "a bundle must hold regular files only"
    elif fault == "removed":
        path.unlink()
        message = "listed in manifest.json but missing"
    else:
        path.write_bytes(path.read_bytes()[:-3])
        message = "must have SHA-256"
    with pytest.raises(ModelIntegrityError, match=f"{name}: {message}"):
        verify_bundle(folder)


def test_no_secret_is_among_the_settings_that_are_kept() -> None:
    keys = {"fred": {"api_key": "k-1"}, "rest": {"api_key": "k-2"}, "coingecko": {"api_key": "k-3"}}
    values = {"vendors": keys, "mlflow": {"password": "k-4", "tracking_uri": "http://u:k-5@host"}}
    kept = json.dumps(decisive_settings(Settings.model_validate(values)))
    assert "k-" not in kept
    assert "*" not in kept


@pytest.mark.parametrize("name", ["manifest.json", "created.json"])
def test_content_must_not_use_reserved_names(tmp_path: Path, training_output: Path, name: str) -> None:
    (training_output / name).write_text("{}")
    with pytest.raises(ModelIntegrityError, match=f"{name} is reserved"):
        write_bundle(tmp_path / "a", policy_card(), training_output, CREATED)


def test_content_must_not_hold_links(tmp_path: Path, training_output: Path) -> None:
    (training_output / "rllib" / "link").symlink_to("/etc/hostname")
    with pytest.raises(ModelIntegrityError, match="regular files only"):
        write_bundle(tmp_path / "a", policy_card(), training_output, CREATED)


def test_the_moment_of_creation_needs_a_time_zone(tmp_path: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="time zone, got 2026-11-06"):
        write_bundle(tmp_path / "a", baseline_card(), None, datetime(2026, 11, 6))  # noqa: DTZ001


def remove_file(folder: Path) -> None:
    (folder / "policy.onnx").unlink()


def truncate_file(folder: Path) -> None:
    content = (folder / "policy.onnx").read_bytes()
    (folder / "policy.onnx").write_bytes(content[:-1])


def alter_nested_file(folder: Path) -> None:
    (folder / "rllib" / "state.bin").write_bytes(b"\x80\x04evil")


def empty_file(folder: Path) -> None:
    (folder / "training.json").write_bytes(b"")


def add_file(folder: Path) -> None:
    (folder / "rllib" / "extra.pkl").write_bytes(b"\x80\x04.")


def replace_file_by_folder(folder: Path) -> None:
    remove_file(folder)
    (folder / "policy.onnx").mkdir()


def replace_file_by_link(folder: Path) -> None:
    (folder / "policy.onnx").rename(folder.parent / "elsewhere.onnx")
    (folder / "policy.onnx").symlink_to(folder.parent / "elsewhere.onnx")


def link_subfolder(folder: Path) -> None:
    (folder / "rllib").rename(folder.parent / "elsewhere")
    (folder / "rllib").symlink_to(folder.parent / "elsewhere")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def truncate_manifest(folder: Path) -> None:
    content = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(content[: len(content) // 2])


def manifest_of_bytes(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")


def manifest_of_nested_lists(folder: Path) -> None:
    (folder / "manifest.json").write_text("[" * 100_000)


def manifest_of_a_list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def edit_manifest(**changes: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(values | changes))

    return edit


def list_file(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "manifest.json").read_text())
        values["files"][name] = "a" * 64
        (folder / "manifest.json").write_text(json.dumps(values))

    return edit


def list_as_volatile(name: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        values = json.loads((folder / "created.json").read_text())
        values["files"][name] = "a" * 64
        (folder / "created.json").write_text(json.dumps(values))

    return edit


def remove_record(folder: Path) -> None:
    (folder / "created.json").unlink()


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (remove_file, r"policy\.onnx: listed in manifest\.json but missing"),
        (truncate_file, r"policy\.onnx: must have SHA-256 [0-9a-f]{64}, got [0-9a-f]{64}"),
        (alter_nested_file, r"rllib/state\.bin: must have SHA-256"),
        (empty_file, r"training\.json: must have SHA-256 [0-9a-f]{64}, got e3b0c442"),
        (add_file, r"rllib/extra\.pkl: not listed in manifest\.json"),
        (replace_file_by_folder, r"policy\.onnx: listed in manifest\.json but missing"),
        (replace_file_by_link, r"policy\.onnx: a bundle must hold regular files only"),
        (link_subfolder, r"rllib: a bundle must hold regular files only"),
        (remove_manifest, r"manifest\.json: missing, so .* is not a model bundle"),
        (truncate_manifest, r"manifest\.json: must be readable JSON"),
        (manifest_of_bytes, r"manifest\.json: must be readable JSON"),
        (manifest_of_nested_lists, r"manifest\.json: must be readable JSON"),
        (manifest_of_a_list, r"must be a JSON object, got list"),
        (edit_manifest(format_version=2), r"format_version must be 1, got 2"),
        (edit_manifest(format_version=None), r"format_version must be 1, got None"),
        (edit_manifest(surprise=1), r"surprise: Extra inputs are not permitted"),
        (edit_manifest(model={}), r"model\.agent: Field required"),
        (edit_manifest(files={}), r"a policy must list policy\.onnx"),
        (edit_manifest(files={"policy.onnx": "ABC"}), r"files\.policy\.onnx: String should match pattern"),
        (list_file("../../../etc/passwd"), r"relative paths inside the bundle, got '\.\./\.\./\.\./etc/passwd'"),
        (list_file("/etc/passwd"), r"relative paths inside the bundle, got '/etc/passwd'"),
        (list_file("rllib/../policy.onnx"), r"relative paths inside the bundle"),
        (list_file("./policy.onnx"), r"relative paths inside the bundle"),
        (list_file("rllib//state.bin"), r"relative paths inside the bundle"),
        (list_file("..\\policy.onnx"), r"relative paths inside the bundle"),
        (list_file("C:policy.onnx"), r"relative paths inside the bundle"),
        (list_file(""), r"relative paths inside the bundle"),
        (list_file("."), r"relative paths inside the bundle"),
        (list_file("manifest.json"), r"manifest\.json is reserved"),
        (list_file("rllib/state.bin"), r"manifest\.json: must not list 'rllib/state\.bin'"),
        (list_as_volatile("policy.onnx"), r"created\.json: must not list 'policy\.onnx'"),
        (list_as_volatile("rllib/gone.pkl"), r"rllib/gone\.pkl: listed in created\.json but missing"),
        (remove_record, r"created\.json: missing"),
    ],
)
def test_tampering_is_found_and_named(bundle: Path, tamper: Callable[[Path], None], message: str) -> None:
    tamper(bundle)
    with pytest.raises(ModelIntegrityError, match=message):
        verify_bundle(bundle)


def test_a_rewritten_manifest_is_found_out_by_the_recorded_hash(bundle: Path) -> None:
    recorded = checkpoint_ref(bundle).bundle_hash
    (bundle / "policy.onnx").write_bytes(b"evil")
    values = json.loads((bundle / "manifest.json").read_text())
    values["files"]["policy.onnx"] = hash_file(bundle / "policy.onnx")
    (bundle / "manifest.json").write_text(json.dumps(values))
    verify_bundle(bundle)
    with pytest.raises(ModelIntegrityError, match=f"must have the recorded SHA-256 {recorded}"):
        verify_bundle(bundle, recorded)


def test_rules_that_older_bundles_name_are_read_over(bundle: Path) -> None:
    values = json.loads((bundle / "manifest.json").read_text())
    kept = ("long_only", "max_weight", "max_gross", "concentration", "delisting_haircut")
    older = {name: values["model"]["rules"][name] for name in kept} | {"borrow_per_session": 0.0, "risk_aversion": 1.0}
    values["model"]["rules"] = older
    (bundle / "manifest.json").write_text(json.dumps(values))
    assert verify_bundle(bundle).model.rules == RULES
    values["model"]["rules"] = older | {"max_size": 1.0}
    (bundle / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(ModelIntegrityError, match="max_size"):
        verify_bundle(bundle)


@pytest.mark.parametrize("content", ["", "{}", '{"created_at": "yesterday"}', '{"created_at": "2026-11-06T20:00:00"}'])
def test_an_unreadable_creation_record_is_named(bundle: Path, content: str) -> None:
    (bundle / "created.json").write_text(content)
    with pytest.raises(ModelIntegrityError, match=r"created\.json: "):
        created_at(bundle)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_of_any_hashed_byte_is_found(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    recorded = checkpoint_ref(bundle).bundle_hash
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(bundle, copy)
    name = data.draw(st.sampled_from(["manifest.json", "policy.onnx", "training.json", "rllib/state.bin"]))
    content = bytearray((copy / name).read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(ModelIntegrityError):
        verify_bundle(copy, recorded)
