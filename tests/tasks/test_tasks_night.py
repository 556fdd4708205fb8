"""What a night is called, where it lives, and which markets its agents need."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.night import Night
from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import Settings, settings_hash

MakeNight = Callable[..., Night]


def test_the_same_date_and_settings_are_the_same_night(make_night: MakeNight, tmp_path: Path) -> None:
    night = make_night()
    assert night.night_id == f"2026-01-09-{settings_hash(Settings())[:8]}"
    assert make_night(run_id="other", force=True, agents=("crypto",)).night_id == night.night_id
    elsewhere = Settings(home=tmp_path / "elsewhere", log_level="DEBUG", profile="nightly")
    assert make_night(settings=elsewhere).night_id == night.night_id


def test_a_night_is_the_same_whether_its_date_was_given_or_found(make_night: MakeNight) -> None:
    given = Settings.model_validate({"run": {"as_of": "2026-01-09"}})
    assert make_night(settings=given).night_id == make_night().night_id
    assert settings_hash(Settings.model_validate({"run": {"history_start": "2015-01-01"}})) != settings_hash(given)


@pytest.mark.parametrize("change", [{"as_of": date(2026, 1, 12)}, {"settings": Settings(seed=2)}])
def test_another_date_or_seed_is_another_night(make_night: MakeNight, change: dict[str, object]) -> None:
    assert make_night(**change).night_id != make_night().night_id


def test_everything_lies_under_the_home_folder(make_night: MakeNight, tmp_path: Path) -> None:
    night = make_night()
    assert night.folder == tmp_path / "home" / "nights" / night.night_id
    assert night.warehouse.root == tmp_path / "home" / "warehouse"


def test_agents_need_their_own_markets_and_the_meta_agent_needs_all(make_night: MakeNight) -> None:
    alone = make_night(with_meta=False, agents=("etfs", "stocks"))
    assert alone.asset_classes == (AssetClass.STOCKS, AssetClass.ETFS)
    assert alone.chosen == ("etfs", "stocks")
    with_meta = make_night(agents=())
    assert with_meta.asset_classes == tuple(AssetClass)
    assert with_meta.chosen == ("meta",)


def test_only_classes_of_the_settings_are_traded(make_night: MakeNight) -> None:
    settings = Settings.model_validate({"run": {"asset_classes": ["reits", "stocks"]}})
    night = make_night(settings=settings, agents=("stocks",))
    assert night.traded == ("stocks", "reits")
    assert night.asset_classes == (AssetClass.STOCKS, AssetClass.REITS)


def test_a_night_cannot_be_changed_and_survives_the_way_to_another_process(make_night: MakeNight) -> None:
    night = make_night()
    with pytest.raises(ValidationError, match="frozen"):
        night.force = True  # type: ignore[misc]
    assert Night.model_validate_json(night.model_dump_json()) == night
