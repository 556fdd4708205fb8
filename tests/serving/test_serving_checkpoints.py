from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from serving_models import CREATED, baseline_card, policy_card

from wealtharena.core.errors import ModelIntegrityError, SettingsError
from wealtharena.serving.checkpoints import ModelCheckpoint


@pytest.fixture
def home(tmp_path: Path, make_bundle: Callable[..., Path]) -> Path:
    """Two checkpoints of the stocks agent: ``b`` is the older one."""
    folder = tmp_path / "home" / "checkpoints" / "stocks"
    make_bundle(folder / "b", policy_card(), CREATED)
    make_bundle(folder / "a", policy_card(seed=2), CREATED + timedelta(days=1))
    return tmp_path / "home"


def test_checkpoints_are_listed_newest_first_with_what_they_are(home: Path) -> None:
    found = ModelCheckpoint(home).list_checkpoints("asx_stocks")
    assert [(item["name"], item["seed"]) for item in found] == [("a", 2), ("b", 1)]
    assert found[0]["created_at"] == CREATED + timedelta(days=1)
    assert found[0]["algorithm"] == "PPO"
    assert found[0]["metrics"]["sharpe"] == 0.8
    assert found[0]["path"] == str(home / "checkpoints" / "stocks" / "a")
    assert found[0]["bundle_hash"] != found[1]["bundle_hash"]


def test_an_agent_without_checkpoints_has_an_empty_list(home: Path) -> None:
    assert ModelCheckpoint(home).list_checkpoints("crypto") == []


def test_a_broken_checkpoint_is_listed_with_its_error(home: Path) -> None:
    (home / "checkpoints" / "stocks" / "a" / "manifest.json").write_text("{")
    found = ModelCheckpoint(home).list_checkpoints("stocks")
    assert [item["name"] for item in found] == ["b", "a"]
    assert "must be readable JSON" in found[1]["error"]


def test_an_unfinished_write_is_not_listed(home: Path) -> None:
    (home / "checkpoints" / "stocks" / ".c-x1y2").mkdir()
    assert len(ModelCheckpoint(home).list_checkpoints("stocks")) == 2


def test_the_newest_checkpoint_is_loaded_unless_one_is_named(home: Path) -> None:
    checkpoints = ModelCheckpoint(str(home))
    assert checkpoints.load_checkpoint("us_stocks").card.seed == 2
    assert checkpoints.load_checkpoint("us_stocks", "b").card.seed == 1


def test_an_altered_checkpoint_is_not_loaded(home: Path) -> None:
    (home / "checkpoints" / "stocks" / "a" / "training.json").write_text("{}")
    with pytest.raises(ModelIntegrityError, match=r"training\.json: must have SHA-256"):
        ModelCheckpoint(home).load_checkpoint("stocks")


def test_there_is_nothing_to_load_without_checkpoints(home: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="holds no checkpoint of agent 'crypto'"):
        ModelCheckpoint(home).load_checkpoint("crypto")


def test_a_saved_checkpoint_is_found_again(home: Path) -> None:
    checkpoints = ModelCheckpoint(home)
    later = CREATED + timedelta(days=2)
    ref = checkpoints.save_checkpoint("stocks", "c", baseline_card(), None, later)
    assert checkpoints.list_checkpoints("stocks")[0]["bundle_hash"] == ref.bundle_hash
    assert checkpoints.load_checkpoint("stocks").card.baseline == "equal_weight"


def test_a_checkpoint_of_another_agent_is_refused(home: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="the card must name it, got 'stocks'"):
        ModelCheckpoint(home).save_checkpoint("crypto", "c", policy_card(), None, CREATED)


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", ".hidden", ".."])
def test_names_cannot_leave_the_folder(home: Path, name: str) -> None:
    with pytest.raises(ModelIntegrityError, match="plain file name"):
        ModelCheckpoint(home).load_checkpoint("stocks", name)


def test_an_unknown_agent_is_named_with_those_that_exist(home: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*stocks"):
        ModelCheckpoint(home).list_checkpoints("bonds")
