"""Plain OHLCV frames as the panel that a model observes, for predictions outside the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import MarketPanel
from wealtharena.indicators.macro import MACRO_PREFIX
from wealtharena.markets.frames import panel_from_frames
from wealtharena.settings import Settings

OhlcvData = pd.DataFrame | Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Context:
    """What the agent's market looked like in training besides prices.

    Attributes:
        macro: core macro observations (``series``, ``reference_date``, ``value``, ``available_date``), needed by models
            that observe ``macro_…`` features.
        sectors: sector per symbol.
    """

    macro: pd.DataFrame | None = None
    sectors: Mapping[str, str] | None = None


def observed_panel(
    asset_class: AssetClass, data: OhlcvData, feature_names: Sequence[str], context: Context
) -> MarketPanel:
    """The panel of daily bars with a model's features; those from macro series only if ``context`` holds them.

    Args:
        asset_class: whose annualisation applies.
        data: bars as ``panel_from_frames`` takes them.
        feature_names: what the model observes.
        context: macro series and sectors.

    Raises:
        CurationError: the bars cannot be used.
        SettingsError: there is no indicator of that name.
    """
    indicators = [name for name in feature_names if not name.startswith(MACRO_PREFIX)]
    return panel_from_frames(asset_class, data, Settings(), indicators, macro=context.macro, sectors=context.sectors)
