"""Which agents and which date a night gets."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.night import Night
from tasks.opening import open_night
from tasks.receipts import record_failure
from wealtharena.core.errors import SettingsError, VendorRejected
from wealtharena.settings import Settings

FRIDAY = "2026-01-09"


def settings_in(folder: Path, as_of: str | None = FRIDAY, **changes: Any) -> Settings:
    run = {"as_of": as_of, **changes.pop("run", {})}
    simulator = {"symbols_per_class": 2, "start": "2025-06-02"}
    return Settings.model_validate({"home": folder, "run": run, "vendors": {"simulator": simulator}, **changes})


def opened(folder: Path, agents: list[str] | None = None, **changes: Any) -> Night:
    return open_night(settings_in(folder, **changes), agents, force=False)


def test_without_a_choice_all_agents_and_the_meta_agent_work(tmp_path: Path) -> None:
    night = opened(tmp_path)
    assert night.agents == ("stocks", "crypto", "etfs", "currencies", "reits", "commodities")
    assert night.with_meta
    assert not night.force


def test_one_class_has_nothing_to_allocate_between(tmp_path: Path) -> None:
    night = opened(tmp_path, run={"asset_classes": ["etfs"]})
    assert (night.agents, night.with_meta) == (("etfs",), False)


@pytest.mark.parametrize(
    ("names", "agents", "with_meta"),
    [
        (["us_stocks"], ("stocks",), False),
        (["forex", "Stocks", "asx_stocks"], ("stocks", "currencies"), False),
        (["meta"], (), True),
        (["etfs", "meta"], ("etfs",), True),
        ([], ("stocks", "crypto", "etfs", "currencies", "reits", "commodities"), True),
    ],
)
def test_a_choice_takes_names_and_aliases_and_the_meta_agent_only_by_name(
    tmp_path: Path, names: list[str], agents: tuple[str, ...], with_meta: bool
) -> None:
    night = opened(tmp_path, names)
    assert (night.agents, night.with_meta) == (agents, with_meta)


@pytest.mark.parametrize("name", ["cash", "champion", "candidate"])
def test_a_lane_with_the_name_of_another_strategy_is_refused(tmp_path: Path, name: str) -> None:
    lanes = {name: {"agent": "stocks", "recipe": {"hidden_sizes": [8]}}}
    with pytest.raises(SettingsError, match=f"lanes must not have the name of .*, got {name}"):
        opened(tmp_path, lanes=lanes)


def test_agents_that_cannot_work_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown agent 'bonds'"):
        opened(tmp_path, ["bonds"])
    with pytest.raises(SettingsError, match=r"classes of the chosen agents, missing crypto, reits"):
        opened(tmp_path, ["reits", "etfs", "crypto"], run={"asset_classes": ["etfs", "stocks"]})


def test_the_settings_date_wins_and_force_is_passed_on(tmp_path: Path) -> None:
    night = open_night(settings_in(tmp_path), None, force=True)
    assert (night.as_of, night.force) == (date(2026, 1, 9), True)


def test_every_run_has_an_identity_of_its_own(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    assert one.night_id == other.night_id
    assert one.run_id != other.run_id


def test_without_a_date_the_vendors_last_complete_session_is_taken(tmp_path: Path) -> None:
    night = opened(tmp_path, ["etfs"], as_of=None)
    # Sydney's yesterday is at most a day away from UTC's, and a weekend and a holiday may lie before it.
    today = datetime.now(UTC).date()
    assert today - timedelta(days=7) <= night.as_of <= today


def test_a_date_in_the_future_is_refused(tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=2)
    with pytest.raises(SettingsError, match=f"as_of must not lie in the future, got {tomorrow}"):
        opened(tmp_path, as_of=tomorrow.isoformat())


@pytest.mark.parametrize("as_of", ["2025-01-01", "2024-06-30"])
def test_a_date_before_any_history_is_refused(tmp_path: Path, as_of: str) -> None:
    with pytest.raises(SettingsError, match=f"after run.history_start 2025-01-01, got {as_of}"):
        opened(tmp_path, as_of=as_of, run={"history_start": "2025-01-01"})


def leave_traces(night: Night) -> None:
    record_failure(night, "train", "stocks", "any receipt will do")


def test_a_single_stage_goes_on_with_the_last_night_that_was_opened(tmp_path: Path) -> None:
    for day in ("2026-01-07", FRIDAY, "2026-01-08"):
        leave_traces(opened(tmp_path, as_of=day))
    leave_traces(opened(tmp_path, as_of="2026-02-02", seed=9))
    found = open_night(settings_in(tmp_path, as_of=None), None, force=False, latest_opened=True)
    assert found.as_of == date(2026, 1, 9)
    assert open_night(settings_in(tmp_path, as_of="2026-01-07"), None, False, latest_opened=True).as_of.day == 7


def test_a_single_stage_of_a_new_home_asks_the_vendor(tmp_path: Path) -> None:
    night = open_night(settings_in(tmp_path, as_of=None), ["etfs"], force=False, latest_opened=True)
    assert night.as_of == open_night(settings_in(tmp_path, as_of=None), ["etfs"], force=False).as_of


def test_a_source_that_cannot_be_read_ends_the_opening(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"home": tmp_path, "vendors": {"source": "files", "files": {"root": tmp_path / "nowhere"}}}
    )
    with pytest.raises(VendorRejected, match="nowhere"):
        open_night(settings, None, force=False)
