"""Order of agents that never puts one above another that dominates it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Ranked(Protocol):
    """The figures that a person ranks by, as ``Metrics`` has them; NaN where undefined."""

    @property
    def sharpe(self) -> float:
        """Annual Sharpe ratio."""

    @property
    def total_return(self) -> float:
        """Compound net return, fraction."""

    @property
    def max_drawdown(self) -> float:
        """Largest fall from a peak, positive fraction."""


@dataclass(frozen=True, slots=True)
class RankedFigures:
    """Figures of an agent whose ``Metrics`` are not at hand."""

    sharpe: float
    total_return: float
    max_drawdown: float

    @classmethod
    def of(cls, sharpe: float | None, total_return: float | None, max_drawdown: float | None) -> "RankedFigures":
        """From figures that are None where undefined."""
        return cls(*(math.nan if value is None else value for value in (sharpe, total_return, max_drawdown)))


def rank(figures: Mapping[str, Ranked]) -> list[str]:
    """Names from best to worst: by ``merit``, then total return, then drawdown, then Sharpe ratio, then name.

    Each of these grows with Sharpe ratio, return and smaller drawdown, and ties in one are settled by the next: so
    whoever dominates another stands before it. An agent of which a figure is unknown (it never moved, or its curve is
    broken) has shown nothing and comes last. The order says nothing about luck: see the Sharpe ratio's standard error.
    """
    return sorted(figures, key=lambda name: (*_sort_key(figures[name]), name))


def merit(figures: Ranked) -> float:
    """The Sharpe ratio, at most 0 for an account that lost money; NaN where one of the two is.

    Volatility can turn a positive mean return into a compound loss: such an account must not rank above one that kept
    its money.
    """
    if math.isnan(figures.total_return):
        return math.nan
    return min(figures.sharpe, 0.0) if figures.total_return < 0.0 else figures.sharpe


def dominates(one: Ranked, other: Ranked) -> bool:
    """Whether ``one`` is at least as good in Sharpe ratio, return and drawdown, and better in one of them.

    False wherever a figure is NaN: what is unknown can be neither better nor worse.
    """
    pairs = (
        (one.sharpe, other.sharpe),
        (one.total_return, other.total_return),
        (-one.max_drawdown, -other.max_drawdown),
    )
    return all(mine >= theirs for mine, theirs in pairs) and any(mine > theirs for mine, theirs in pairs)


def _sort_key(figures: Ranked) -> tuple[bool, float, float, float, float]:
    key = (-merit(figures), -figures.total_return, figures.max_drawdown, -figures.sharpe)
    unknown = any(math.isnan(figure) for figure in key)
    return (True, 0.0, 0.0, 0.0, 0.0) if unknown else (False, *key)
