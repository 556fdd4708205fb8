"""What every metric promises, whichever it is: finite or NaN, no warning, no reward for not trading."""

import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wealtharena.evaluation import metrics as m

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(m, name) for name in m.__all__ if inspect.isfunction(getattr(m, name))
}
SERIES = {"returns", "benchmark", "turnover", "gross", "net", "profits"}
FIXED = {
    "annualisation": 252, "level": 0.95, "target": 0.0, "threshold": 0.0, "risk_free": 0.0, "excess": None,
    "cash_returns": 0.0, "confidence": 0.95,
}  # fmt: skip
FIGURES = {
    "sharpe": 0.1, "sample_size": 250, "skew": -0.5, "kurt": 5.0, "num_trials": 20, "variance_of_trials": 0.01,
    "num_sessions": 252, "first_autocorrelation": 0.1,
}  # fmt: skip
LAW = settings(max_examples=50)
GENERATOR = np.random.default_rng(8)
MOVING = GENERATOR.normal(0.0005, 0.01, 60)
EDGES = {
    "empty": [],
    "all NaN": [math.nan, math.nan, math.nan],
    "one observation": [0.01],
    "one observation among NaN": [math.nan, -0.01, math.nan],
    "zero": [0.0] * 30,
    "constant gain": [0.001] * 30,
    "constant loss": [-0.001] * 30,
    "constant up to rounding": list((1.0 + 1e-16 * np.arange(30)) * 0.001),
    "infinite": [0.01, math.inf, 0.02],
    "infinitely bad": [0.01, -math.inf, 0.02],
    "all lost": [0.01, -1.0, 0.02],
    "more than all lost": [0.01, -1.5, 0.02, -0.3],
    "tiny": [1e-300, -1e-300, 2e-300],
    "wealth beyond all numbers": [9.0, -0.1] * 400,
    "one loss": [0.01, 0.02, -0.005, 0.01],
}  # fmt: skip
# The only figures that a series has which never moved; everything else of it is unknown.
STILL = {
    "total_return": 0.0,
    "annual_return": 0.0,
    "volatility": 0.0,
    "downside_deviation": 0.0,
    "downside_potential": 0.0,
    "max_drawdown": 0.0,
    "max_drawdown_sessions": 0.0,
    "pain_index": 0.0,
    "ulcer_index": 0.0,
    "value_at_risk": 0.0,
    "conditional_value_at_risk": 0.0,
    "gaussian_value_at_risk": 0.0,
    "gaussian_conditional_value_at_risk": 0.0,
}
RATIOS = ["sharpe_ratio", "sharpe_standard_error", "autocorrelation_adjusted_sharpe", "sortino_ratio", "tail_ratio",
          "skewness", "kurtosis", "autocorrelation", "beta", "alpha", "information_ratio",
          "modified_value_at_risk"]  # fmt: skip
FIRST = {name: next(iter(inspect.signature(function).parameters)) for name, function in FUNCTIONS.items()}
OF_SERIES = [name for name in FUNCTIONS if FIRST[name] in SERIES]
OF_FIGURES = [name for name in FUNCTIONS if FIRST[name] not in SERIES]
PAIRED = [name for name in OF_SERIES if "benchmark" in inspect.signature(FUNCTIONS[name]).parameters]
OF_RETURNS = [name for name in OF_SERIES if FIRST[name] == "returns" and name not in PAIRED]


def arguments(name: str, series: Any, benchmark: Any = None) -> dict[str, Any]:
    """Every series is ``series``, the benchmark another one where given; an unknown parameter fails the test."""
    values: dict[str, Any] = {}
    for parameter in inspect.signature(FUNCTIONS[name]).parameters:
        if parameter == "benchmark":
            values[parameter] = series if benchmark is None else benchmark
        else:
            values[parameter] = series if parameter in SERIES else (FIXED | FIGURES)[parameter]
    return values


def numbers(result: Any) -> np.ndarray:
    """All numbers of a result: a float, an array or a record."""
    return np.atleast_1d(np.asarray(list(result.as_dict().values()) if hasattr(result, "as_dict") else result, float))


def quietly(name: str, **values: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return numbers(FUNCTIONS[name](**values))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", OF_SERIES)
def test_a_metric_is_finite_or_unknown_and_never_warns(name: str, edge: str) -> None:
    assert not np.isinf(quietly(name, **arguments(name, EDGES[edge]))).any()


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", PAIRED)
def test_a_metric_beside_a_benchmark_is_finite_or_unknown_whichever_is_odd(name: str, edge: str) -> None:
    odd = np.asarray(EDGES[edge], dtype=float)
    other = np.resize(MOVING, odd.size)
    assert not np.isinf(quietly(name, **arguments(name, odd, other))).any()
    assert not np.isinf(quietly(name, **arguments(name, other, odd))).any()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0, 1.0, 1e300, -1e300, 1e-300])
@pytest.mark.parametrize("name", OF_FIGURES)
def test_a_metric_of_figures_is_finite_or_unknown_whichever_figure_is_odd(name: str, value: float) -> None:
    usual = arguments(name, None) | {"benchmark": 0.05}
    usual = {key: usual[key] for key in inspect.signature(FUNCTIONS[name]).parameters}
    for odd in usual:
        result = quietly(name, **usual | {odd: value})
        assert not np.isinf(result).any(), odd
        assert np.isnan(result).all() or not math.isnan(value), odd


@pytest.mark.parametrize("name", OF_RETURNS)
def test_an_account_that_never_moved_gets_no_score(name: str) -> None:
    """Only what it did is known: it earned, risked and lost nothing. No ratio is, so none can be good."""
    if name in ("drawdowns", "summarise"):
        return
    assert quietly(name, **arguments(name, np.zeros(50)))[0] == pytest.approx(STILL.get(name, math.nan), nan_ok=True)


@pytest.mark.parametrize("edge", [edge for edge in EDGES if edge.startswith(("constant", "one observation", "zero"))])
@pytest.mark.parametrize("name", RATIOS)
def test_a_series_without_variation_has_no_ratio(name: str, edge: str) -> None:
    assert np.isnan(quietly(name, **arguments(name, EDGES[edge]))).all()


@pytest.mark.parametrize("name", OF_RETURNS)
def test_without_observations_nothing_is_known(name: str) -> None:
    for edge in ("empty", "all NaN", "infinite", "infinitely bad"):
        result = quietly(name, **arguments(name, EDGES[edge]))
        if name == "summarise":
            assert result[0] == 0
            assert np.isnan(result[1:]).sum() >= result.size - 7, edge
        else:
            assert not result.size or np.isnan(result).all(), edge


@LAW
@given(st.lists(st.integers(0, 60), max_size=5))
def test_a_missing_session_changes_nothing(cuts: list[int]) -> None:
    gaps, benchmark = np.insert(MOVING, cuts, math.nan), np.roll(MOVING, 1)
    filled = np.insert(benchmark, cuts, 0.01)
    for name in OF_SERIES:
        with_gaps = quietly(name, **arguments(name, gaps, filled))
        assert np.array_equal(with_gaps, quietly(name, **arguments(name, MOVING, benchmark)), equal_nan=True), name


LAWFUL = arrays(np.float64, st.integers(3, 60), elements=st.floats(-0.2, 0.2).map(lambda value: round(value, 6)))
SCALE_FREE = ["sharpe_ratio", "sortino_ratio", "omega_ratio", "bernardo_ledoit_ratio", "tail_ratio", "hit_rate",
              "skewness", "kurtosis", "autocorrelation", "autocorrelation_adjusted_sharpe"]  # fmt: skip
IN_PROPORTION = [
    "volatility", "downside_deviation", "downside_potential", "value_at_risk", "conditional_value_at_risk",
    "gaussian_value_at_risk", "gaussian_conditional_value_at_risk", "modified_value_at_risk",
]  # fmt: skip


@LAW
@given(LAWFUL, st.floats(0.1, 10.0))
def test_leverage_changes_no_ratio_and_every_loss_in_proportion(returns: np.ndarray, leverage: float) -> None:
    for name in SCALE_FREE + IN_PROPORTION:
        plain = quietly(name, **arguments(name, returns))[0]
        levered = quietly(name, **arguments(name, returns * leverage))[0]
        expected = plain if name in SCALE_FREE else plain * leverage
        assert levered == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True), name


@LAW
@given(LAWFUL, st.floats(-0.05, 0.05), st.floats(0.0, 0.05))
def test_omega_falls_as_more_is_asked(returns: np.ndarray, threshold: float, more: float) -> None:
    less, strict = m.omega_ratio(returns, threshold), m.omega_ratio(returns, threshold + more)
    assert math.isnan(less) or strict <= less * (1.0 + 1e-9)


@LAW
@given(LAWFUL, st.floats(0.6, 0.99))
def test_expected_shortfall_is_never_below_value_at_risk(returns: np.ndarray, level: float) -> None:
    assert m.value_at_risk(returns, level) <= m.conditional_value_at_risk(returns, level) + 1e-12
    assert m.gaussian_value_at_risk(returns, level) <= m.gaussian_conditional_value_at_risk(returns, level) + 1e-12


@LAW
@given(LAWFUL)
def test_losses_are_ordered_and_bounded(returns: np.ndarray) -> None:
    assert 0.0 <= m.pain_index(returns) <= m.ulcer_index(returns) + 1e-12
    assert m.ulcer_index(returns) <= m.max_drawdown(returns) + 1e-12 <= 1.0 + 2e-12
    assert m.downside_potential(returns) <= m.downside_deviation(returns) + 1e-12


@LAW
@given(LAWFUL, st.floats(-2.0, 2.0), st.floats(-0.01, 0.01))
def test_an_account_that_is_a_multiple_of_its_benchmark_has_that_beta_and_that_alpha(
    benchmark: np.ndarray, slope: float, intercept: float
) -> None:
    returns = slope * benchmark + intercept
    if not math.isnan(m.beta(returns, benchmark)):
        assert m.beta(returns, benchmark) == pytest.approx(slope, abs=1e-6)
        assert m.alpha(returns, benchmark, 12) == pytest.approx(12 * intercept, abs=1e-6)


@LAW
@given(LAWFUL)
def test_beside_itself_an_account_has_a_beta_of_one_and_nothing_active(returns: np.ndarray) -> None:
    relative = m.compare_with(returns, returns, 252)
    assert math.isnan(relative.beta) or relative.beta == pytest.approx(1.0)
    assert math.isnan(relative.active_premium) or relative.active_premium == 0.0
    assert relative.tracking_error == 0.0
    assert math.isnan(relative.information_ratio)


@LAW
@given(st.floats(-0.5, 0.5), st.integers(2, 10_000), st.integers(1, 1_000), st.floats(1e-6, 0.1))
def test_more_trials_never_make_a_sharpe_ratio_more_credible(
    sharpe: float, size: int, trials: int, variance: float
) -> None:
    few = m.deflated_sharpe(sharpe, trials, variance, size)
    assert m.deflated_sharpe(sharpe, trials + 1, variance, size) <= few
    assert few <= m.probabilistic_sharpe(sharpe, 0.0, size)


@LAW
@given(st.floats(0.01, 0.5), st.floats(-0.5, 0.0), st.floats(-1.0, 1.0), st.floats(3.0, 10.0), st.floats(0.6, 0.99))
def test_after_the_minimum_track_record_the_confidence_is_reached(
    sharpe: float, benchmark: float, skew: float, kurt: float, confidence: float
) -> None:
    length = m.min_track_record_length(sharpe, benchmark, skew, kurt, confidence)
    enough = max(math.ceil(length), 2)
    assert m.probabilistic_sharpe(sharpe, benchmark, enough, skew, kurt) >= confidence - 1e-9
    if enough > 2:
        assert m.probabilistic_sharpe(sharpe, benchmark, enough - 1, skew, kurt) <= confidence + 1e-9
