"""The panel of the combined book."""

from dataclasses import replace

import numpy as np
import pytest

from wealtharena.core import MarketPanel
from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts
from wealtharena.markets import join_panels

NAN = np.nan


def panel(symbols: str, dates: list[str], annualisation: int = 252, cost: float = 0.001) -> MarketPanel:
    """Every asset has a bar on every date; closes count up from 1."""
    shape = (len(dates), len(symbols))
    prices = np.arange(1.0, shape[0] * shape[1] + 1).reshape(shape)
    return MarketPanel(
        dates=np.array(dates, dtype="datetime64[D]"),
        symbols=tuple(symbols),
        feature_names=("f",),
        features=np.ones((*shape, 1), dtype=np.float32),
        open=prices,
        close=prices,
        tradable=np.ones(shape, dtype=np.bool_),
        observed=np.ones(shape, dtype=np.bool_),
        delisted=np.zeros(shape, dtype=np.bool_),
        dollar_volume=prices,
        volatility=prices,
        costs=AssetCosts.flat(shape[1], cost),
        annualisation=annualisation,
    )


WEEK = panel("B", ["2024-01-05", "2024-01-08"])
EVERY_DAY = panel("AC", ["2024-01-05", "2024-01-06", "2024-01-07"], annualisation=365, cost=0.002)


def test_assets_lie_on_the_union_of_dates_in_symbol_order() -> None:
    joined = join_panels({"stocks": WEEK, "crypto": EVERY_DAY})

    assert joined.dates.astype(str).tolist() == ["2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08"]
    assert joined.symbols == ("A", "B", "C")
    np.testing.assert_array_equal(joined.close, [[1, 1, 2], [3, NAN, 4], [5, NAN, 6], [NAN, 2, NAN]])
    np.testing.assert_array_equal(joined.tradable, [[1, 1, 1], [1, 0, 1], [1, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(joined.observed, joined.tradable)
    np.testing.assert_array_equal(joined.volatility, [[1, 1, 2], [3, 1, 4], [5, 1, 6], [5, 2, 6]])
    assert joined.costs.commission.tolist() == [0.002, 0.001, 0.002]
    assert joined.annualisation == 365
    assert joined.features.shape == (4, 3, 0)


def test_order_of_the_panels_does_not_matter() -> None:
    there = join_panels({"stocks": WEEK, "crypto": EVERY_DAY})
    back = join_panels({"crypto": EVERY_DAY, "stocks": WEEK})
    assert there.content_hash == back.content_hash


def test_equal_symbols_carry_their_class() -> None:
    joined = join_panels({"stocks": WEEK, "etfs": panel("BD", ["2024-01-05"])})
    assert joined.symbols == ("D", "etfs:B", "stocks:B")
    np.testing.assert_array_equal(joined.close[0], [2, 1, 1])


def test_delisting_keeps_its_date() -> None:
    gone = replace(WEEK, delisted=np.array([[False], [True]]))
    joined = join_panels({"stocks": gone, "crypto": EVERY_DAY})
    np.testing.assert_array_equal(joined.delisted[:, 1], [False, False, False, True])


def test_one_panel_keeps_its_bars() -> None:
    joined = join_panels({"crypto": EVERY_DAY})
    np.testing.assert_array_equal(joined.close, EVERY_DAY.close)
    assert joined.symbols == EVERY_DAY.symbols


def test_events_and_interest_stand_on_their_dates() -> None:
    paying = replace(WEEK, dividend=np.array([[0.0], [0.5]]), cash_rate=np.array([0.02, 0.03]))
    splitting = replace(EVERY_DAY, split=np.array([[1, 1], [2, 1], [1, 1.0]]), carry=np.full((3, 2), 0.01))
    joined = join_panels({"stocks": paying, "crypto": splitting})

    np.testing.assert_array_equal(joined.dividend, [[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0.5, 0]])
    np.testing.assert_array_equal(joined.split, [[1, 1, 1], [2, 1, 1], [1, 1, 1], [1, 1, 1]])
    np.testing.assert_array_equal(joined.carry, np.tile([0.01, NAN, 0.01], (4, 1)))
    np.testing.assert_array_equal(joined.cash_rate, [0.02, 0.02, 0.02, 0.03])
    assert joined.accrual_days is None


def test_without_events_and_interest_there_are_none() -> None:
    joined = join_panels({"stocks": WEEK, "crypto": EVERY_DAY})
    assert [joined.dividend, joined.split, joined.carry, joined.cash_rate, joined.accrual_days] == [None] * 5


def test_one_panel_keeps_its_count_of_days() -> None:
    counted = replace(WEEK, accrual_days=np.array([0.0, 1.0]))
    assert join_panels({"currencies": counted}).accrual_days.tolist() == [0.0, 1.0]


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(DataWindowError, match="at least one panel"):
        join_panels({})
