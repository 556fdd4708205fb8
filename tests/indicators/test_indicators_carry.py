"""Carry: the interest differential that was published, from the session after its release."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.rates import CurrencyRates
from wealtharena.indicators import INDICATORS, carry_rates, cash_rate, compute_features, uses_carry
from wealtharena.indicators.carry import MAX_RATE_AGE_DAYS, published_rate

RATES = CurrencyRates({"USD": "FEDFUNDS", "EUR": "ECBDFR", "JPY": "IR3JP"}, frozenset({"ECBDFR", "IR3JP"}))
DATES = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
Release = tuple[int, float, int]


def macro_of(**series: list[Release]) -> pd.DataFrame:
    """(reference day, value in per cent, days until release) per series, days counted from 2020-01-01."""
    start = pd.Timestamp("2020-01-01")
    rows = [
        (name, start + pd.Timedelta(days=day), value, start + pd.Timedelta(days=day + lag))
        for name, releases in series.items()
        for day, value, lag in releases
    ]
    return pd.DataFrame(rows, columns=["series", "reference_date", "value", "available_date"])


def test_a_rate_counts_from_the_session_after_its_release() -> None:
    rate = published_rate(DATES, macro_of(ECBDFR=[(0, 2.0, 5), (10, 3.0, 5)]), "ECBDFR")
    assert np.isnan(rate[:6]).all()
    assert (rate[6:16] == 0.02).all()
    assert (rate[16:] == 0.03).all()


def test_carry_is_the_first_currency_less_the_second() -> None:
    macro = macro_of(FEDFUNDS=[(0, 1.5, 0)], ECBDFR=[(0, -0.5, 0)])
    rates = carry_rates(DATES, ["EURUSD=X", "USDEUR", "EURUSD"], macro, RATES)
    np.testing.assert_allclose(rates[1], [-0.02, 0.02, -0.02])


def test_simulated_pairs_alternate_and_can_be_left_out() -> None:
    macro, symbols = macro_of(SIM_CARRY=[(0, 1.25, 1)]), ["CUR01.SIM", "CUR02.SIM", "CUR11.SIM"]
    assert carry_rates(DATES, symbols, macro, RATES)[2].tolist() == [0.0125, -0.0125, 0.0125]
    assert np.isnan(carry_rates(DATES, symbols, macro, RATES, with_simulated=False)).all()


@pytest.mark.parametrize(
    "symbol", ["BHP.AX", "BTC-USD", "GC=F", "EURCHF=X", "XAUUSD=X", "CHFUSD=X", "EURUSDX", "STK01.SIM"]
)
def test_nothing_is_known_of_what_nobody_publishes(symbol: str) -> None:
    macro = macro_of(FEDFUNDS=[(0, 1.5, 0)], ECBDFR=[(0, 0.5, 0)], SIM_CARRY=[(0, 1.0, 0)])
    assert np.isnan(carry_rates(DATES, [symbol], macro, RATES)).all()


def test_a_pair_with_one_rate_missing_is_not_known() -> None:
    assert np.isnan(carry_rates(DATES, ["EURJPY=X"], macro_of(ECBDFR=[(0, 0.5, 0)]), RATES)).all()
    assert np.isnan(carry_rates(DATES, ["EURJPY=X"], None, RATES)).all()


def test_a_revision_counts_from_its_own_release_on() -> None:
    rate = published_rate(DATES, macro_of(R=[(0, 2.0, 1), (0, 2.5, 9)]), "R")
    assert (rate[9], rate[10]) == (0.02, 0.025)


def test_a_late_word_on_an_old_month_does_not_replace_the_newest_rate() -> None:
    rate = published_rate(DATES, macro_of(R=[(0, 2.0, 1), (5, 4.0, 1), (0, 3.0, 20)]), "R")
    assert (rate[7:] == 0.04).all()


def test_a_rate_that_is_not_published_anew_is_forgotten() -> None:
    dates = np.arange("2020-01-01", "2021-01-01", dtype="datetime64[D]")
    known = np.isfinite(published_rate(dates, macro_of(R=[(0, 2.0, 3)]), "R"))
    assert known.sum() == MAX_RATE_AGE_DAYS
    assert np.flatnonzero(known)[-1] == 3 + MAX_RATE_AGE_DAYS


def test_cash_earns_the_first_series_that_is_at_hand() -> None:
    macro = macro_of(SIM_RATE=[(0, 3.0, 0)], ECBDFR=[(0, 1.0, 0)])
    assert cash_rate(DATES, macro, ("FEDFUNDS", "SIM_RATE", "ECBDFR"))[-1] == 0.03
    assert np.isnan(cash_rate(DATES, macro, ("FEDFUNDS",))).all()
    assert np.isnan(cash_rate(DATES, macro, ())).all()
    assert np.isnan(cash_rate(DATES, None, ("SIM_RATE",))).all()


@settings(max_examples=80)
@given(
    releases=st.lists(st.tuples(st.integers(-40, 50), st.floats(-20, 20), st.integers(0, 90)), min_size=1, max_size=40),
    cut=st.integers(0, len(DATES) - 1),
)
def test_later_releases_never_change_an_earlier_rate(releases: list[Release], cut: int) -> None:
    macro = macro_of(R=releases).drop_duplicates(["reference_date", "available_date"])
    known = macro[macro["available_date"] < pd.Timestamp(DATES[cut])]
    whole = published_rate(DATES, macro, "R")[: cut + 1]
    np.testing.assert_array_equal(published_rate(DATES[: cut + 1], known, "R"), whole)


def bars_of(*symbols: str) -> pd.DataFrame:
    sessions = pd.bdate_range("2019-08-01", periods=150).as_unit("us")
    frames = []
    for number, symbol in enumerate(symbols):
        close = np.exp(np.cumsum(np.random.default_rng(number).normal(0, 0.005, len(sessions))))
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        frames.append(pd.DataFrame({"symbol": symbol, "session_date": sessions, **prices}))
    return pd.concat(frames, ignore_index=True).assign(volume=np.nan, adj_factor=1.0)


def test_the_indicator_is_the_rate_over_yearly_volatility_and_0_where_not_known() -> None:
    bars = bars_of("EURUSD=X", "EURCHF=X")
    macro = macro_of(FEDFUNDS=[(0, 1.0, 0)], ECBDFR=[(0, 3.0, 4)])
    features = compute_features(bars, macro, ["carry"], include_macro=False, rates=RATES)
    pair = features[features["symbol"] == "EURUSD=X"].reset_index(drop=True)
    late = pair["session_date"] > pd.Timestamp("2020-01-05")

    assert features.groupby("symbol")["observed"].sum().tolist() == [150 - 63] * 2
    assert (pair.loc[~late, "carry"] == 0.0).all()
    expected = 4.0 * 0.02 / (pair["volatility"] * 252.0**0.5)
    np.testing.assert_allclose(pair.loc[late, "carry"], expected[late], rtol=1e-6)
    assert (features.loc[features["symbol"] == "EURCHF=X", "carry"] == 0.0).all()


def test_without_rates_carry_is_0_and_nothing_else_changes() -> None:
    bars = bars_of("EURUSD=X", "USDJPY=X")
    names = ["rsi_14", "carry", "carry_rank", "return_63"]
    features = compute_features(bars, None, names)
    assert (features[["carry", "carry_rank"]] == 0.0).all(axis=None)
    without = compute_features(bars, None, ["rsi_14", "return_63"])
    pd.testing.assert_frame_equal(features.drop(columns=["carry", "carry_rank"]), without)


def test_series_that_serve_carry_only_are_no_macro_features() -> None:
    macro = macro_of(FEDFUNDS=[(0, 1.0, 0)], ECBDFR=[(0, 3.0, 4)], DGS10=[(0, 3.0, 4)])
    with_rates = compute_features(bars_of("EURUSD=X"), macro, ["carry"], rates=RATES)
    assert [name for name in with_rates if name.startswith("macro_")] == ["macro_DGS10", "macro_FEDFUNDS"]


def test_it_is_known_which_features_need_rates() -> None:
    assert uses_carry(["rsi_14", "carry_rank"])
    assert uses_carry(["carry"])
    assert not uses_carry([name for name in INDICATORS if name != "carry"])
    assert not uses_carry(["calendar_month_sin"])
