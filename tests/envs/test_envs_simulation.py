"""Sequential simulation: the path that backtests and signals share with training."""

import numpy as np
import pytest
from envs_markets import FREE, priced_panel, random_panel

from wealtharena.core.errors import DataWindowError, ExecutionError
from wealtharena.envs import EnvConfig, TradingEnv, run_policy, run_weights
from wealtharena.execution import target_weights


def chase(observation: np.ndarray) -> np.ndarray:
    """Some policy that looks at everything it is shown."""
    return np.tanh(observation.sum(axis=2))


def test_a_policy_sees_and_earns_in_the_simulation_what_it_does_in_the_environment() -> None:
    panel = random_panel()
    seen: list[bytes] = []

    def act(observation: np.ndarray) -> np.ndarray:
        seen.append(observation.tobytes())
        return chase(observation)

    path = run_policy(act, panel, 1, 59, FREE)
    env = TradingEnv(panel, EnvConfig(rules=FREE, random_starts=False, episode_days=100))
    observation, _ = env.reset()
    for t in range(59):
        assert observation.tobytes() == seen[t]
        observation, _, _, _, info = env.step(chase(observation[None])[0])
        assert info["equity"] == path.equity[t]
        assert info["turnover"] == path.turnover[t]


def test_scores_and_the_weights_that_they_stand_for_lead_to_the_same_path() -> None:
    panel = random_panel()
    scores = np.random.default_rng(0).uniform(-1, 1, (50, 4))
    calls = iter(scores)
    by_policy = run_policy(lambda _: next(calls)[None], panel, 10, 59, FREE)
    by_weights = run_weights(target_weights(scores, panel.observed[9:59], FREE), panel, 10, 59, FREE)
    for name in ("equity_open", "equity", "returns", "turnover", "cost", "gross", "weights", "targets"):
        np.testing.assert_array_equal(getattr(by_policy, name), getattr(by_weights, name))


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


def test_the_cost_multiplier_scales_costs() -> None:
    panel, weights = random_panel(), np.full((20, 4), 0.25)
    once, twice = (run_weights(weights, panel, 10, 29, FREE, cost_multiplier=times) for times in (1.0, 2.0))
    assert twice.cost[0] == pytest.approx(2 * once.cost[0])
    assert twice.equity[-1] < once.equity[-1]


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 60), (6, 5)])
def test_rows_outside_the_panel_or_without_a_close_before_are_refused(first: int, last: int) -> None:
    with pytest.raises(DataWindowError, match="rows must satisfy 1 <= first <= last < 60"):
        run_policy(chase, random_panel(), first, last, FREE)


def test_unusable_decisions_are_refused() -> None:
    with pytest.raises(ExecutionError, match="scores must be finite"):
        run_policy(lambda _: np.full((1, 4), np.nan), random_panel(), 1, 5, FREE)
    with pytest.raises(ExecutionError, match=r"weights must be \(5, 4\)"):
        run_weights(np.zeros((4, 4)), random_panel(), 1, 5, FREE)
