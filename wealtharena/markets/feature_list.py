"""Every feature that there is, for a person or a program to read."""

from collections.abc import Collection
from dataclasses import dataclass

from wealtharena.core.asset_class import AssetClass
from wealtharena.indicators import CALENDAR, CROSS_SECTIONS, INDICATORS, CrossSection
from wealtharena.markets.catalogue import MARKETS


@dataclass(frozen=True, slots=True)
class ListedFeature:
    """One feature.

    Attributes:
        name: column of the features and key of its table.
        group: what kind of indicator it is.
        lookback_bars: first bars without a value.
        inputs: what it is computed from: inputs of an indicator, base of a comparison, or the date.
        classes: asset classes whose agents observe it.
        description: formula and source, one line.
    """

    name: str
    group: str
    lookback_bars: int
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    description: str


def listed_features(asset_classes: Collection[AssetClass] = (), calendar: bool = False) -> list[ListedFeature]:
    """Indicators, comparisons and calendar features, in the order of their tables.

    Args:
        asset_classes: only what these classes' agents observe; empty for everything.
        calendar: whether the settings let the agents observe the calendar.
    """
    everyone = tuple(str(name) for name in MARKETS) if calendar else ()
    found = [
        ListedFeature(item.name, item.group, item.lookback_bars, item.inputs, _users(item.name), item.description)
        for item in INDICATORS.values()
    ]
    found += [_comparison(section) for section in CROSS_SECTIONS.values()]
    found += [
        ListedFeature(item.name, "calendar", 0, ("date",), everyone, item.description) for item in CALENDAR.values()
    ]
    wanted = {str(name) for name in asset_classes}
    return [item for item in found if not wanted or wanted & set(item.classes)]


def _comparison(section: CrossSection) -> ListedFeature:
    lookback = INDICATORS[section.base].lookback_bars
    return ListedFeature(
        section.name, section.group, lookback, (section.base,), _users(section.name), section.description
    )


def _users(name: str) -> tuple[str, ...]:
    return tuple(str(asset_class) for asset_class, spec in MARKETS.items() if name in spec.indicators)
