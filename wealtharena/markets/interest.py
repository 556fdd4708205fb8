"""What a night brings besides price moves: interest on cash, carry of positions, and how many days it counts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.core.rates import CurrencyRates
from wealtharena.indicators.carry import carry_rates, cash_rate

_MARGINED = frozenset({AssetClass.CURRENCIES, AssetClass.COMMODITIES})
"""Classes whose positions take no cash: rolled currency positions and futures."""
_CURRENCY_CALENDAR = "24/5"
_DAYS_TO_VALUE = 2


@dataclass(frozen=True)
class Overnight:
    """``cash_rate`` (T,), ``carry`` (T, A) and ``accrual_days`` (T,) of a ``MarketPanel``; None: none."""

    cash_rate: FloatArray | None
    carry: FloatArray | None
    accrual_days: FloatArray | None


def overnight_of(
    asset_class: AssetClass,
    dates: DateArray,
    symbols: Sequence[str],
    exchanges: Collection[str | None],
    macro: pd.DataFrame | None,
    rates: CurrencyRates,
    cash_series: Sequence[str],
) -> Overnight:
    """Interest of one asset class.

    The kernel takes the value of a position out of the cash, where it earns nothing. That is right for what has to be
    paid for. A position in currencies or futures is not paid for: so that the account's cash goes on earning, such a
    position carries the cash rate, on top of the differential of the two rates of a currency pair. Crypto has no carry:
    no source of funding rates is at hand.

    Args:
        dates: (T,) sessions.
        symbols: A names.
        exchanges: calendar of each symbol.
        macro: core macro observations, or None.
        rates: whose rate each macro series is.
        cash_series: series that cash earns (per cent a year), the preferred one first.
    """
    cash, carry = None, None
    if macro is not None and not set(cash_series).isdisjoint(macro["series"]):
        cash = cash_rate(dates, macro, cash_series)
    if macro is not None and asset_class in _MARGINED:
        carry = np.zeros((len(dates), len(symbols)))
        if cash is not None:
            carry += np.nan_to_num(cash)[:, None]
        if asset_class is AssetClass.CURRENCIES:
            # The drift of simulated prices contains their differential already.
            carry += np.nan_to_num(carry_rates(dates, symbols, macro, rates, with_simulated=False))
    days = days_to_value(dates) if set(exchanges) == {_CURRENCY_CALENDAR} else None
    return Overnight(cash, carry, days)


def days_to_value(dates: DateArray) -> FloatArray:
    """(T,) days of interest from the session before, by value dates two weekdays after each; the first has 0.

    So the night from Wednesday to Thursday counts three days and that over the weekend one, and every week has seven.
    Holidays of the two currencies are not looked up: a session that is missing lengthens the night over it.
    """
    value = np.busday_offset(dates.astype("datetime64[D]"), _DAYS_TO_VALUE, roll="backward")
    return np.append(0.0, np.diff(value).astype(np.float64))
