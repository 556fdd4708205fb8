"""What an asset class is, apart from its costs (settings) and its instruments (vendors)."""

from dataclasses import dataclass

from wealtharena.core.asset_class import AssetClass
from wealtharena.indicators import CALENDAR


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """One asset class.

    Attributes:
        asset_class: key in ``MARKETS``.
        agent: name of the agent that trades it.
        style: what its indicators look for, in words for a person.
        rule: key of ``BASELINES``: the simple rule of its style, which its agent has to beat.
        indicators: keys of ``INDICATORS`` and ``CROSS_SECTIONS`` that its agent observes, in this order.
        observes_macro: whether its agent observes macro features, where the settings allow them. Equal for all symbols,
            they only time the class as a whole, and persistent series are easily fitted to chance. Ridge regression on
            12 simulated worlds, correlation with the next return out of sample: REITs 0.131 with them and 0.087
            without; the other five classes lose 5 to 11 % of theirs.
        annualisation: sessions per year.
        has_volume: whether its volume means anything; where not, panels carry NaN.
    """

    asset_class: AssetClass
    agent: str
    style: str
    rule: str
    indicators: tuple[str, ...]
    observes_macro: bool = False
    annualisation: int = 252
    has_volume: bool = True

    def feature_names(self, calendar: bool) -> tuple[str, ...]:
        """Columns of the agent's features, in their order; ``macro_<series>`` may follow, see ``observes_macro``."""
        return self.indicators + (tuple(CALENDAR) if calendar else ())
