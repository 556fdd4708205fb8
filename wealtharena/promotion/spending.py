"""How much of the year's error a look at history may spend, and what has been looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the histories of a set of lanes.

    Attributes:
        month: first day of the calendar month.
        inputs: hash of the lanes' and the champion's histories: what was looked at.
        alpha: level that was granted; 0 where the month was spent on other inputs.
    """

    month: date
    inputs: str
    alpha: float


def look(as_of: date, inputs: str, before: Iterable[Look], error_per_year: float) -> Look:
    """The level of a look at histories on a night.

    A twelfth of the year's error is spent in a calendar month. The same inputs give the same p-value and may be looked
    at again at no cost; other inputs in the same month, a new lane for instance, wait for the next.

    Args:
        as_of: session of the night.
        inputs: hash of what is looked at.
        before: the looks of this agent so far, in any order.
        error_per_year: the promise to keep, ``promotion.error_per_year``.
    """
    month = as_of.replace(day=1)
    earlier = [one for one in before if one.month == month and one.alpha > 0.0]
    if any(one.inputs != inputs for one in earlier):
        return Look(month, inputs, 0.0)
    return Look(month, inputs, error_per_year / _MONTHS)
