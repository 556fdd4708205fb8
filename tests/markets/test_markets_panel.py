"""Panels of one class, cell by cell on hand-made tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from wealtharena.core import AssetClass
from wealtharena.core.errors import CurationError, DataWindowError, SettingsError
from wealtharena.markets import assemble_panel
from wealtharena.settings import Settings

NAN = np.nan
STOCKS = AssetClass.STOCKS


def bars_of(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    """(symbol, date, open, close) as core bars."""
    frame = pd.DataFrame(rows, columns=["symbol", "session_date", "open", "close"])
    return frame.assign(
        session_date=pd.to_datetime(frame["session_date"]).astype("datetime64[us]"),
        high=frame["close"],
        low=frame["close"],
        volume=10.0,
        adj_factor=1.0,
        tradable=True,
        flags="",
    )


def features_of(bars: pd.DataFrame) -> pd.DataFrame:
    """Features that count the rows: 1, 2, 3 …"""
    frame = bars[["symbol", "session_date"]].copy()
    count = np.arange(1.0, len(bars) + 1)
    return frame.assign(observed=True, dollar_volume=100.0 * count, volatility=0.01 * count, count=np.float32(count))


def no_delisting() -> pd.DataFrame:
    return pd.DataFrame({"symbol": ["A"], "delisted_on": pd.Series([pd.NaT], dtype="datetime64[us]")})


def panel_of(bars: pd.DataFrame, coverage: pd.DataFrame | None = None, **changes: Any) -> Any:
    features = features_of(bars).assign(**changes)
    return assemble_panel(STOCKS, features, bars, no_delisting() if coverage is None else coverage, Settings())


TWO_CALENDARS = [
    ("A", "2024-01-02", 1.0, 2.0),
    ("A", "2024-01-03", 3.0, 4.0),
    ("B", "2024-01-01", 5.0, 6.0),
    ("B", "2024-01-03", 7.0, 8.0),
    ("B", "2024-01-04", 9.0, 10.0),
]


def test_dates_are_the_union_of_the_sessions() -> None:
    panel = panel_of(bars_of(TWO_CALENDARS))

    assert panel.dates.astype(str).tolist() == ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
    assert panel.dates.dtype == np.dtype("datetime64[D]")
    assert panel.symbols == ("A", "B")
    np.testing.assert_array_equal(panel.open, [[NAN, 5], [1, NAN], [3, 7], [NAN, 9]])
    np.testing.assert_array_equal(panel.close, [[NAN, 6], [2, NAN], [4, 8], [NAN, 10]])
    np.testing.assert_array_equal(panel.tradable, [[0, 1], [1, 0], [1, 1], [0, 1]])


def test_on_a_holiday_of_its_exchange_an_asset_keeps_its_last_features() -> None:
    panel = panel_of(bars_of(TWO_CALENDARS))

    np.testing.assert_array_equal(panel.observed, [[0, 1], [1, 1], [1, 1], [1, 1]])
    np.testing.assert_array_equal(panel.features[:, :, 0], [[0, 3], [1, 3], [2, 4], [2, 5]])
    np.testing.assert_array_equal(panel.dollar_volume, [[NAN, 300], [100, 300], [200, 400], [200, 500]])


def test_features_are_kept_for_seven_days_at_most() -> None:
    rows = [("A", "2024-01-01", 1.0, 1.0)]
    rows += [("B", f"2024-01-{day:02d}", 1.0, 1.0) for day in range(1, 12)]
    panel = panel_of(bars_of(rows))
    assert panel.observed[:, 0].tolist() == [True] * 8 + [False] * 3
    assert (panel.features[8:, 0] == 0.0).all()


def test_a_bar_that_is_not_observed_is_not_papered_over() -> None:
    panel = panel_of(bars_of(TWO_CALENDARS), observed=[True, False, True, True, True])
    np.testing.assert_array_equal(panel.observed[:, 0], [False, True, False, False])
    assert panel.features[2, 0, 0] == 0.0


def test_prices_are_adjusted_where_no_actions_are_known() -> None:
    bars = bars_of(TWO_CALENDARS).assign(adj_factor=[0.5, 1.0, 1.0, 1.0, 1.0])
    panel = panel_of(bars)
    assert (panel.open[1, 0], panel.close[1, 0]) == (0.5, 1.0)
    assert (panel.split, panel.dividend) == (None, None)


def test_with_actions_prices_are_as_stored_and_splits_and_dividends_are_events() -> None:
    """A splits 2:1 on its second bar; B pays a tenth of 6 on its second."""
    bars = bars_of(TWO_CALENDARS).assign(adj_factor=[0.5, 1.0, 0.9, 1.0, 1.0])
    actions = pd.DataFrame({"symbol": ["A"], "ex_date": ["2024-01-03"], "kind": ["split"], "ratio": [2.0]})
    panel = assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), Settings(), actions=actions)

    np.testing.assert_array_equal(panel.close, [[NAN, 6], [2, NAN], [4, 8], [NAN, 10]])
    np.testing.assert_array_equal(panel.split, [[1, 1], [1, 1], [2, 1], [1, 1]])
    np.testing.assert_allclose(panel.dividend, [[0, 0], [0, 0], [0, 0.6], [0, 0]], atol=1e-12)


def test_total_return_closes_show_neither_splits_nor_dividends_and_nothing_of_the_future() -> None:
    bars = bars_of(TWO_CALENDARS).assign(adj_factor=[0.5, 1.0, 0.9, 1.0, 1.0])
    actions = pd.DataFrame({"symbol": ["A"], "ex_date": ["2024-01-03"], "kind": ["split"], "ratio": [2.0]})
    panel = assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), Settings(), actions=actions)

    expected = [[NAN, 6], [2, NAN], [8, 8 / 0.9], [NAN, 10 / 0.9]]
    np.testing.assert_allclose(panel.total_return_close, expected, rtol=1e-12)
    np.testing.assert_array_equal(panel.rows(0, 3).total_return_close, panel.total_return_close[:3])
    np.testing.assert_array_equal(panel_of(bars).total_return_close, panel_of(bars).close)


@pytest.mark.parametrize(("opened", "tradable"), [(0.0, True), (-3.0, True), (NAN, True), (5.0, False)])
def test_no_fill_at_a_bad_open_or_a_halt(opened: float, tradable: bool) -> None:
    bars = bars_of([("A", "2024-01-01", 1.0, 1.0), ("A", "2024-01-02", opened, 2.0)]).assign(tradable=[True, tradable])
    assert panel_of(bars).tradable[:, 0].tolist() == [True, False]


def test_negative_close_is_kept() -> None:
    assert panel_of(bars_of([("A", "2024-01-01", 1.0, -37.63)])).close[0, 0] == -37.63


def test_delisting_shows_on_the_first_session_after_the_last_bar() -> None:
    rows = [("A", "2024-01-01", 1.0, 1.0), ("A", "2024-01-02", 1.0, 1.0)]
    rows += [("B", f"2024-01-{day:02d}", 1.0, 1.0) for day in (1, 2, 4, 5)]
    coverage = pd.DataFrame({"symbol": ["A", "B"], "delisted_on": [pd.Timestamp("2024-01-02"), pd.NaT]})
    panel = panel_of(bars_of(rows), coverage)

    np.testing.assert_array_equal(panel.delisted[:, 0], [False, False, True, False])
    np.testing.assert_array_equal(panel.observed[:, 0], [True, True, False, False])
    assert not panel.delisted[:, 1].any()


def test_delisting_on_the_last_session_is_not_shown_yet() -> None:
    coverage = pd.DataFrame({"symbol": ["A"], "delisted_on": [pd.Timestamp("2024-01-01").date()]})
    assert not panel_of(bars_of([("A", "2024-01-01", 1.0, 1.0)]), coverage).delisted.any()


def test_bars_after_the_delisting_are_refused() -> None:
    coverage = pd.DataFrame({"symbol": ["A"], "delisted_on": [pd.Timestamp("2024-01-02")]})
    with pytest.raises(CurationError, match="A must have no bar after its delisting on 2024-01-02"):
        panel_of(bars_of(TWO_CALENDARS), coverage)


def test_features_of_other_rows_are_refused() -> None:
    bars = bars_of(TWO_CALENDARS)
    with pytest.raises(CurationError, match="B on 2024-01-04 is in one only"):
        assemble_panel(STOCKS, features_of(bars).iloc[:-1], bars, no_delisting(), Settings())


def test_no_bars_are_refused() -> None:
    bars = bars_of(TWO_CALENDARS).iloc[:0]
    with pytest.raises(DataWindowError, match="stocks has no bars"):
        assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), Settings())


def test_class_without_costs_is_refused() -> None:
    bars = bars_of(TWO_CALENDARS)
    settings = Settings.model_construct(costs={})
    with pytest.raises(SettingsError, match="unknown class in costs 'stocks'"):
        assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), settings)


def test_costs_and_annualisation_are_those_of_the_class() -> None:
    bars = bars_of(TWO_CALENDARS)
    panel = assemble_panel(AssetClass.CRYPTO, features_of(bars), bars, no_delisting(), Settings())
    assert panel.annualisation == 365
    own = Settings().costs[AssetClass.CRYPTO]
    assert panel.costs.commission.tolist() == pytest.approx([own.commission_bps / 1e4] * 2)
    assert panel.costs.half_spread.tolist() == pytest.approx([own.half_spread_bps / 1e4] * 2)


def test_an_exchange_with_costs_of_its_own_has_them() -> None:
    bars = bars_of(TWO_CALENDARS)
    exchanges = {"B": "XASX", "A": "XNYS", "C": "XASX"}
    panel = assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), Settings(), exchanges=exchanges)
    own = Settings().costs[STOCKS]
    assert panel.costs.commission_per_unit.tolist() == [own.commission_per_unit, 0.0]
    assert panel.costs.min_commission.tolist() == [0.0, own.exchanges["XASX"].min_commission]


def test_interest_comes_from_macro_series_and_is_part_of_the_data_version() -> None:
    bars = bars_of(TWO_CALENDARS)
    out = pd.Series([pd.Timestamp("2024-01-02")]).astype("datetime64[us]")
    macro = pd.DataFrame({"series": ["FEDFUNDS"], "value": [5.0], "reference_date": out, "available_date": out})
    panel = assemble_panel(STOCKS, features_of(bars), bars, no_delisting(), Settings(), macro=macro)
    np.testing.assert_array_equal(panel.cash_rate, [NAN, NAN, 0.05, 0.05])
    assert panel.carry is None
    assert panel_of(bars).cash_rate is None
    assert panel_of(bars).content_hash != panel.content_hash


def test_currency_nights_count_days_to_value() -> None:
    bars = bars_of([("A", f"2024-01-{day:02d}", 1.0, 1.0) for day in (2, 3, 4, 5, 8)])
    panel = assemble_panel(
        AssetClass.CURRENCIES, features_of(bars), bars, no_delisting(), Settings(), exchanges={"A": "24/5"}
    )
    assert panel.accrual_days.tolist() == [0.0, 1.0, 3.0, 1.0, 1.0]


def test_currencies_have_no_dollar_volume() -> None:
    bars = bars_of(TWO_CALENDARS)
    panel = assemble_panel(AssetClass.CURRENCIES, features_of(bars), bars, no_delisting(), Settings())
    assert np.isnan(panel.dollar_volume).all()
    assert not np.isnan(panel.volatility[-1]).any()


def test_order_of_feature_columns_does_not_matter() -> None:
    bars = bars_of(TWO_CALENDARS)
    features = features_of(bars).assign(macro_B=np.float32(1.0), rsi_14=np.float32(2.0), return_1=np.float32(3.0))
    backwards = features[list(features.columns)[::-1]].sample(frac=1.0, random_state=0)

    panel = assemble_panel(STOCKS, features, bars, no_delisting(), Settings())

    assert panel.feature_names == ("return_1", "rsi_14", "count", "macro_B")
    assert assemble_panel(STOCKS, backwards, bars, no_delisting(), Settings()).content_hash == panel.content_hash
