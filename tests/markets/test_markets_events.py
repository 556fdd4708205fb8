"""Splits and dividends out of adjustment factors, bar by bar."""

import numpy as np
import pandas as pd
import pytest

from wealtharena.markets.events import bar_events

NONE = pd.DataFrame({"symbol": [], "ex_date": pd.to_datetime([]), "kind": [], "ratio": []})


def bars_of(close: list[float], factor: list[float], days: list[str] | None = None, symbol: str = "A") -> pd.DataFrame:
    dates = days or [f"2024-01-{day:02d}" for day in range(1, len(close) + 1)]
    session_date = pd.to_datetime(dates).astype("datetime64[us]")
    return pd.DataFrame({"symbol": symbol, "session_date": session_date, "close": close, "adj_factor": factor})


def action(ex_date: str, ratio: float, kind: str = "split", symbol: str = "A") -> pd.DataFrame:
    return pd.DataFrame({"symbol": [symbol], "ex_date": [pd.Timestamp(ex_date)], "kind": [kind], "ratio": [ratio]})


def test_a_dividend_is_the_share_that_the_factor_takes_of_the_close_before() -> None:
    split, dividend = bar_events(bars_of([50.0, 49.0, 49.5], [0.98, 1.0, 1.0]), NONE)
    assert split.tolist() == [1.0, 1.0, 1.0]
    assert dividend.tolist() == pytest.approx([0.0, 1.0, 0.0])


def test_a_split_changes_units_and_pays_nothing() -> None:
    split, dividend = bar_events(bars_of([100.0, 25.0, 26.0], [0.25, 1.0, 1.0]), action("2024-01-02", 4.0))
    assert split.tolist() == [1.0, 4.0, 1.0]
    assert dividend.tolist() == [0.0, 0.0, 0.0]


def test_a_dividend_on_the_day_of_a_split_is_per_new_unit() -> None:
    """100 becomes 4 units of 25, each of which pays 0.50."""
    split, dividend = bar_events(bars_of([100.0, 24.5], [0.25 * 0.98, 1.0]), action("2024-01-02", 4.0))
    assert split[1] == 4.0
    assert dividend[1] == pytest.approx(0.5)


def test_demergers_and_rights_are_paid_in_cash() -> None:
    split, dividend = bar_events(bars_of([44.0, 31.0], [0.7109, 1.0]), action("2024-01-02", 0.7109, "demerger"))
    assert split[1] == 1.0
    assert dividend[1] == pytest.approx(44.0 * 0.2891)


def test_an_ex_date_without_a_bar_takes_effect_on_the_next_one() -> None:
    days = ["2024-01-01", "2024-01-05"]
    split, _ = bar_events(bars_of([100.0, 50.0], [0.5, 1.0], days), action("2024-01-03", 2.0))
    assert split.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("ex_date", ["2023-12-30", "2024-01-01", "2024-02-01"])
def test_what_lies_before_the_first_or_after_the_last_bar_is_no_event(ex_date: str) -> None:
    split, dividend = bar_events(bars_of([100.0, 101.0], [0.5, 0.5]), action(ex_date, 2.0))
    assert split.tolist() == [1.0, 1.0]
    assert dividend.tolist() == [0.0, 0.0]


def test_two_splits_that_fall_on_one_bar_multiply() -> None:
    actions = pd.concat([action("2024-01-02", 2.0), action("2024-01-03", 3.0)])
    split, _ = bar_events(bars_of([60.0, 10.0], [1 / 6, 1.0], ["2024-01-01", "2024-01-04"]), actions)
    assert split.tolist() == [1.0, 6.0]


def test_rounding_of_adjusted_closes_is_no_dividend_and_does_not_add_up() -> None:
    """A slow drift of the ratio is followed to within 1e-5."""
    generator = np.random.default_rng(0)
    still = bars_of([10.0] * 300, list(1.0 + generator.uniform(-2e-6, 2e-6, 300)), _days(300))
    assert not bar_events(still, NONE)[1].any()
    factor = np.exp(np.linspace(-1e-3, 0.0, 300))
    paid = bar_events(bars_of([10.0] * 300, list(factor), _days(300)), NONE)[1]
    assert np.prod(1.0 - paid / 10.0) == pytest.approx(np.exp(-1e-3), abs=2e-5)


def test_symbols_do_not_mix() -> None:
    bars = pd.concat([bars_of([100.0, 50.0], [0.5, 1.0]), bars_of([7.0, 8.0], [0.1, 0.1], symbol="B")])
    split, dividend = bar_events(bars.reset_index(drop=True), action("2024-01-02", 2.0))
    assert split.tolist() == [1.0, 2.0, 1.0, 1.0]
    assert not dividend.any()


def test_a_price_below_zero_pays_nothing() -> None:
    assert not bar_events(bars_of([-37.0, 10.0], [0.9, 1.0]), NONE)[1].any()


def _days(count: int) -> list[str]:
    return pd.date_range("2020-01-01", periods=count).strftime("%Y-%m-%d").tolist()
