"""docs/vendors.md names the settings as they are."""

import re
from pathlib import Path

import pytest
import yaml

from wealtharena.settings import USUAL_KEYS, AccessSettings, Settings, load_settings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "vendors.md").read_text(encoding="utf-8")
LIVE = ("yahoo", "alpha_vantage", "fred", "coingecko", "rest")
LIMITS = [name for name in AccessSettings.model_fields if name not in ("base_url", "api_key")]


@pytest.mark.parametrize("setting", LIMITS)
def test_defaults_of_each_vendor_are_those_of_the_document(setting: str) -> None:
    (line,) = re.findall(rf"^\| `{setting}` \|(.*)\|$", DOCUMENT, re.MULTILINE)
    told = [None if cell.strip() == "–" else float(cell) for cell in line.split("|")]
    assert told == [getattr(getattr(Settings().vendors, name), setting) for name in LIVE]


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_its_examples_are_valid_profiles(text: str, tmp_path: Path) -> None:
    profile = tmp_path / "example.yaml"
    profile.write_text(text, encoding="utf-8")
    told = yaml.safe_load(text)["vendors"]
    settings = load_settings(str(profile), [], {})
    assert {name: list(settings.vendors.order[name]) for name in told["order"]} == told["order"]


def test_the_order_it_shows_is_the_default() -> None:
    (shown,) = [
        yaml.safe_load(text)["vendors"]["order"]
        for text in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
        if "rest" not in text
    ]
    default = Settings().vendors.order
    assert {name: list(default[name]) for name in shown} == shown
    assert default["etfs"] == default["currencies"] == default["reits"] == default["stocks"]


def test_it_names_every_usual_variable() -> None:
    assert all(f"`{variable}`" in DOCUMENT for variable in USUAL_KEYS.values())
