"""Constants of the simulated market: the world's, each class's, and what a symbol may have of its own."""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import FloatArray

# Weeks have seven days on the grid and five sessions: half-lives in sessions are stretched by this.
CALENDAR_DAYS_PER_SESSION = 7 / 5


@dataclass(frozen=True)
class WorldModel:
    """Constants of what all classes share.

    Attributes:
        volatility, half_life: size and half-life (calendar days) of the shared logarithm of volatility ``h``.
        bear_volatility: factor on every volatility in the bear regime; 1: the regimes differ in drift only.
        bull_stay, bear_stay: mean stays in the regimes, in calendar days.
        student_df: degrees of freedom of the global shock.
    """

    volatility: float = 0.22
    half_life: float = 40.0
    bear_volatility: float = 1.5
    bull_stay: float = 300 * CALENDAR_DAYS_PER_SESSION
    bear_stay: float = 120 * CALENDAR_DAYS_PER_SESSION
    student_df: float = 5.0


@dataclass(frozen=True)
class ClassModel:
    """Constants of one class; the table in ``simulated_paths`` gives the drift in formulas.

    Attributes:
        code: number of the class's random streams.
        daily_volatility: typical standard deviation of a day's return.
        global_share, class_share: share of the variance that the global and the class shock explain.
        overnight: ``w``, share of the day's standard deviation between close and open.
        first_price: typical first price; volume: typical traded units a day, 0 for a class without volume.
        half_spread_bps, spread_volatility: half of the bid-ask spread in basis points of a price that does not move,
            and the share of the day's standard deviation by which it is wider.
        trend, trend_half_life: weight and half-life (sessions) of the hidden state ``x``.
        reversal, reversal_half_life: weight and half-life (sessions) of the own past shocks ``f``.
        regime: weight of the regime ``m``.
        carry, rate: weights of the published rate differential and of the rate momentum.
        paired: neighbours have opposite hidden states.
        switching: trend on calm days only, reversal on turbulent days only.
        halt_rate: probability that a session has no bar.
        class_volatility, class_half_life: size and half-life (calendar days) of the class's log volatility ``h_c``.
        own_volatility, own_half_life: the same of each symbol's own; size 0: none.
        student_df: degrees of freedom of the class's and the symbols' shocks.
        shared_gap, class_gap: weights of the global and the class's shock in the overnight shock; its variance shares
            are their squares.
        reach: how far high and low lie beyond open and close: half-normal with this share of the day's volatility.
    """

    code: int
    daily_volatility: float
    global_share: float
    class_share: float
    overnight: float
    first_price: float
    volume: float
    half_spread_bps: float = 0.0
    spread_volatility: float = 0.0
    trend: float = 0.0
    trend_half_life: float = 1.0
    reversal: float = 0.0
    reversal_half_life: float = 1.0
    regime: float = 0.0
    carry: float = 0.0
    rate: float = 0.0
    paired: bool = False
    switching: bool = False
    halt_rate: float = 0.0
    class_volatility: float = 0.20
    class_half_life: float = 25.0
    own_volatility: float = 0.0
    own_half_life: float = 25.0
    student_df: float = 5.0
    shared_gap: float = 0.6
    class_gap: float = 0.0
    reach: float = 0.4

    def half_spread(self, volatility: FloatArray) -> FloatArray:
        """Half of the bid-ask spread as a fraction of the price on days of this standard deviation, any shape."""
        spread: FloatArray = np.asarray(self.half_spread_bps / 1e4 + self.spread_volatility * volatility)
        return spread


@dataclass(frozen=True)
class AssetModel:
    """One symbol of a class.

    Attributes:
        model: its class; index: its number there, from 1, and that of its random streams.
        daily_volatility: standard deviation of a calm day's return; None: the class's, with a factor of its own.
        mean_return: added to each session's return.
        volume: typical traded units a day; None: the class's.
    """

    model: ClassModel
    index: int
    daily_volatility: float | None = None
    mean_return: float = 0.0
    volume: float | None = None


# Half spreads come to those of `costs` (2, 5, 2, 1, 2 and 2 bp) on a day of the class's typical volatility.
CLASS_MODELS: dict[AssetClass, ClassModel] = {
    AssetClass.STOCKS: ClassModel(
        1, 0.013, 0.18, 0.10, 0.25, 60.0, 4e6, 0.7, 0.010, trend=0.16, trend_half_life=60, regime=0.05, halt_rate=0.002
    ),
    AssetClass.CRYPTO: ClassModel(
        2, 0.026, 0.05, 0.20, 0.02, 500.0, 2e6, 1.9, 0.012, trend=0.22, trend_half_life=30, reversal=-0.25,
        reversal_half_life=3, regime=0.03, switching=True,
    ),
    AssetClass.ETFS: ClassModel(
        3, 0.010, 0.22, 0.13, 0.25, 80.0, 9e6, 1.0, 0.010, trend=0.13, trend_half_life=50, regime=0.04, paired=True
    ),
    AssetClass.CURRENCIES: ClassModel(
        4, 0.0045, 0.03, 0.15, 0.05, 1.2, 0.0, 0.6, 0.009, trend=0.12, trend_half_life=50, carry=0.05, halt_rate=0.001
    ),
    AssetClass.REITS: ClassModel(
        5, 0.012, 0.15, 0.15, 0.25, 45.0, 2e6, 0.8, 0.010, reversal=-0.21, reversal_half_life=8, regime=0.03, rate=-0.08
    ),
    AssetClass.COMMODITIES: ClassModel(
        6, 0.015, 0.06, 0.12, 0.20, 70.0, 2e6, 0.5, 0.010, trend=0.16, trend_half_life=40, halt_rate=0.003
    ),
}  # fmt: skip
