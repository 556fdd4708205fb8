"""What nights count and pay, class by class."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.core import AssetClass, MarketPanel
from wealtharena.core.panel import AssetCosts
from wealtharena.core.rates import CurrencyRates
from wealtharena.envs.simulation import run_weights
from wealtharena.execution import TradingRules
from wealtharena.markets.interest import Overnight, days_to_value, overnight_of

NONE = CurrencyRates()
RATES = CurrencyRates(series={"EUR": "EURRATE", "USD": "FEDFUNDS"})
WEEK = np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")


def macro(**series: float) -> pd.DataFrame:
    rows = {"series": list(series), "value": list(series.values())}
    day = pd.Timestamp("2023-12-29").as_unit("us")
    return pd.DataFrame(rows).assign(reference_date=day, available_date=day)


def overnight(asset_class: AssetClass, symbols: list[str], known: pd.DataFrame | None, **changes: object) -> Overnight:
    values: dict[str, object] = {"exchanges": ["XNYS"], "rates": NONE, "cash_series": ("FEDFUNDS", "SIM_RATE")}
    return overnight_of(asset_class, WEEK, symbols, macro=known, **values | changes)  # type: ignore[arg-type]


def test_value_dates_give_wednesday_night_three_days_and_the_weekend_one() -> None:
    days = np.array(["2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12", "2024-01-15"])
    assert days_to_value(days.astype("datetime64[D]")).tolist() == [0.0, 1.0, 1.0, 3.0, 1.0, 1.0]


def test_a_missing_session_and_a_stray_saturday_lose_no_day() -> None:
    days = np.array(["2024-01-09", "2024-01-11", "2024-01-12", "2024-01-13", "2024-01-15"], "datetime64[D]")
    assert days_to_value(days).tolist() == [0.0, 4.0, 1.0, 0.0, 1.0]


@given(st.sets(st.integers(0, 60), min_size=2))
def test_days_to_value_add_up_to_calendar_days_within_two(offsets: set[int]) -> None:
    days = np.busday_offset(np.datetime64("2024-01-01"), sorted(offsets)).astype("datetime64[D]")
    counted = days_to_value(days)
    assert (counted >= 0.0).all()
    assert abs(counted.sum() - (days[-1] - days[0]).astype(int)) <= 2


def test_cash_earns_the_first_series_at_hand() -> None:
    assert overnight(AssetClass.STOCKS, ["A"], macro(SIM_RATE=3.0)).cash_rate == pytest.approx(np.full(5, 0.03))
    both = overnight(AssetClass.STOCKS, ["A"], macro(SIM_RATE=3.0, FEDFUNDS=5.0))
    assert both.cash_rate == pytest.approx(np.full(5, 0.05))


def test_without_rates_there_is_no_interest() -> None:
    for known in (None, macro(CPIAUCSL=300.0)):
        none = overnight(AssetClass.STOCKS, ["A"], known)
        assert none.cash_rate is None
        assert none.carry is None
    assert overnight(AssetClass.STOCKS, ["A"], macro(FEDFUNDS=5.0), cash_series=()).cash_rate is None


def test_only_markets_around_the_clock_count_days_to_value() -> None:
    assert overnight(AssetClass.STOCKS, ["A"], None).accrual_days is None
    assert overnight(AssetClass.CRYPTO, ["A"], None, exchanges=["24/7"]).accrual_days is None
    assert overnight(AssetClass.CURRENCIES, ["A"], None, exchanges=["24/5"]).accrual_days is not None


def test_what_is_paid_for_has_no_carry_and_what_is_margined_carries_the_cash_rate() -> None:
    known = macro(FEDFUNDS=5.0, EURRATE=3.0)
    for asset_class in (AssetClass.STOCKS, AssetClass.ETFS, AssetClass.REITS, AssetClass.CRYPTO):
        assert overnight(asset_class, ["A"], known).carry is None
    assert overnight(AssetClass.COMMODITIES, ["GC=F"], known).carry == pytest.approx(np.full((5, 1), 0.05))
    pairs = overnight(AssetClass.CURRENCIES, ["EURUSD=X", "GBPJPY=X"], known, rates=RATES)
    assert pairs.carry == pytest.approx(np.tile([0.03, 0.05], (5, 1)))


def test_simulated_pairs_do_not_earn_their_differential_twice() -> None:
    known = macro(SIM_RATE=2.0, SIM_CARRY=4.0)
    assert overnight(AssetClass.CURRENCIES, ["CUR01.SIM"], known).carry == pytest.approx(np.full((5, 1), 0.02))


@pytest.mark.parametrize("weight", [1.0, -1.0, 0.25])
def test_a_margined_account_earns_the_cash_rate_and_the_differential_of_its_position(weight: float) -> None:
    """Prices stand still: 5 % a year on all of the cash, and the 2 % by which the euro yields less on the position."""
    night = overnight(AssetClass.CURRENCIES, ["EURUSD=X"], macro(FEDFUNDS=5.0, EURRATE=3.0), rates=RATES)
    path = run_weights(np.full((4, 1), weight), _still(night), 1, 4, TradingRules.unlimited())
    earned = (0.05 - 0.02 * weight) / 365.0
    assert path.returns[1:] == pytest.approx(np.full(3, earned), rel=1e-3)
    assert path.cash_returns == pytest.approx(np.full(4, 0.05 / 365.0))


def _still(night: Overnight) -> MarketPanel:
    shape = (5, 1)
    return MarketPanel(
        dates=WEEK,
        symbols=("EURUSD=X",),
        feature_names=(),
        features=np.zeros((*shape, 0), np.float32),
        open=np.ones(shape),
        close=np.ones(shape),
        tradable=np.ones(shape, np.bool_),
        observed=np.ones(shape, np.bool_),
        delisted=np.zeros(shape, np.bool_),
        dollar_volume=np.full(shape, np.nan),
        volatility=np.full(shape, 0.01),
        costs=AssetCosts.flat(1, 0.0),
        annualisation=252,
        carry=night.carry,
        cash_rate=night.cash_rate,
    )
