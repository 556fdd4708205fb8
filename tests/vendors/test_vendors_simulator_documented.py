"""docs/simulator.md names the simulator's figures as they are."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import load_settings
from wealtharena.settings.models import EventKind
from wealtharena.vendors import SimulatorVendor
from wealtharena.vendors.simulated_models import CLASS_MODELS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("asset_class", list(AssetClass))
def test_its_table_of_spreads_is_that_of_the_simulator(asset_class: AssetClass) -> None:
    (line,) = re.findall(rf"^\| {asset_class} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) % \| ([\d.]+) bp \|$", DOCUMENT, re.M)
    base, slope, typical, spread = map(float, line)
    model = CLASS_MODELS[asset_class]
    assert (base, slope, typical / 100) == pytest.approx(
        (model.half_spread_bps, model.spread_volatility, model.daily_volatility)
    )
    assert spread == pytest.approx(1e4 * float(model.half_spread(np.array(model.daily_volatility))), abs=0.05)


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL))
def test_its_examples_are_valid_profiles(text: str, tmp_path: Path) -> None:
    profile = tmp_path / "example.yaml"
    profile.write_text(text, encoding="utf-8")
    settings = load_settings(str(profile), [], {}).vendors.simulator
    assert len(settings.events) == len(yaml.safe_load(text)["vendors"]["simulator"]["events"])
    assert SimulatorVendor(settings).instruments([AssetClass.STOCKS])


def test_it_describes_every_kind_of_event() -> None:
    assert all(f"\n| {kind} | " in DOCUMENT for kind in EventKind)
