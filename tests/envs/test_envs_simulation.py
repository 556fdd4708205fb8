"""Sequential simulation: the path that backtests and signals share with training."""

import numpy as np
import pytest
from envs_markets import BOUND, FREE, priced_panel, random_panel

from wealtharena.core.errors import DataWindowError, ExecutionError, SettingsError
from wealtharena.envs import EnvConfig, TradingEnv, run_policy, run_weights
from wealtharena.envs.simulation import next_limited, next_targets, run_strategies

LEVELS = (-1.0, 0.0, 1.0)


def chase(observation: np.ndarray) -> np.ndarray:
    """Some policy that looks at everything it is shown."""
    return np.tanh(observation.sum(axis=2))


def places_of(actions: str, scores: np.ndarray) -> np.ndarray:
    """What an environment takes for scores: places among the levels, or the scores themselves."""
    return np.searchsorted(LEVELS, scores) if actions == "levels" else scores


@pytest.mark.parametrize(("window", "actions"), [(1, "weights"), (4, "weights"), (1, "changes"), (2, "levels")])
def test_a_policy_sees_and_earns_in_the_simulation_what_it_does_in_the_environment(window: int, actions: str) -> None:
    panel = random_panel()
    seen: list[bytes] = []

    def act(observation: np.ndarray) -> np.ndarray:
        seen.append(observation.tobytes())
        return decide(observation)

    def decide(observation: np.ndarray) -> np.ndarray:
        scores = chase(observation)
        return np.round(scores) if actions == "levels" else scores

    path = run_policy(act, panel, window, 59, BOUND, window=window, actions=actions)
    config = EnvConfig(rules=BOUND, random_starts=False, episode_days=100, window=window)
    env = TradingEnv(panel, config.changed(action=actions, levels=LEVELS))
    observation, _ = env.reset()
    for t in range(60 - window):
        assert observation.tobytes() == seen[t]
        observation, _, _, _, info = env.step(places_of(actions, decide(observation[None])[0]))
        assert info["equity"] == path.equity[t]
        assert info["turnover"] == path.turnover[t]
        assert info["limits"] == path.limits[t]


@pytest.mark.parametrize(("window", "actions"), [(1, "weights"), (3, "weights"), (1, "changes")])
def test_the_next_targets_are_those_of_the_session_that_follows(window: int, actions: str) -> None:
    panel = random_panel()
    path = run_policy(chase, panel, 3, 59, FREE, window=window, actions=actions)
    peak = np.maximum.accumulate(np.maximum(path.equity, 1.0))
    for row in (10, 30, 58):
        held, drawdown = path.weights[row - 3], path.equity[row - 3] / peak[row - 3] - 1.0
        known = panel.rows(0, row + 1)
        targets = next_targets(chase, known, FREE, held, drawdown, window=window, actions=actions)
        np.testing.assert_allclose(targets, path.targets[row - 2], atol=1e-12)


def test_changes_move_a_position_from_where_it_is() -> None:
    """Half a full position more at each of two closes, then nothing: one full position, at prices that stand still."""
    wanted = iter([0.5, 0.5, 0.0])
    panel = priced_panel([[10.0]] * 4)
    path = run_policy(lambda _: np.array([[next(wanted)]]), panel, 1, 3, FREE, actions="changes")
    assert path.weights[:, 0] == pytest.approx([0.5, 1.0, 1.0])
    assert path.turnover == pytest.approx([0.5, 0.5, 0.0])


def test_given_weights_are_limited_for_the_next_session_as_in_the_simulation() -> None:
    panel = random_panel()
    wanted = np.random.default_rng(0).uniform(-1.0, 1.0, (50, 4))
    path = run_weights(wanted, panel, 10, 59, FREE)
    limited = next_limited(wanted[30], panel.rows(0, 40), FREE, path.weights[29])
    np.testing.assert_allclose(limited, path.targets[30], atol=1e-12)
    assert np.abs(limited).sum() < np.abs(wanted[30]).sum()


def test_the_first_fill_is_at_the_open_of_the_first_row() -> None:
    panel = priced_panel([[10.0], [20.0], [30.0], [60.0]])
    path = run_weights(np.ones((2, 1)), panel, 2, 3, FREE)
    assert path.dates.tolist() == panel.dates[2:4].tolist()
    assert path.equity == pytest.approx([1.0, 2.0])
    assert path.returns == pytest.approx([0.0, 1.0])


def test_buy_and_hold_is_one_order_and_then_none() -> None:
    panel = priced_panel([[10.0, 10.0], [10.0, 10.0], [20.0, 10.0], [40.0, 10.0]])
    weights = np.array([[0.5, 0.5], [np.nan, np.nan], [np.nan, np.nan]])
    path = run_weights(weights, panel, 1, 3, FREE)
    assert path.equity == pytest.approx([1.0, 1.5, 2.5])
    assert path.turnover == pytest.approx([1.0, 0.0, 0.0])


def test_returns_are_zero_after_bankruptcy() -> None:
    path = run_weights(np.full((3, 1), -1.0), priced_panel([[1.0], [1.0], [3.0], [1.0]]), 1, 3, FREE)
    assert path.equity.tolist() == [1.0, -1.0, -1.0]
    assert path.returns.tolist() == [0.0, -2.0, 0.0]


def test_the_cost_multiplier_scales_trading_costs() -> None:
    panel, weights = random_panel(), np.full((20, 4), 0.25)
    once, twice = (run_weights(weights, panel, 10, 29, FREE, cost_multiplier=times) for times in (1.0, 2.0))
    for name in ("commission", "spread", "impact"):
        assert twice.summary[name][0] == pytest.approx(2 * once.summary[name][0])
        assert once.summary[name][0] > 0.0
    assert twice.equity[-1] < once.equity[-1]


def test_each_strategy_trades_as_if_alone() -> None:
    panel, weights = random_panel(), np.random.default_rng(0).uniform(-0.5, 0.5, (5, 50, 4))
    equity = run_strategies(weights, panel, 10, 59, BOUND, cost_multiplier=np.arange(5.0))
    for k in range(5):
        alone = run_weights(weights[k], panel, 10, 59, BOUND, cost_multiplier=float(k))
        np.testing.assert_array_equal(equity[k], alone.equity)


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 60), (6, 5)])
def test_rows_outside_the_panel_or_without_a_close_before_are_refused(first: int, last: int) -> None:
    with pytest.raises(DataWindowError, match="rows must satisfy 1 <= first <= last < 60"):
        run_policy(chase, random_panel(), first, last, FREE)
    with pytest.raises(DataWindowError, match="rows must satisfy 3 <= first <= last < 60"):
        run_policy(chase, random_panel(), 2, 5, FREE, window=3)


def test_unusable_decisions_are_refused() -> None:
    with pytest.raises(ExecutionError, match="scores must be finite"):
        run_policy(lambda _: np.full((1, 4), np.nan), random_panel(), 1, 5, FREE)
    with pytest.raises(SettingsError, match="unknown actions 'wishes'; known: changes, levels, weights"):
        run_policy(chase, random_panel(), 1, 5, FREE, actions="wishes")
    with pytest.raises(ExecutionError, match=r"weights must be \(5, 4\)"):
        run_weights(np.zeros((4, 4)), random_panel(), 1, 5, FREE)
    with pytest.raises(ExecutionError, match=r"weights must be \(4,\) without infinities"):
        next_limited(np.full(4, np.inf), random_panel(), FREE)
