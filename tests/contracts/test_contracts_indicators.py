"""What every entry of INDICATORS and CROSS_SECTIONS must obey; a new one is tested unasked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leak_checks import future_matters, truncation_changes
from synthetic_bars import SECTORS, synthetic_bars, synthetic_inputs

from wealtharena.indicators import CROSS_SECTIONS, INDICATORS, Indicator, compute_features, evaluate
from wealtharena.indicators.indicator import BAR_INPUTS, FEATURE_LIMIT

EVERY_INDICATOR = pytest.mark.parametrize("indicator", INDICATORS.values(), ids=INDICATORS)
ALL_NAMES = [*INDICATORS, *CROSS_SECTIONS]
PRICES = ("open", "high", "low", "close")


def test_keys_are_names_and_belong_to_one_table() -> None:
    assert [item.name for item in INDICATORS.values()] == list(INDICATORS)
    assert [item.name for item in CROSS_SECTIONS.values()] == list(CROSS_SECTIONS)
    assert not set(INDICATORS) & set(CROSS_SECTIONS)
    assert {section.base for section in CROSS_SECTIONS.values()} <= set(INDICATORS)


@EVERY_INDICATOR
def test_declared_inputs_and_lookback_are_true(indicator: Indicator) -> None:
    inputs = synthetic_inputs(1)
    raw = indicator.function(*(inputs[name] for name in indicator.inputs))

    assert set(indicator.inputs) <= set(BAR_INPUTS)
    assert np.isnan(raw[: indicator.lookback_bars]).all()
    assert np.isfinite(raw[indicator.lookback_bars :]).all()


@EVERY_INDICATOR
def test_truncation_changes_no_bit(indicator: Indicator) -> None:
    inputs = synthetic_inputs(2)
    for name in PRICES:
        inputs[name][[300, 301, 340]] = np.nan
    cuts = [*np.random.default_rng(0).integers(1, 401, 200).tolist(), 300, 301, 302, 303, 340, 341, 342]

    assert not truncation_changes(indicator, inputs, cuts)


@EVERY_INDICATOR
def test_scrambled_future_changes_no_bit(indicator: Indicator) -> None:
    assert not future_matters(indicator, synthetic_inputs(3), (150, 260, 333, 399))


@EVERY_INDICATOR
def test_a_missing_bar_is_skipped_and_poisons_nothing(indicator: Indicator) -> None:
    inputs = synthetic_inputs(4)
    gap = 280
    with_gap = {name: values.copy() for name, values in inputs.items()}
    for values in with_gap.values():
        values[gap] = np.nan
    without_bar = {name: np.delete(values, gap) for name, values in inputs.items()}

    output = evaluate(indicator, with_gap)

    assert np.isfinite(output[indicator.lookback_bars :]).all()
    np.testing.assert_array_equal(np.delete(output, gap), evaluate(indicator, without_bar))
    assert output[gap] == output[gap - 1]


@EVERY_INDICATOR
@settings(max_examples=10)
@given(unit=st.floats(1e-3, 1e3))
def test_unit_of_prices_changes_nothing(indicator: Indicator, unit: float) -> None:
    inputs = synthetic_inputs(5)
    scaled = {name: values * (unit if name in PRICES else 1.0) for name, values in inputs.items()}

    np.testing.assert_allclose(evaluate(indicator, scaled), evaluate(indicator, inputs), rtol=1e-6, atol=1e-8)


@EVERY_INDICATOR
@pytest.mark.parametrize("shape", ["constant", "no volume", "one jump", "up and down", "straight line"])
def test_odd_markets_give_finite_bounded_values(indicator: Indicator, shape: str) -> None:
    inputs = synthetic_inputs(6)
    steps = np.arange(400.0)
    path = {
        "constant": np.full(400, 7.0),
        "one jump": np.where(steps < 300, 1.0, 100.0),
        "up and down": np.where(steps % 2 == 0, 1.0, 1.1),
        "straight line": 10.0 + steps,
    }
    if shape == "no volume":
        inputs["traded_value"] = np.zeros(400)
    else:
        inputs |= dict.fromkeys(PRICES, path[shape])

    output = evaluate(indicator, inputs)[indicator.lookback_bars :]

    assert np.isfinite(output).all()
    assert np.abs(output).max() <= FEATURE_LIMIT


@EVERY_INDICATOR
def test_too_few_bars_give_no_value(indicator: Indicator) -> None:
    inputs = synthetic_inputs(7)
    for count in (0, 1, indicator.lookback_bars):
        assert np.isnan(evaluate(indicator, {name: values[:count] for name, values in inputs.items()})).all()
    first = evaluate(indicator, {name: values[: indicator.lookback_bars + 1] for name, values in inputs.items()})
    assert np.isfinite(first[-1])


@EVERY_INDICATOR
def test_typical_size_is_about_one(indicator: Indicator) -> None:
    inputs = synthetic_inputs(8, bars=3_000)
    spread = np.nanstd(evaluate(indicator, inputs))
    assert 0.1 < spread < 2.0


@pytest.mark.parametrize("name", ALL_NAMES)
def test_features_of_a_truncated_market_are_bit_equal(name: str) -> None:
    bars = synthetic_bars(11)
    dates = np.sort(bars["session_date"].unique())
    whole = compute_features(bars, None, [name], sectors=SECTORS)
    cuts = np.unique(np.append(np.random.default_rng(1).integers(30, 380, 12), [59, 60, *range(328, 358, 3), 379]))

    for cut in cuts:
        part = compute_features(bars[bars["session_date"] <= dates[cut]], None, [name], sectors=SECTORS)
        expected = whole[whole["session_date"] <= dates[cut]].reset_index(drop=True)
        np.testing.assert_array_equal(part[name].to_numpy(), expected[name].to_numpy())
        np.testing.assert_array_equal(part["observed"].to_numpy(), expected["observed"].to_numpy())


@pytest.mark.parametrize("name", CROSS_SECTIONS)
def test_cross_sections_ignore_other_dates(name: str) -> None:
    section = CROSS_SECTIONS[name]
    values = np.random.default_rng(2).normal(size=(50, 5))
    values[10:30, 2] = np.nan
    sectors = list(SECTORS.values())
    whole = section.function(values, sectors)

    rows = [section.function(values[t : t + 1], sectors)[0] for t in range(50)]

    np.testing.assert_array_equal(np.array(rows), whole)
    assert (np.isnan(whole) == np.isnan(values)).all()
