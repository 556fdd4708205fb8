"""docs/agents.md tells what the risk profiles change, all of it and as it is."""

import re
from pathlib import Path

import pytest

from wealtharena.settings import Settings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.partition("<!-- profiles: begin -->")[2].partition("<!-- profiles: end -->")[0]
ROWS = re.findall(r"^\| `(risk|reward)\.(\w+)`[^|]*\|(.*)\|$", TABLE, re.MULTILINE)
PROFILES = re.findall(r"\w+", TABLE.strip().splitlines()[0])


def chosen(profile: str) -> Settings:
    return Settings.model_validate({"agents": {"stocks": {"algorithm": "PPO", "risk_profile": profile}}})


def test_the_table_has_every_profile_and_everything_that_they_change() -> None:
    profiles = Settings().risk_profiles
    assert list(profiles) == PROFILES
    changed = {("risk", name) for profile in profiles.values() for name in profile.risk}
    changed |= {("reward", name) for profile in profiles.values() for name in profile.reward}
    assert {(section, name) for section, name, _ in ROWS} == changed


@pytest.mark.parametrize(("section", "name", "cells"), ROWS)
def test_each_figure_is_what_the_settings_make_of_the_profile(section: str, name: str, cells: str) -> None:
    told = [None if cell.strip() == "none" else float(cell) for cell in cells.split("|")]
    settings = [chosen(profile) for profile in PROFILES]
    made = [item.risk_of("stocks") if section == "risk" else item.reward_of("stocks") for item in settings]
    assert told == [getattr(item, name) for item in made]
