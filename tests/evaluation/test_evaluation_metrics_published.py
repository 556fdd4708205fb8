"""Metrics against numbers that others have printed.

The series of PerformanceAnalytics are third-party data that lie beside the project: what needs them skips where they
are absent. Its snapshots truncate many values instead of rounding them, hence the absolute tolerance of 1e-4.

Its hedge fund index (``edhec``, 293 months) is at hand in no readable form. Of its snapshots, the probabilistic Sharpe
ratios, the minimum track records, and the Gaussian and modified losses are reproduced through the moments that they
imply for the series; historical losses (.0150 and .0387), Omega (2.8484) and drawdowns (.2927 and .2059) are not.
"""

import math
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import optimal_block_length
from scipy.optimize import fsolve

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation import metrics as m

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "metrics"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="PerformanceAnalytics' return series are not part of the project: no shared/data"
)
TRUNCATED = 1e-4
EDHEC_MONTHS = 293


def managers() -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "managers.csv", index_col=0)


def bacon() -> FloatArray:
    return pd.read_csv(PUBLISHED / "portfolio_bacon.csv", index_col=0).iloc[:, 0].to_numpy()


@needs_published
def test_ham1_alone_as_performance_analytics_prints_it() -> None:
    returns = managers()["HAM1"].to_numpy()
    printed = {
        0.1375: m.annual_return(returns, 12),
        0.0888: m.volatility(returns, 12),
        0.1518: m.max_drawdown(returns),
        0.9061: m.calmar_ratio(returns, 12),
        0.0145: m.downside_deviation(returns),
        0.7649: m.sortino_ratio(returns),
        0.3201: m.sharpe_ratio(returns, risk_free=0.035 / 12),
        0.0161: m.pain_index(returns),
        0.0363: m.ulcer_index(returns),
        -0.6588: m.skewness(returns),
        5.3616: m.kurtosis(returns),
    }
    assert list(printed.values()) == pytest.approx(list(printed), abs=TRUNCATED)


@needs_published
def test_ham1_beside_the_market_as_performance_analytics_prints_it() -> None:
    table = managers()
    returns, market, cash = (table[name].to_numpy() for name in ("HAM1", "SP500 TR", "US 3m TR"))
    above_cash = m.compare_with(returns, market, 12, cash)
    assert above_cash.beta == pytest.approx(0.3900, abs=TRUNCATED)
    assert above_cash.alpha / 12 == pytest.approx(0.0057, abs=TRUNCATED)
    assert above_cash.tracking_error == pytest.approx(0.1131, abs=TRUNCATED)
    assert above_cash.active_premium == pytest.approx(0.0407, abs=TRUNCATED)
    assert above_cash.information_ratio == pytest.approx(0.3604, abs=TRUNCATED)


@needs_published
def test_bacons_portfolio_as_performance_analytics_prints_it() -> None:
    returns = bacon()
    assert m.pain_index(returns) == pytest.approx(0.0399, abs=TRUNCATED)
    assert m.downside_deviation(returns, target=0.005) == pytest.approx(0.0255, abs=TRUNCATED)
    assert m.downside_potential(returns, target=0.005) == pytest.approx(0.0137, abs=TRUNCATED)
    assert m.bernardo_ledoit_ratio(returns) == pytest.approx(1.7797, abs=TRUNCATED)


@cache
def edhec_moments() -> tuple[float, float, float]:
    """Sharpe ratio, skewness and kurtosis per month that the three track records against .28 imply."""
    z = NormalDist().inv_cdf(0.95)

    def lengths(sharpe: float, skew: float, kurt: float) -> float:
        return 1.0 + (1.0 - skew * sharpe + (kurt - 1.0) / 4.0 * sharpe**2) * (z / (sharpe - 0.28)) ** 2

    def gaps(moments: FloatArray) -> list[float]:
        sharpe, skew, kurt = moments
        return [
            lengths(sharpe, skew, kurt) - 1583.033,
            lengths(sharpe, skew, 3.0) - 1233.385,
            lengths(sharpe, 0.0, 3.0) - 668.2947,
        ]

    sharpe, skew, kurt = fsolve(gaps, [0.34, -2.0, 10.0], xtol=1e-13)
    return float(sharpe), float(skew), float(kurt)


def test_the_track_records_of_edhec_agree_with_one_another() -> None:
    sharpe, skew, kurt = edhec_moments()
    assert m.min_track_record_length(sharpe, 0.28, skew, kurt) == pytest.approx(1583.033, abs=1e-3)
    assert m.min_track_record_length(sharpe, 0.28, skew) == pytest.approx(1233.385, abs=1e-3)
    assert m.min_track_record_length(sharpe, 0.28) == pytest.approx(668.2947, abs=1e-4)
    assert m.min_track_record_length(sharpe, 0.23, skew) == pytest.approx(397.5894, abs=1e-3)


def test_the_probabilistic_sharpe_ratios_of_edhec() -> None:
    sharpe, skew, kurt = edhec_moments()
    found = [
        m.probabilistic_sharpe(sharpe, 0.23, EDHEC_MONTHS, skew),
        m.probabilistic_sharpe(sharpe, 0.28, EDHEC_MONTHS, skew, kurt),
        m.probabilistic_sharpe(sharpe, 0.28, EDHEC_MONTHS, skew),
        m.probabilistic_sharpe(sharpe, 0.28, EDHEC_MONTHS),
    ]
    assert found == pytest.approx([0.9209, 0.7601, 0.7883, 0.8617], abs=TRUNCATED)


def test_the_gaussian_and_modified_losses_of_a_series_with_edhecs_moments() -> None:
    """Its deviation is the one that gives the first printed number, .0217; the other two follow."""
    sharpe, skew, kurt = edhec_moments()

    def series(places: FloatArray) -> FloatArray:
        return np.concatenate([np.full(3, places[0]), np.full(30, places[1]), np.tile([-1.0, 1.0], 130)])

    def gaps(places: FloatArray) -> list[float]:
        return [m.skewness(series(places)) - skew, m.kurtosis(series(places)) - kurt]

    shape = series(fsolve(gaps, [-9.0, 1.5], xtol=1e-12))
    returns = sharpe + (shape - shape.mean()) / shape.std(ddof=1)
    assert (m.sharpe_ratio(returns), m.skewness(returns)) == pytest.approx((sharpe, skew), rel=1e-6)
    returns *= 0.0217 / m.gaussian_value_at_risk(returns)
    assert m.gaussian_conditional_value_at_risk(returns) == pytest.approx(0.0287, abs=TRUNCATED)
    assert m.modified_value_at_risk(returns) == pytest.approx(0.0256, abs=TRUNCATED)


@pytest.mark.parametrize(
    ("sharpe", "benchmark", "size", "skew", "kurt", "expected", "tolerance"),
    [
        (1.14, 1.0, 250, 0.0, 3.0, 0.95727, 1e-5),
        (2 / math.sqrt(12), 1 / math.sqrt(12), 59, -0.72, 3.0, 0.9597, 1e-4),
        (2 / math.sqrt(12), 1 / math.sqrt(12), 59, -0.72, 5.78, 0.9487, 1e-4),
        (2.5 / math.sqrt(250), 0.1132, 1250, -3.0, 10.0, 0.9004, 2e-4),
    ],
)
def test_probabilistic_sharpe_ratios_of_the_literature(
    sharpe: float, benchmark: float, size: int, skew: float, kurt: float, expected: float, tolerance: float
) -> None:
    assert m.probabilistic_sharpe(sharpe, benchmark, size, skew, kurt) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    ("trials", "skew", "kurt", "expected"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_deflated_sharpe_ratios_of_bailey_and_lopez_de_prado(
    trials: int, skew: float, kurt: float, expected: float
) -> None:
    """2014, pp. 9-10: 2.5 a year over five years of 250 sessions, the trials' variance one half a year."""
    found = m.deflated_sharpe(2.5 / math.sqrt(250), trials, 0.5 / 250, 1250, skew, kurt)
    assert found == pytest.approx(expected, abs=1e-4)
    assert m.expected_max_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=1e-4)


@pytest.mark.parametrize(
    ("per_year", "skew", "kurt", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_track_records_of_bailey_and_lopez_de_prado(per_year: int, skew: float, kurt: float, years: float) -> None:
    """2012: how long until a Sharpe ratio of 2 a year is credibly above 1."""
    length = m.min_track_record_length(2 / math.sqrt(per_year), 1 / math.sqrt(per_year), skew, kurt)
    assert length / per_year == pytest.approx(years, abs=0.005)


def test_the_track_records_of_performance_analytics_without_and_with_kurtosis() -> None:
    sharpe, benchmark = 2 / math.sqrt(12), 1 / math.sqrt(12)
    assert m.min_track_record_length(sharpe, benchmark, -0.72) == pytest.approx(52.3736, abs=TRUNCATED)
    assert m.min_track_record_length(sharpe, benchmark, -0.72, 5.78) == pytest.approx(59.9, abs=0.05)


def test_mlfinlabs_own_numbers() -> None:
    assert m.min_track_record_length(1.14, 1.0) == pytest.approx(228.73497, abs=1e-5)
    variance = float(np.var([3.5, 1.01, 1.02]))
    assert m.deflated_sharpe(1.14, 3, variance, 250) == pytest.approx(0.95836, abs=1e-5)


def test_empyricals_own_test_series() -> None:
    returns = [math.nan, 0.01, 0.10, -0.04, 0.02, 0.03, 0.02, 0.01, -0.10]
    assert m.sharpe_ratio(returns, 252) == pytest.approx(1.7238613961706866, rel=1e-12)
    assert m.volatility(returns, 252) == pytest.approx(0.9136465399704637, rel=1e-12)
    assert m.downside_deviation(returns, 252) == pytest.approx(0.6044832503882965, rel=1e-12)
    assert m.max_drawdown(returns) == pytest.approx(0.1, rel=1e-12)


def test_archs_block_lengths_are_those_of_its_own_tests() -> None:
    """What our resampling takes its blocks from."""
    values = np.random.RandomState(0).standard_normal(10_100)
    for t in range(1, values.size):
        values[t] += 0.3 * values[t - 1]
    found = optimal_block_length(values[100:]).iloc[0]
    assert (found["stationary"], found["circular"]) == pytest.approx((13.635665, 15.60894), rel=1e-6)


@pytest.mark.parametrize(("memory", "factor"), [(0.0, 3.46), (0.2, 2.88), (-0.2, 4.17)])
def test_los_factor_from_months_to_years(memory: float, factor: float) -> None:
    """2002, table 1."""
    assert m.annualisation_factor(12, memory) == pytest.approx(factor, abs=0.005)
