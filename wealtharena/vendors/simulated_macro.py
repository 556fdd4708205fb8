"""Macro series of the simulated world: what the simulator publishes about its hidden state, and when."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.vendors.simulated_noise import moving_average
from wealtharena.vendors.simulated_paths import World, macro_noise

_PMI_RELEASE_DAYS = 15
_GLOBAL_VOLATILITY = 0.16


def _rate(world: World, seed: int) -> pd.DataFrame:
    """Policy rate in per cent."""
    return _daily(world, world.rate)


def _carry(world: World, seed: int) -> pd.DataFrame:
    """Rate differential behind the carry of the currencies, in standard units."""
    return _daily(world, world.carry)


def _vix(world: World, seed: int) -> pd.DataFrame:
    """Annualised volatility of the global factor in per cent, with 3 % of noise."""
    level = np.exp(world.log_volatility) * world.regime_volatility * world.stress
    noise = np.exp(0.03 * macro_noise(seed, "SIM_VIX", len(world.days)))
    return _daily(world, 100.0 * _GLOBAL_VOLATILITY * level * noise)


def _term(world: World, seed: int) -> pd.DataFrame:
    """Slope of the yield curve in per cent: follows the regime with a half-life of ten days, with noise."""
    mood = moving_average(np.where(world.bull, 1.0, -1.0), 10)
    return _daily(world, 1.0 + 0.8 * mood + 0.15 * macro_noise(seed, "SIM_TERM", len(world.days)))


def _pmi(world: World, seed: int) -> pd.DataFrame:
    """Monthly survey: 50 plus five times the month's mean regime, dated the first of the month, out mid next month."""
    months, first = np.unique(world.days.astype("datetime64[M]"), return_index=True)
    days_in_month = np.diff(np.append(first, len(world.days)))
    mood = np.add.reduceat(np.where(world.bull, 1.0, -1.0), first) / days_in_month
    next_month = (months + 1).astype("datetime64[D]")
    complete = next_month <= world.days[-1] + 1
    value = 50.0 + 5.0 * mood + macro_noise(seed, "SIM_PMI", len(months))
    out = next_month + (_PMI_RELEASE_DAYS - 1)
    return _observations(months[complete], value[complete], out[complete])


MACRO_SERIES: dict[str, Callable[[World, int], pd.DataFrame]] = {
    "SIM_CARRY": _carry,
    "SIM_PMI": _pmi,
    "SIM_RATE": _rate,
    "SIM_TERM": _term,
    "SIM_VIX": _vix,
}


def _daily(world: World, value: FloatArray) -> pd.DataFrame:
    """Weekday values that are published on the next day."""
    weekdays = np.is_busday(world.days)
    return _observations(world.days[weekdays], value[weekdays], world.days[weekdays] + 1)


def _observations(reference: DateArray, value: FloatArray, available: DateArray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "reference_date": reference.astype("datetime64[us]"),
            "value": np.round(value, 6),
            "available_date": available.astype("datetime64[us]"),
        }
    )
