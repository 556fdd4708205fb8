"""Prints what the agents can observe."""

from collections.abc import Sequence
from dataclasses import asdict

from flows import terminal
from wealtharena.agents.specs import resolve_agent
from wealtharena.markets.feature_list import ListedFeature, listed_features
from wealtharena.settings import Settings


def print_features(settings: Settings, agents: Sequence[str] | None, as_json: bool) -> None:
    """Every feature with its group, lookback, inputs and users; only those of some agents, if they are named.

    Raises:
        SettingsError: no agent has this name.
    """
    classes = [spec.asset_class for spec in map(resolve_agent, agents or ()) if spec.asset_class is not None]
    features = listed_features(classes, settings.features.calendar)
    rows = [_row(item) for item in features]
    columns = ["feature", "group", "lookback, bars", "inputs", "observed by", "formula and source"]
    terminal.print_table(f"{len(features)} features", columns, rows, right=("lookback, bars",))
    terminal.console.print("Macro series (macro_<series>) come on top, for REITs; see docs/indicators.md.")
    if as_json:
        terminal.print_json({"features": [asdict(item) for item in features]})


def _row(item: ListedFeature) -> list[str]:
    inputs, users = ", ".join(item.inputs), ", ".join(item.classes) or "–"
    return [item.name, item.group, str(item.lookback_bars), inputs, users, item.description]
