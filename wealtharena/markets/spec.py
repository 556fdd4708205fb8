"""What an asset class is, apart from its costs (settings) and its instruments (vendors)."""

from dataclasses import dataclass

from wealtharena.core.asset_class import AssetClass


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One asset class.

    Attributes:
        asset_class: key in ``MARKETS``.
        agent: name of the agent that trades it.
        style: what its indicators look for, in words for a person.
        indicators: keys of ``INDICATORS`` and ``CROSS_SECTIONS`` that its agent observes, in this order.
        annualisation: sessions per year.
        has_volume: whether its volume means anything; where not, panels carry NaN.
    """

    asset_class: AssetClass
    agent: str
    style: str
    indicators: tuple[str, ...]
    annualisation: int = 252
    has_volume: bool = True
