"""What was asked for, as rows of the table of instruments."""

from collections.abc import Sequence

import pandas as pd

from wealtharena.core.market_data import Instrument

INSTRUMENT_COLUMNS = (
    "symbol", "asset_class", "exchange", "currency", "sector", "name", "venue", "first_day", "last_day"
)  # fmt: skip


def instrument_rows(instruments: Sequence[Instrument]) -> pd.DataFrame:
    """Rows of ``core_market__instruments``; days are ``datetime64[us]``, NaT where there is none."""
    rows = [tuple(getattr(item, column) for column in INSTRUMENT_COLUMNS) for item in instruments]
    frame = pd.DataFrame(rows, columns=list(INSTRUMENT_COLUMNS))
    days = {column: pd.to_datetime(frame[column]).astype("datetime64[us]") for column in ("first_day", "last_day")}
    return frame.assign(asset_class=frame["asset_class"].astype(str), **days)
