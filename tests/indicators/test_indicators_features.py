"""The table of features of a class."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.errors import SettingsError
from wealtharena.indicators import CALENDAR, CROSS_SECTIONS, INDICATORS, compute_features
from wealtharena.markets.feature_list import listed_features

DOCS = Path(__file__).parents[2] / "docs" / "indicators.md"


def bars_of(**closes: list[float]) -> pd.DataFrame:
    """Flat bars (open = high = low = close) with volume 100; NaN leaves the bar out."""
    frames = []
    for symbol, close in closes.items():
        dates = pd.bdate_range("2020-01-01", periods=len(close)).as_unit("us")
        prices = dict.fromkeys(("open", "high", "low", "close"), close)
        frame = pd.DataFrame({"symbol": symbol, "session_date": dates, **prices, "volume": 100.0, "adj_factor": 1.0})
        frames.append(frame.dropna())
    return pd.concat(frames, ignore_index=True)


def random_walk(seed: int, count: int = 120) -> list[float]:
    return list(np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, count))))


def test_columns_and_rows_follow_the_contract() -> None:
    bars = bars_of(B=random_walk(1), A=random_walk(2))
    features = compute_features(bars, None, ["rsi_14", "momentum_rank"])

    assert list(features.columns) == [
        "symbol",
        "session_date",
        "observed",
        "dollar_volume",
        "volatility",
        "rsi_14",
        "momentum_rank",
    ]
    assert len(features) == 240
    assert features["symbol"].is_monotonic_increasing
    assert features.groupby("symbol")["observed"].sum().tolist() == [120 - 63, 120 - 63]


def test_unknown_indicator_names_those_that_exist() -> None:
    with pytest.raises(SettingsError, match=r"unknown indicator 'rsi_15'; known: .*momentum_rank.*rsi_14"):
        compute_features(bars_of(A=[1.0, 2.0]), None, ["rsi_15"])


def test_an_indicator_named_twice_is_refused() -> None:
    with pytest.raises(SettingsError, match="each may be named once, got rsi_14, rsi_2, rsi_14"):
        compute_features(bars_of(A=[1.0, 2.0]), None, ["rsi_14", "rsi_2", "rsi_14"])


def test_no_bars_give_an_empty_table() -> None:
    features = compute_features(bars_of(A=[1.0]).iloc[:0], None, ["rsi_14"])
    assert list(features.columns)[-1] == "rsi_14"
    assert features.empty


def test_dollar_volume_is_the_mean_of_the_known_traded_value() -> None:
    features = compute_features(bars_of(A=[1.0, 3.0] + [2.0] * 30), None, ["rsi_2"])
    assert features["dollar_volume"].iloc[[0, 1, -1]].tolist() == pytest.approx([100.0, 200.0, 200.0])


def test_dollar_volume_ignores_adjustment_and_is_nan_without_volume() -> None:
    bars = bars_of(A=[2.0] * 30)
    assert compute_features(bars.assign(adj_factor=0.1), None, ["rsi_2"])["dollar_volume"].iloc[-1] == 200.0
    assert compute_features(bars.assign(volume=np.nan), None, ["rsi_2"])["dollar_volume"].isna().all()


def test_volatility_needs_21_returns_and_uses_63() -> None:
    close = random_walk(3)
    volatility = compute_features(bars_of(A=close), None, ["rsi_2"])["volatility"]
    returns = np.diff(np.log(close))
    assert volatility.iloc[:21].isna().all()
    assert volatility.iloc[21] == pytest.approx(returns[:21].std(ddof=1))
    assert volatility.iloc[-1] == pytest.approx(returns[-63:].std(ddof=1))


def test_a_negative_close_is_not_observed_and_leaves_no_trace() -> None:
    close = random_walk(4)
    with_oil = [*close[:100], -37.63, *close[100:]]
    features = compute_features(bars_of(A=with_oil), None, ["rsi_14", "return_1"])
    plain = compute_features(bars_of(A=close), None, ["rsi_14", "return_1"])

    assert not features["observed"].iloc[100]
    assert features[["rsi_14", "return_1"]].iloc[100].tolist() == [0.0, 0.0]
    assert features["volatility"].iloc[100] == features["volatility"].iloc[99]
    np.testing.assert_array_equal(features["return_1"].iloc[101:], plain["return_1"].iloc[100:])


def test_a_bar_without_high_stays_observed() -> None:
    bars = bars_of(A=random_walk(5))
    bars.loc[100, ["high", "low"]] = 0.0
    features = compute_features(bars, None, ["stochastic_14", "rsi_14"])
    assert features["observed"].iloc[100]
    assert features["stochastic_14"].iloc[100] == features["stochastic_14"].iloc[99]
    assert features["rsi_14"].iloc[100] != features["rsi_14"].iloc[99]


def test_adjustment_removes_the_split() -> None:
    close = np.array(random_walk(6))
    split = bars_of(A=list(np.where(np.arange(120) < 60, 2.0 * close, close)))
    split["adj_factor"] = np.where(np.arange(120) < 60, 0.5, 1.0)
    names = ["return_21", "rsi_14", "stochastic_14"]
    expected = compute_features(bars_of(A=list(close)), None, names)[names]
    pd.testing.assert_frame_equal(compute_features(split, None, names)[names], expected, check_exact=True)


def test_order_of_rows_does_not_matter() -> None:
    bars = bars_of(A=random_walk(7), B=random_walk(8))
    names = ["rsi_14", "volatility_rank"]
    shuffled = bars.sample(frac=1.0, random_state=1)
    pd.testing.assert_frame_equal(compute_features(shuffled, None, names), compute_features(bars, None, names))


def test_every_feature_is_documented_as_the_list_tells_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    told = {name: cells.split(" | ") for name, cells in rows}
    assert [name for name, _ in rows] == [*INDICATORS, *CROSS_SECTIONS, *CALENDAR]
    for item in listed_features():
        users = ", ".join(item.classes) or "–"
        if item.name in INDICATORS:
            assert told[item.name][1:] == [", ".join(item.inputs), str(item.lookback_bars), users]
        elif item.name in CROSS_SECTIONS:
            assert told[item.name] == [item.group, f"`{item.inputs[0]}`", item.description.rstrip("."), users]
        else:
            assert told[item.name] == [item.description.rstrip(".")]
    counts = f"{len(INDICATORS)} indicators, {len(CROSS_SECTIONS)} comparisons within a class and {len(CALENDAR)}"
    assert counts in DOCS.read_text(encoding="utf-8")


def test_there_are_indicators_of_every_kind() -> None:
    groups = {item.group for item in listed_features()}
    assert groups == {
        "momentum", "trend", "mean reversion", "volatility", "volume", "carry", "sector strength", "calendar",
    }  # fmt: skip
    assert len(INDICATORS) >= 30
