"""Minor currency units: prices that a vendor quotes in hundredths of the instrument's currency."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from wealtharena.core.market_data import Instrument
from wealtharena.curation.quarantine import Quarantine

# What vendors call the hundredth of a currency: London's pence, Johannesburg's cents, Tel Aviv's agorot, US cents.
MINOR_UNITS: dict[str, str] = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS", "USX": "USD"}
_MINOR_PER_MAJOR = 100.0
_IN_PRICE_UNITS = ("open", "high", "low", "close", "adj_close", "dividend")


def in_major_units(rows: pd.DataFrame, instruments: Mapping[str, Instrument], quarantine: Quarantine) -> pd.DataFrame:
    """Rows with prices and dividends in whole units of currency, and ``minor_unit`` where they were divided by 100.

    A currency that is told and is not the instrument's is recorded once per vendor and symbol; its rows stay as they
    are, for the prices may be right and the universe wrong.

    Args:
        rows: ``vendor``, ``symbol``, ``session_date``, prices and ``currency`` (``""`` or missing: not told).
    """
    told = rows["currency"].fillna("")
    minor = told.isin(list(MINOR_UNITS)).to_numpy(np.bool_)
    rows = rows.assign(minor_unit=minor)
    if minor.any():
        units = np.where(minor, _MINOR_PER_MAJOR, 1.0)
        rows[list(_IN_PRICE_UNITS)] = rows[list(_IN_PRICE_UNITS)].div(units, axis=0)
    _record_other_currencies(rows, told.replace(MINOR_UNITS), instruments, quarantine)
    return rows


def _record_other_currencies(
    rows: pd.DataFrame, currency: "pd.Series[str]", instruments: Mapping[str, Instrument], quarantine: Quarantine
) -> None:
    if not (currency != "").any():
        return
    own = rows["symbol"].map({symbol: item.currency for symbol, item in instruments.items()})
    strange = rows[(currency != "") & (currency != own)]
    for (vendor, symbol), part in strange.groupby(["vendor", "symbol"], sort=True):
        reason = f"{vendor} quotes {symbol} in another currency than {own[part.index[0]]}; rows kept"
        quarantine.add(part.iloc[:1], "other_currency", "currency", reason)
