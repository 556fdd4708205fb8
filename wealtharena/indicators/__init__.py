"""Indicators and features, point in time: row ``t`` from what was known after the close of ``t``."""

from wealtharena.indicators.calendar import CALENDAR, CalendarFeature
from wealtharena.indicators.carry import carry_rates, cash_rate
from wealtharena.indicators.catalogue import INDICATORS
from wealtharena.indicators.cross_section import CROSS_SECTIONS, CrossSection
from wealtharena.indicators.features import KEY_COLUMNS, compute_features, uses_carry
from wealtharena.indicators.indicator import Indicator, evaluate
from wealtharena.indicators.macro import compute_macro_features

__all__ = [
    "CALENDAR",
    "CROSS_SECTIONS",
    "INDICATORS",
    "KEY_COLUMNS",
    "CalendarFeature",
    "CrossSection",
    "Indicator",
    "carry_rates",
    "cash_rate",
    "compute_features",
    "compute_macro_features",
    "evaluate",
    "uses_carry",
]
