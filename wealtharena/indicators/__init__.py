"""Indicators and features, point in time: row ``t`` from what was known after the close of ``t``."""

from wealtharena.indicators.catalogue import INDICATORS
from wealtharena.indicators.cross_section import CROSS_SECTIONS, CrossSection
from wealtharena.indicators.features import KEY_COLUMNS, compute_features
from wealtharena.indicators.indicator import Indicator, evaluate
from wealtharena.indicators.macro import compute_macro_features

__all__ = [
    "CROSS_SECTIONS",
    "INDICATORS",
    "KEY_COLUMNS",
    "CrossSection",
    "Indicator",
    "compute_features",
    "compute_macro_features",
    "evaluate",
]
