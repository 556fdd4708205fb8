"""Sharing what indicators have in common changes no result."""

import numpy as np
import pandas as pd
import pytest
from synthetic_bars import SECTORS, synthetic_bars, synthetic_inputs

from wealtharena.indicators import CROSS_SECTIONS, INDICATORS, compute_features, evaluate
from wealtharena.indicators.intermediates import shared, shared_intermediates


@shared
def _doubled(values: np.ndarray) -> np.ndarray:
    return 2.0 * values


def test_the_same_array_is_computed_once_and_an_equal_one_anew() -> None:
    values = np.arange(3.0)
    with shared_intermediates():
        first = _doubled(values)
        assert _doubled(values) is first
        assert _doubled(values.copy()) is not first
    assert _doubled(values) is not first


def test_nothing_is_kept_from_one_symbol_to_the_next() -> None:
    values = np.arange(3.0)
    with shared_intermediates():
        first = _doubled(values)
    with shared_intermediates():
        assert _doubled(values) is not first


@pytest.mark.parametrize("gap", [None, 0, 280])
def test_indicators_together_give_what_each_gives_alone(gap: int | None) -> None:
    inputs = synthetic_inputs(12)
    if gap is not None:
        inputs["high"][gap] = np.nan
    alone = {name: evaluate(indicator, inputs) for name, indicator in INDICATORS.items()}

    for names in (list(INDICATORS), list(INDICATORS)[::-1]):
        with shared_intermediates():
            for name in names:
                np.testing.assert_array_equal(evaluate(INDICATORS[name], inputs), alone[name], err_msg=name)


@pytest.mark.parametrize("name", INDICATORS)
def test_features_are_the_indicators_of_bars_in_units_of_the_first_close(name: str) -> None:
    bars = synthetic_bars(13)
    bars = bars[bars["symbol"] == "AAA"].reset_index(drop=True)
    adjusted = {price: (bars[price] * bars["adj_factor"]).to_numpy() for price in ("open", "high", "low", "close")}
    own = {price: values / adjusted["close"][0] for price, values in adjusted.items()}
    own["traded_value"] = (bars["close"] * bars["volume"]).to_numpy()
    own["carry"] = np.zeros(len(bars))  # no rate is known

    features = compute_features(bars, None, [name])

    expected = np.nan_to_num(evaluate(INDICATORS[name], own)).astype(np.float32)
    np.testing.assert_array_equal(features[name].to_numpy(), expected)


def test_features_of_many_names_are_those_of_each_name_where_observed() -> None:
    bars, names = synthetic_bars(14), [*INDICATORS, *CROSS_SECTIONS]
    together = compute_features(bars, None, names, sectors=SECTORS)
    observed = together["observed"].to_numpy()

    assert observed.any()
    for name in names:
        alone = compute_features(bars, None, [name], sectors=SECTORS)[name]
        pd.testing.assert_series_equal(together[name], alone.where(observed, np.float32(0.0)), check_exact=True)
