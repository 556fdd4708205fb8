"""Carry: the interest that a position earns by being held, from rates that were published by the close before."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.core.rates import CurrencyRates
from wealtharena.indicators.windows import in_units_of, volatility

SIMULATED_DIFFERENTIAL = "SIM_CARRY"
"""Series of the simulated market: the rate of its currencies with odd numbers less that of those with even ones."""
MAX_RATE_AGE_DAYS = 190
"""A rate that nobody has published anew for half a year is not known any more."""

_PAIR = re.compile(r"([A-Z]{3})([A-Z]{3})(?:=X)?")
_SIMULATED = re.compile(r"CUR([0-9]+)\.SIM")
_PER_CENT = 100.0
_SESSIONS_PER_YEAR = 252.0

Leg = tuple[str, float]


def carry(differential: FloatArray, close: FloatArray) -> FloatArray:
    """4 × yearly interest differential / (σ63 √252): carry over risk (Koijen et al. 2018); 0 where none is known."""
    return in_units_of(volatility(close), 4.0 * differential, math.sqrt(_SESSIONS_PER_YEAR))


def carry_rates(
    dates: DateArray,
    symbols: Sequence[str],
    macro: pd.DataFrame | None,
    rates: CurrencyRates,
    *,
    with_simulated: bool = True,
) -> FloatArray:
    """Yearly rate that a long position earns and a short one pays, as known at the close of each session.

    For currency pairs (``EURUSD=X``, ``EURUSD``) the rate of the first currency less that of the second; for simulated
    ones (``CUR01.SIM``) ``SIMULATED_DIFFERENTIAL``, with the sign turned for even numbers. A rate with
    ``available_date`` d counts in sessions after d, for at most ``MAX_RATE_AGE_DAYS`` after d.

    Args:
        dates: (T,) ascending.
        symbols: A names of any class.
        macro: core macro observations, or None.
        rates: which series are whose rates.
        with_simulated: the drift of simulated prices contains their carry already; False leaves them out, so that an
            account does not earn it twice.

    Returns:
        (T, A) annual fraction (0.02 = 2 % a year); NaN where a rate is not known, or there is no such thing.
    """
    result = np.full((len(dates), len(symbols)), np.nan)
    known: dict[str, FloatArray] = {}
    for column, symbol in enumerate(symbols):
        for place, (series, sign) in enumerate(_legs(symbol, rates, with_simulated)):
            if series not in known:
                known[series] = published_rate(dates, macro, series)
            result[:, column] = sign * known[series] + (result[:, column] if place else 0.0)
    return result


def cash_rate(dates: DateArray, macro: pd.DataFrame | None, names: Sequence[str]) -> FloatArray:
    """Yearly interest on cash, as known at the close of each session: that of the first series that is at hand.

    Args:
        dates: (T,) ascending.
        macro: core macro observations, or None.
        names: series in per cent a year, the preferred one first.

    Returns:
        (T,) annual fraction; NaN where the rate is not known, everywhere if none of the series is at hand.
    """
    at_hand = set() if macro is None else set(macro["series"])
    chosen = next((name for name in names if name in at_hand), "")
    return published_rate(dates, macro, chosen)


def published_rate(dates: DateArray, macro: pd.DataFrame | None, series: str) -> FloatArray:
    """(T,) a rate as a fraction, as known at the close of each session; NaN where it is not known.

    It is the value of the latest reference date that was out on an earlier day, in its latest vintage by then.
    """
    if macro is None:
        return np.full(len(dates), np.nan)
    rows = macro[(macro["series"] == series) & np.isfinite(macro["value"].to_numpy(np.float64))]
    rows = rows.sort_values(["available_date", "reference_date"], kind="stable")
    rows = rows[(rows["reference_date"] >= rows["reference_date"].cummax()).to_numpy(np.bool_)]
    known_from = rows["available_date"].to_numpy("datetime64[D]")
    # Position of the last release strictly before the session.
    position = np.searchsorted(known_from, dates.astype("datetime64[D]"), side="left") - 1
    age = dates.astype("datetime64[D]") - np.append(known_from, np.datetime64(0, "D"))[position]
    fresh = (position >= 0) & (age <= np.timedelta64(MAX_RATE_AGE_DAYS, "D"))
    values = np.append(rows["value"].to_numpy(np.float64), np.nan)
    return np.where(fresh, values[position] / _PER_CENT, np.nan)


def _legs(symbol: str, rates: CurrencyRates, with_simulated: bool) -> tuple[Leg, ...]:
    """Series and their signs that add up to a symbol's carry; none where nothing is published."""
    simulated = _SIMULATED.fullmatch(symbol)
    if simulated:
        return ((SIMULATED_DIFFERENTIAL, 2.0 * (int(simulated[1]) % 2) - 1.0),) if with_simulated else ()
    pair = _PAIR.fullmatch(symbol)
    if pair is None or pair[1] not in rates.series or pair[2] not in rates.series:
        return ()
    return ((rates.series[pair[1]], 1.0), (rates.series[pair[2]], -1.0))
