"""Moves of dirty bars, and stylised facts of series whose facts are known."""

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.errors import DataWindowError
from wealtharena.evaluation.calibration import FACTS, Moves, bootstrap, facts, moves_of, sample_of
from wealtharena.evaluation.calibration.facts import autocorrelation_of_size, exceedance, pairwise_correlations

DAYS = np.arange(np.datetime64("2010-01-01"), np.datetime64("2040-01-01"))


def bars_of(symbol: str, count: int = 600, seed: int = 0) -> pd.DataFrame:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, count)))
    opened = np.concatenate(([100.0], close[:-1]))
    return pd.DataFrame(
        {
            "symbol": symbol,
            "session_date": pd.bdate_range("2015-01-01", periods=count),
            "open": opened,
            "high": np.maximum(opened, close) * 1.002,
            "low": np.minimum(opened, close) * 0.998,
            "close": close,
            "volume": 1000.0,
        }
    )


def moves(returns: np.ndarray, **parts: np.ndarray) -> Moves:
    """Moves without nights whose days are ``returns``; parts replace those of nothing."""
    nothing = np.zeros_like(returns)
    filled = {"overnight": nothing, "day": returns, "up": nothing, "down": nothing, "volume": nothing * np.nan} | parts
    count = returns.shape[1]
    symbols = tuple(f"S{number}" for number in range(count))
    return Moves(DAYS[: len(returns)], symbols, ("g",) * count, **filled)


def fact(name: str, told: Moves) -> float:
    return FACTS[name](sample_of(told))


def test_moves_add_up_to_the_return_from_close_to_close() -> None:
    bars = bars_of("A")
    found = moves_of(bars, {"A": "g"})
    expected = np.log(bars["close"]).diff().to_numpy()[1:]
    np.testing.assert_allclose(found.returns[1:, 0], expected, atol=1e-12)
    assert np.isnan(found.overnight[0, 0])
    np.testing.assert_allclose(found.up, np.log(1.002))
    np.testing.assert_allclose(found.down, -np.log(0.998))


def test_dirty_rows_leave_no_move_behind() -> None:
    bars = bars_of("A").assign(adj_factor=1.0, tradable=True, flags="")
    bars.loc[:299, "adj_factor"] = 0.5
    bars.loc[100, "tradable"] = False
    bars.loc[120, "low"] = -1.0
    bars.loc[140, "open"] = np.nan
    bars.loc[160, "flags"] = "no_open;unexplained_jump"
    bars.loc[180, "volume"] = 0.0
    bars.loc[200, "high"] = 0.9 * bars.loc[200, "close"]
    bars.loc[400:, "session_date"] += pd.Timedelta(days=14)
    found = moves_of(bars, {"A": "g"})
    assert len(found.dates) == 597
    day = dict(zip(found.dates, range(597), strict=True))
    row = {number: day.get(np.datetime64(bars.loc[number, "session_date"], "D")) for number in range(600)}
    assert [number for number, place in row.items() if place is None] == [100, 120, 140]
    assert np.isnan(found.overnight[[row[160], row[400]], 0]).all()
    assert np.isfinite(found.day[[row[160], row[400]], 0]).all()
    assert np.isfinite(found.overnight[row[101], 0]), "a day without a bar lies within a longer night"
    assert found.overnight[row[300], 0] == pytest.approx(np.log(2.0)), "closes are compared on one basis"
    assert np.isnan(found.volume[row[180], 0]) and np.isnan(found.up[row[200], 0])


def test_symbols_with_few_bars_are_left_out_and_none_is_an_error() -> None:
    bars = pd.concat([bars_of("A"), bars_of("B", 499)])
    assert moves_of(bars, {"A": "g", "B": "g"}).symbols == ("A",)
    with pytest.raises(DataWindowError, match="at least 500 usable bars"):
        moves_of(bars_of("B", 499), {"B": "g"})


def test_a_part_of_the_moves_keeps_its_sessions_only() -> None:
    late = bars_of("B").assign(session_date=pd.bdate_range("2016-01-01", periods=600))
    both = moves_of(pd.concat([bars_of("A"), late]), {"A": "one", "B": "two"})
    part = both.only(["B"])
    assert (part.symbols, part.groups, len(part.dates)) == (("B",), ("two",), 600)
    assert np.isfinite(part.day).all() and len(both.dates) > 600


def test_moments_of_known_laws() -> None:
    generator = np.random.default_rng(1)
    normal = moves(0.02 * generator.standard_normal((20_000, 3)))
    assert fact("excess kurtosis", normal) == pytest.approx(0.0, abs=0.15)
    assert fact("annual volatility", normal) == pytest.approx(0.02 * np.sqrt(365.25), rel=0.02)
    skewed = moves(0.01 * (generator.exponential(size=(20_000, 3)) - 1.0))
    assert fact("skewness", skewed) == pytest.approx(2.0, abs=0.2)
    assert fact("excess kurtosis", skewed) == pytest.approx(6.0, rel=0.25)


def test_autocorrelation_of_size_sees_clusters_and_skips_unknown_rows() -> None:
    generator = np.random.default_rng(2)
    calm = np.repeat(generator.choice([0.5, 2.0], 1_000), 20)[:, None]
    returns = 0.01 * calm * generator.choice([-1.0, 1.0], (20_000, 2))
    returns[::7] = np.nan
    found = autocorrelation_of_size(sample_of(moves(returns)), 21)
    # Within blocks of twenty equal days: the chance that a day `lag` later lies in the same block.
    assert found[[0, 4, 9]] == pytest.approx([0.95, 0.75, 0.50], abs=0.05)
    assert found[20] == pytest.approx(0.0, abs=0.07)


def test_leverage_has_the_sign_of_what_falls_do_to_volatility() -> None:
    generator = np.random.default_rng(3)
    noise = generator.standard_normal((5_000, 2))
    raised = np.where(np.vstack([np.zeros((1, 2)), noise[:-1]]) < 0.0, 2.0, 1.0)
    assert fact("leverage: r with |r| of the next 10", moves(0.01 * raised * noise)) < -0.015
    assert fact("leverage: r with |r| of the next 10", moves(0.01 * noise)) == pytest.approx(0.0, abs=0.01)


def test_eigenvalues_of_one_common_factor() -> None:
    generator = np.random.default_rng(4)
    returns = np.sqrt(0.5) * generator.standard_normal((20_000, 1)) + np.sqrt(0.5) * generator.standard_normal(
        (20_000, 5)
    )
    returns[:5_000, 0] = np.nan
    told = moves(returns)
    assert fact("first eigenvalue, share", told) == pytest.approx(3.0 / 5.0, abs=0.02)
    assert fact("second eigenvalue, share", told) == pytest.approx(0.5 / 5.0, abs=0.02)
    np.testing.assert_allclose(pairwise_correlations(returns)[1:, 1:], np.corrcoef(returns[:, 1:].T), atol=1e-12)
    assert np.isnan(fact("third eigenvalue, share", moves(returns[:, 1:3])))


def test_drawdowns_of_a_path_that_halves_and_recovers() -> None:
    steps = np.log([[0.5], [2.0], [np.nan], [0.8]])
    assert fact("largest drawdown", moves(steps)) == pytest.approx(0.5)
    assert fact("average drawdown", moves(steps)) == pytest.approx((0.5 + 0.0 + 0.0 + 0.2) / 4.0)


def test_range_estimates_of_a_brownian_path_are_those_of_its_closes() -> None:
    steps = np.random.default_rng(5).normal(0.0, 0.01 / np.sqrt(500), (4_000, 500))
    path = np.concatenate([np.zeros((4_000, 1)), np.cumsum(steps, axis=1)], axis=1)
    close = path[:, -1]
    up, down = path.max(axis=1) - np.maximum(0.0, close), np.minimum(0.0, close) - path.min(axis=1)
    told = moves(close[:, None], up=up[:, None], down=down[:, None])
    assert fact("Parkinson over open to close", told) == pytest.approx(0.97, abs=0.03)
    assert fact("Garman-Klass over open to close", told) == pytest.approx(0.96, abs=0.04)


def test_nights_and_volume_have_their_facts() -> None:
    generator = np.random.default_rng(6)
    day, night = generator.standard_normal((2, 5_000, 2))
    size = np.abs(0.01 * day + 0.005 * night)
    told = moves(0.01 * day, overnight=0.005 * night, volume=1e6 * np.exp(20.0 * size))
    assert fact("overnight share of variance", told) == pytest.approx(0.2, abs=0.02)
    assert fact("volume with |r|", told) > 0.95
    assert fact("autocorrelation of volume, lag 1", told) == pytest.approx(0.0, abs=0.05)
    assert np.isnan(fact("volume with |r|", moves(0.01 * day)))


def test_exceedance_counts_returns_beyond_deviations() -> None:
    told = sample_of(moves(np.random.default_rng(7).standard_normal((50_000, 2))))
    assert exceedance(told, np.array([1.0, 2.0, 3.0])) == pytest.approx([0.3173, 0.0455, 0.0027], abs=0.003)


def test_the_bootstrap_surrounds_the_fact_and_repeats_with_its_seed() -> None:
    told = sample_of(moves(0.01 * np.random.default_rng(8).standard_normal((2_000, 3))))
    drawn = bootstrap(told, 60, seed=3)
    low, high = np.nanpercentile(drawn[:, 0], [5.0, 95.0])
    assert low < facts(told)[0] < high
    assert high - low == pytest.approx(2 * 1.645 * facts(told)[0] / np.sqrt(2 * 2_000), rel=0.5)
    np.testing.assert_array_equal(drawn, bootstrap(told, 60, seed=3))
    assert not np.array_equal(drawn[:, 0], bootstrap(told, 60, seed=4)[:, 0])
