"""Which published series tell the interest rates of currencies."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CurrencyRates:
    """Short-term interest rates, as far as someone publishes them.

    Attributes:
        series: macro series (per cent a year) per currency.
        carry_only: series that are collected for this alone and are no macro features.
    """

    series: Mapping[str, str] = field(default_factory=dict)
    carry_only: frozenset[str] = frozenset()
