"""The guard in front of TA-Lib."""

import numpy as np
import pytest
import talib

from wealtharena.indicators import Indicator, evaluate
from wealtharena.indicators.indicator import MAX_STALE_BARS, usable_bars


def _echo(*arrays: np.ndarray) -> np.ndarray:
    return arrays[0].copy()


ECHO = Indicator("echo", _echo, ("high", "close"), 1, "the high")


def test_why_there_is_a_guard() -> None:
    close = np.arange(1.0, 60.0)
    close[20] = np.nan
    assert talib.RSI(close, timeperiod=14)[-1] == 0.0


def test_function_sees_consecutive_usable_bars_only() -> None:
    seen: list[list[float]] = []

    def record(high: np.ndarray, close: np.ndarray) -> np.ndarray:
        seen.append(high.tolist())
        return high * 0.0

    bars = {"high": np.array([1.0, 0.0, 3.0, np.nan, 5.0, 6.0]), "close": np.array([1.0, 1, 1, 1, -1.0, 1])}
    evaluate(Indicator("record", record, ("high", "close"), 1, ""), bars)

    assert seen == [[1.0, 3.0, 6.0]]


def test_a_bar_without_an_input_keeps_the_last_value_for_five_bars() -> None:
    high = np.full(12, np.nan)
    high[:3] = [1.0, 2.0, 3.0]

    output = evaluate(ECHO, {"high": high, "close": np.ones(12)})

    assert MAX_STALE_BARS == 5
    np.testing.assert_array_equal(output, [np.nan, 2, 3, 3, 3, 3, 3, 3, np.nan, np.nan, np.nan, np.nan])


def test_lookback_is_counted_in_usable_bars() -> None:
    high = np.array([np.nan, 1.0, np.nan, 2.0])
    output = evaluate(ECHO, {"high": high, "close": np.ones(4)})
    np.testing.assert_array_equal(output, [np.nan, np.nan, np.nan, 2.0])


def test_output_is_clipped() -> None:
    output = evaluate(ECHO, {"high": np.array([1.0, 2.0, 90.0]), "close": np.ones(3)})
    assert output[-1] == 5.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 0.0, -3.0])
def test_prices_must_be_finite_and_positive(bad: float) -> None:
    assert usable_bars(("close",), {"close": np.array([1.0, bad])}).tolist() == [True, False]


def test_zero_volume_is_a_value_but_negative_is_not() -> None:
    assert usable_bars(("traded_value",), {"traded_value": np.array([0.0, -1.0, np.nan])}).tolist() == [
        True,
        False,
        False,
    ]
