"""Markets with a known answer: formulas, the same figures through the kernel, and agents against their oracles."""

import math
from dataclasses import replace

import numpy as np
import pytest

from wealtharena.core.errors import ExecutionError, SettingsError
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.envs.simulation import run_policy
from wealtharena.evaluation.metrics import sharpe_standard_error
from wealtharena.evaluation.verification import (
    KNOWN_FIGURES,
    PRICE_SCALE,
    VERIFICATION_MARKETS,
    Comparison,
    KnownFigure,
    Measure,
    Trades,
    World,
    agent_target,
    compare,
    estimate,
    oracles,
    policies,
    score,
    score_of,
    simulate,
    trade,
    trading_rules,
)
from wealtharena.evaluation.verification.catalogue import BP
from wealtharena.evaluation.verification.markets import M1, M1_WEAK, M2, M3, M4, M5, M6
from wealtharena.evaluation.verification.scoring import SHARPE, resampled_scores
from wealtharena.evaluation.verification.value_iteration import solve_autoregression, solve_spread

EVERY_MARKET = pytest.mark.parametrize("name", VERIFICATION_MARKETS)
EVERY_FIGURE = pytest.mark.parametrize("figure", KNOWN_FIGURES, ids=lambda figure: f"{figure.market} {figure.policy}")

PRINTED = {
    ("M0", "coin"): "-1.580",
    ("M1", "linear"): "1.580",
    ("M1c", "sign rule"): "0.972",
    ("M1d", "sign rule"): "-0.135",
    ("M1d", "best of -1, 0, 1"): "0.17",
    ("M1e", "best of -1, 0, 1"): "4.23e-04",
    ("M1e", "best of -1, 0, 1 (Sharpe)"): "0.67",
    ("M2", "best rule"): "2.85e-03",
    ("M2", "best rule (net Sharpe)"): "1.202",
    ("M2", "Markowitz"): "-2.9e-02",
    ("M3", "linear, mean per k"): "1.528e-04",
    ("M3", "linear, no cost"): "2.857",
    ("M3b", "best of five"): "2.130e-03",
    ("M3b", "best of five (Sharpe)"): "1.86",
    ("M4", "regime known"): "1.539",
    ("M5", "at once"): "2.198",
    ("M6", "before release"): "10.00",
}


def tomorrow(world: World) -> FloatArray:
    """The sign of tomorrow's return, which nobody can know: what a leak would do."""
    moves = np.sign(world.panel.close - world.panel.open) / len(world.panel.symbols)
    return np.vstack([moves[1:], np.zeros((1, moves.shape[1]))])


def trades_of(figure: KnownFigure, seeds: range, num_years: float) -> Trades:
    worlds = [simulate(figure.market, seed, num_years) for seed in seeds]
    return Trades.of([trade(world, figure.positions(world), costless=figure.costless) for world in worlds])


def standard_errors_off(figure: KnownFigure, seeds: range, num_years: float) -> float:
    found = estimate(figure.measure, trades_of(figure, seeds, num_years))
    return abs(found.value - figure.value()) / math.hypot(found.standard_error, figure.error)


# Formulas


@pytest.mark.parametrize("key", PRINTED, ids=" ".join)
def test_formulas_give_the_published_digits(key: tuple[str, str]) -> None:
    value = next(figure.value() for figure in KNOWN_FIGURES if (figure.market, figure.policy) == key)
    digits = PRINTED[key]
    mantissa = digits.split("e")[0]
    kind = "e" if "e" in digits else "f"
    assert format(value, f".{len(mantissa.split('.')[1])}{kind}") == digits


def test_simple_rules_reach_the_published_shares_of_the_oracle() -> None:
    assert oracles.sign_rule_mean(M1, 2 * BP) / solve_autoregression(M1, 2 * BP).mean == pytest.approx(0.98, abs=0.006)
    assert oracles.sign_rule_mean(M1, 5 * BP) / solve_autoregression(M1, 5 * BP).mean == pytest.approx(0.78, abs=0.005)
    assert oracles.sign_rule_mean(M3, 50 * BP) / solve_spread(M3, 50 * BP).mean == pytest.approx(0.70, abs=0.005)
    assert oracles.sign_rule_mean(M3, 20 * BP) / solve_spread(M3, 20 * BP).mean == pytest.approx(0.92, abs=0.005)


def test_without_costs_value_iteration_is_the_sign_rule() -> None:
    assert solve_autoregression(M1, 0.0).mean == pytest.approx(oracles.sign_rule_mean(M1, 0.0), rel=1e-3)
    assert solve_spread(M3, 0.0).mean == pytest.approx(oracles.sign_rule_mean(M3, 0.0), rel=1e-3)


def test_finer_grids_do_not_move_the_value() -> None:
    for cost in (2 * BP, 5 * BP):
        fine = solve_autoregression(M1, cost, num_states=801).mean
        assert solve_autoregression(M1, cost).mean == pytest.approx(fine, rel=1e-3)
    assert solve_spread(M3, 50 * BP).mean == pytest.approx(solve_spread(M3, 50 * BP, num_states=641).mean, rel=1e-3)


def test_no_other_risk_aversion_gives_the_weak_signal_a_larger_sharpe_ratio() -> None:
    best = solve_autoregression(M1_WEAK, 5 * BP, policies.RESTRAINT).sharpe
    for other in (0.0, 1.0, 1.5, 2.5, 4.0):
        assert solve_autoregression(M1_WEAK, 5 * BP, other).sharpe < best * 1.002


def test_no_other_speed_of_adjustment_gives_carry_a_much_larger_sharpe_ratio() -> None:
    best = oracles.carry_sharpe(M5, 5 * BP, policies.ADJUSTMENT)
    assert best == pytest.approx(2.482, abs=5e-4)
    for other in (0.05, 0.10, 0.15, 0.18, 0.22, 0.25, 0.3, 1.0):
        assert oracles.carry_sharpe(M5, 5 * BP, other) < best * 1.001


def test_at_prohibitive_costs_value_iteration_stays_out() -> None:
    solution = solve_autoregression(M1, 1.0)
    assert solution.mean == pytest.approx(0.0, abs=1e-12)
    assert not solution.hold(np.array([3.0, -3.0, 0.5])).any()


@pytest.mark.parametrize("memory", [-0.005, 0.0, 0.005])
@pytest.mark.parametrize("gain", [0.97, 1.0, 1.03])
def test_no_neighbour_of_the_best_rule_has_more_utility(memory: float, gain: float) -> None:
    best = oracles.partial_adjustment(M2)
    other = replace(best, memory=best.memory + memory, gain=best.gain * gain)
    # The rule is best for a discounted sum: next to no discount, but not none.
    assert oracles.rule_utility(M2, other) <= oracles.rule_utility(M2, best) * (1.0 + 1e-4)


# Worlds


@EVERY_MARKET
def test_a_world_is_a_panel_in_which_every_open_is_the_close_before(name: str) -> None:
    panel = simulate(name, 1, 2).panel
    assert panel.close.shape == (505, len(panel.symbols))
    np.testing.assert_array_equal(panel.open[1:], panel.close[:-1])
    assert np.isfinite(panel.features).all()
    assert panel.features.shape == (*panel.close.shape, len(panel.feature_names))
    assert 0.5 < panel.features.std() < 2.0


@EVERY_MARKET
def test_equal_seeds_give_equal_worlds(name: str) -> None:
    one, same, other = (simulate(name, seed, 1).panel for seed in (1, 1, 2))
    assert one.content_hash == same.content_hash != other.content_hash


def test_markets_share_no_random_numbers() -> None:
    one, other = (simulate(name, 1, 4).panel.close[:, 0] for name in ("M0", "M6"))
    assert abs(np.corrcoef(np.diff(np.log(one)), np.diff(np.log(other)))[0, 1]) < 0.1


@EVERY_MARKET
def test_oracles_do_not_know_what_comes_after(name: str) -> None:
    market, world = VERIFICATION_MARKETS[name], simulate(name, 3, 1)
    known = World(world.panel.rows(0, 100), np.full_like(world.hidden[:100], np.nan))
    np.testing.assert_allclose(market.oracle(known), market.oracle(world)[:100], atol=1e-12)


@EVERY_MARKET
def test_returns_have_the_volatility_of_the_panel(name: str) -> None:
    panel = simulate(name, 5, 40).panel
    assert np.std(panel.close / panel.open - 1.0) == pytest.approx(panel.volatility[0, 0], rel=0.04)


def test_features_are_what_the_next_return_depends_on() -> None:
    expected = {
        "M1": M1.phi,
        "M2": M2.strength / math.hypot(M2.volatility, M2.strength),
        "M3": -math.sqrt(M3.reversion / 2.0),
        "M5": M5.payoff / M5.volatility,
        "M6": 0.0,
    }
    for name, correlation in expected.items():
        panel = simulate(name, 7, 100).panel
        returns = (panel.close / panel.open - 1.0)[1:].ravel()
        found = np.corrcoef(panel.features[:-1, :, 0].ravel(), returns)[0, 1]
        assert found == pytest.approx(correlation, abs=4.0 / math.sqrt(25_200)), name


def test_a_late_feature_is_published_one_session_after_its_date() -> None:
    world = simulate("M6", 1, 100)
    np.testing.assert_allclose(world.panel.features[1:, 0, 0], world.hidden[:-1, 0], atol=1e-6)
    returns = (world.panel.close / world.panel.open - 1.0)[:, 0]
    assert np.corrcoef(world.hidden[:-1, 0], returns[1:])[0, 1] == pytest.approx(M6.correlation, abs=0.02)


def test_regimes_last_as_long_as_they_should() -> None:
    regime = simulate("M4", 1, 200).hidden[:, 0]
    assert set(np.unique(regime)) == {-1.0, 1.0}
    assert np.mean(regime[1:] != regime[:-1]) == pytest.approx(1.0 - M4.stay, rel=0.2)


def test_an_unknown_market_is_refused_with_the_known_names() -> None:
    for ask in (lambda: simulate("M9", 1, 1), lambda: agent_target("M9"), lambda: score("M9", [])):
        with pytest.raises(SettingsError, match=r"'M9'; known: M0, M1, M1c"):
            ask()


# Through the kernel


@EVERY_FIGURE
def test_known_figures_come_out_of_the_kernel(figure: KnownFigure) -> None:
    """100 years each."""
    assert standard_errors_off(figure, range(1), 100) < 4.0


@pytest.mark.slow
@EVERY_FIGURE
def test_known_figures_come_out_of_the_kernel_over_two_thousand_years(figure: KnownFigure) -> None:
    assert standard_errors_off(figure, range(100, 105), 400) < 3.0


@EVERY_FIGURE
def test_no_limit_binds(figure: KnownFigure) -> None:
    world = simulate(figure.market, 31, 40)
    assert not trade(world, figure.positions(world)).limits.any()


@EVERY_FIGURE
def test_drift_and_compounding_vanish_at_the_scale_of_the_prices(figure: KnownFigure) -> None:
    """The kernel's gains, against positions times returns less costs, added up as the formulas do."""
    if figure.measure.quadratic_cost:
        pytest.skip("its costs are not the kernel's")
    world = simulate(figure.market, 11, 100)
    positions = figure.positions(world)
    through = estimate(figure.measure, Trades.of([trade(world, positions, costless=figure.costless)]))
    returns = world.panel.close[1:] / world.panel.open[1:] - 1.0
    traded = np.abs(np.diff(positions[:-1], axis=0, prepend=0.0)).sum(axis=1)
    rate = 0.0 if figure.costless else VERIFICATION_MARKETS[figure.market].one_way_cost * PRICE_SCALE
    added = Trades((positions[:-1] * returns).sum(axis=1) - rate * traded, traded, positions[:-1])
    error_of_two_thousand_years = through.standard_error * math.sqrt(100.0 / 2_000.0)
    assert abs(through.value - score_of(figure.measure, added)) < 0.1 * error_of_two_thousand_years


def test_quadratic_costs_are_those_of_the_positions_asked_for() -> None:
    figure = next(entry for entry in KNOWN_FIGURES if (entry.market, entry.policy) == ("M2", "best rule"))
    world = simulate("M2", 11, 100)
    x = M2.full_position * figure.positions(world)[:-1, 0]
    returns = (world.panel.close[1:] / world.panel.open[1:] - 1.0)[:, 0] / PRICE_SCALE
    change = np.diff(x, prepend=0.0)
    gains = x * returns - 0.5 * M2.quadratic_cost * change**2 - 0.5 * M2.risk_aversion * M2.volatility**2 * x**2
    assert score("M2", [trade(world, figure.positions(world))]) == pytest.approx(gains.mean(), rel=2e-3)


# Scores


def test_an_account_that_never_moved_scores_nothing() -> None:
    for name in VERIFICATION_MARKETS:
        world = simulate(name, 1, 1)
        assert score(name, [trade(world, policies.nothing(world))]) == 0.0


def test_smaller_positions_earn_less_at_the_same_sharpe_ratio() -> None:
    world = simulate("M1e", 1, 20)
    signs = policies.feature_sign(world)
    whole, half = (trade(world, size * signs) for size in (1.0, 0.5))
    assert score("M1e", [half]) == pytest.approx(0.5 * score("M1e", [whole]), rel=1e-3)
    assert score("M1c", [half]) == pytest.approx(0.5 * score("M1c", [whole]), rel=1e-3)
    assert score("M1", [half]) == pytest.approx(score("M1", [whole]), rel=1e-3)


def test_the_bootstrap_has_the_standard_error_of_theory_for_independent_gains() -> None:
    returns = np.random.default_rng(1).normal(0.05, 1.0, size=20_000)
    trades = Trades(returns, np.zeros(20_000), np.zeros((20_000, 1)))
    for block in (1.0, 63.0):
        found = estimate(SHARPE, trades, replicates=2_000, block=block)
        assert found.standard_error == pytest.approx(sharpe_standard_error(returns, 252), rel=0.12)


def test_the_bootstrap_sees_memory() -> None:
    """The mean of an autoregression with coefficient 0.9 is four times as uncertain as its variance suggests."""
    shocks = np.random.default_rng(2).normal(size=50_000)
    values = np.zeros(50_000)
    for t in range(1, 50_000):
        values[t] = 0.9 * values[t - 1] + shocks[t]
    found = estimate(Measure("mean"), Trades(values, np.zeros(50_000), np.zeros((50_000, 1))), block=200.0)
    theory = 10.0 / math.sqrt(50_000) / PRICE_SCALE
    assert found.standard_error == pytest.approx(theory, rel=0.15)


def test_accounts_are_resampled_together_and_reproducibly() -> None:
    returns = np.random.default_rng(3).normal(size=1_000)
    account = Trades(returns, np.zeros(1_000), np.zeros((1_000, 1)))
    scores = resampled_scores(Measure("mean"), [account, account], replicates=50)
    np.testing.assert_array_equal(scores[:, 0], scores[:, 1])
    np.testing.assert_array_equal(scores, resampled_scores(Measure("mean"), [account, account], replicates=50))
    assert len(np.unique(scores)) == 50


# Agents against oracles


def compared(name: str, positions: policies.Positions, num_years: float = 100, seed: int = 21) -> Comparison:
    world = simulate(name, seed, num_years)
    return compare(name, [world], [trade(world, positions(world))], replicates=300)


@EVERY_MARKET
def test_an_oracle_equals_itself(name: str) -> None:
    found = compared(name, VERIFICATION_MARKETS[name].oracle, num_years=40)
    assert found.score == found.oracle
    assert not found.above_ceiling
    assert found.meets_target
    if found.oracle > 0.0:
        assert found.ratio == 1.0
    else:
        assert math.isnan(found.ratio)


@EVERY_MARKET
def test_whoever_knows_tomorrow_is_found_out(name: str) -> None:
    # In M2 following every move would cost more than it brings: a little of it on top of the best rule.
    size, start = (
        (0.4 / M2.full_position, VERIFICATION_MARKETS[name].oracle) if name == "M2" else (1.0, policies.nothing)
    )
    found = compared(name, lambda world: start(world) + size * tomorrow(world), num_years=20)
    assert found.above_ceiling
    assert found.excess_low > 0.0


@pytest.mark.parametrize(("name", "ratio"), [("M1e", 0.78), ("M3b", 0.704), ("M5", 0.886)])
def test_simple_rules_miss_the_target(name: str, ratio: float) -> None:
    simple = {
        "M1e": policies.feature_sign,
        "M3b": lambda world: policies.feature_sign(world, -1.0),
        "M5": policies.carry,
    }[name]
    found = compared(name, simple)
    assert found.ratio_low < ratio < found.ratio_high
    assert not found.meets_target
    assert not found.above_ceiling


def test_whoever_follows_every_weak_signal_loses_and_misses_the_target() -> None:
    found = compared("M1d", policies.feature_sign, num_years=150)
    assert found.score < 0.0
    assert not found.meets_target
    assert compared("M1d", policies.nothing, num_years=20).meets_target


def test_knowing_the_hidden_regime_counts_as_a_leak_and_guessing_it_does_not() -> None:
    assert compared("M4", policies.hidden_sign).above_ceiling
    guess = compared("M4", lambda world: policies.belief(world, M4))
    assert not guess.above_ceiling
    assert guess.meets_target


def test_a_late_feature_is_worth_nothing_and_before_its_release_ten() -> None:
    honest, leaked = compared("M6", policies.feature_sign), compared("M6", policies.hidden_sign)
    assert abs(honest.score) < 4.0 / math.sqrt(100)
    assert honest.meets_target
    assert not honest.above_ceiling
    assert leaked.score == pytest.approx(10.0, abs=0.4)
    assert leaked.above_ceiling
    assert not leaked.meets_target


def test_a_policy_that_acts_on_observations_is_compared_as_it_stands() -> None:
    """The last return as a score: on M1 that is the oracle, up to the size of its positions."""
    world = simulate("M1", 4, 40)

    def act(observations: Float32Array) -> FloatArray:
        return np.clip(observations[:, :, 0] / policies.LINEAR_LIMIT, -1.0, 1.0).astype(np.float64)

    path = run_policy(act, world.panel, 1, len(world.panel.dates) - 1, trading_rules())
    found = compare("M1", [world], [path], replicates=100)
    assert found.ratio == pytest.approx(1.0, abs=1e-4)
    assert found.meets_target
    assert found.sessions == 40 * 252


def test_paths_that_do_not_cover_their_worlds_are_refused() -> None:
    world = simulate("M1", 4, 2)
    path = trade(world, policies.linear(world))
    with pytest.raises(ExecutionError, match=r"\[504\] sessions, got \[252\]"):
        compare("M1", [world], [replace(path, returns=path.returns[:252])])


@EVERY_MARKET
def test_every_market_says_what_it_asks_of_an_agent(name: str) -> None:
    assert len(agent_target(name)) > 20
    assert any(figure.market == name for figure in KNOWN_FIGURES)
