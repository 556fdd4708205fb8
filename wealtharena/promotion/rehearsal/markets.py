"""A market with a known answer as a night would see it: prices of full size, on the weekdays of a calendar."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wealtharena.core.errors import SettingsError
from wealtharena.core.panel import DateArray, MarketPanel
from wealtharena.evaluation.verification import PRICE_SCALE, World

NIGHTS = 252
"""Nights that are rehearsed, and sessions that follow them: a year of trading."""

_FIRST_YEAR = 2000
_YEARS_TO_LEARN = 6
_FIRST_NIGHT = "06-30"


@dataclass(frozen=True, slots=True)
class Calendar:
    """How the weekdays of a world are spent: years to learn from, years of history, half a year, and the nights.

    The nights begin in the middle of a year, so that on the way the history grows by one: it did so in every year
    before.

    Attributes:
        history_years: complete calendar years that are tested before the first night.
    """

    history_years: int

    def __post_init__(self) -> None:
        if self.history_years < 1:
            raise SettingsError(f"years must be at least 1, got {self.history_years}")

    @property
    def dates(self) -> DateArray:
        """(T,) every session of the world."""
        days: DateArray = np.busday_offset(f"{_FIRST_YEAR}-01-01", np.arange(self.known + NIGHTS), roll="forward")
        return days

    @property
    def known(self) -> int:
        """Sessions up to the first night, its own included."""
        last = np.datetime64(f"{_FIRST_YEAR + _YEARS_TO_LEARN + self.history_years}-{_FIRST_NIGHT}")
        return int(np.busday_count(f"{_FIRST_YEAR}-01-01", last + 1))

    @property
    def first_night(self) -> date:
        """Last session that is known on the first night."""
        night: date = self.dates[self.known - 1].astype(object)
        return night


def as_market(world: World, dates: DateArray) -> MarketPanel:
    """The world's panel with returns and costs as the formulas have them, on other days.

    Panels of verification markets move by 1 bp a day, so that formulas hold to many digits. The gate knows absolute
    figures (drawdown limits, a least volatility): it has to see accounts of the size that it was made for.

    Args:
        world: of T sessions.
        dates: (T,) its sessions.
    """
    panel = world.panel
    close = np.cumprod(1.0 + (panel.close / panel.open - 1.0) / PRICE_SCALE, axis=0, dtype=np.float64)
    return replace(
        panel,
        dates=dates,
        open=np.vstack([np.ones((1, close.shape[1])), close[:-1]]),
        close=close,
        volatility=panel.volatility / PRICE_SCALE,
        costs=panel.costs.times(1.0 / PRICE_SCALE),
    )
