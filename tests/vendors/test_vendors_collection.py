"""The table of instruments that a collection leaves behind."""

from datetime import date

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.vendors.collection import INSTRUMENT_COLUMNS, instrument_rows


def test_instruments_are_rows_with_plain_class_names_and_the_days_of_their_listing() -> None:
    gone = Instrument(
        "NCM.AX",
        AssetClass.STOCKS,
        "XASX",
        "AUD",
        "Materials",
        "Newcrest",
        "ASX",
        date(1988, 1, 28),
        date(2023, 10, 26),
    )
    rows = instrument_rows(
        [gone, Instrument("BTC-USD", AssetClass.CRYPTO, "24/7", aliases=(("coingecko", "bitcoin"),))]
    )
    assert list(rows.columns) == list(INSTRUMENT_COLUMNS)
    assert rows.iloc[0].to_dict() == {
        "symbol": "NCM.AX",
        "asset_class": "stocks",
        "exchange": "XASX",
        "currency": "AUD",
        "sector": "Materials",
        "name": "Newcrest",
        "venue": "ASX",
        "first_day": pd.Timestamp(1988, 1, 28),
        "last_day": pd.Timestamp(2023, 10, 26),
    }
    assert rows.iloc[1][["first_day", "last_day"]].isna().all()


def test_without_instruments_the_columns_and_types_are_there() -> None:
    rows = instrument_rows([])
    assert list(rows.columns) == list(INSTRUMENT_COLUMNS)
    assert rows["first_day"].dtype == rows["last_day"].dtype == "datetime64[us]"
