"""One account, whoever trades it: environments, passes, backtests and paper trading give the same equity."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from envs_markets import BOUND, FREE, random_panel

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv, WealthArenaMultiAgentRLEnv
from wealtharena.envs.simulation import SimulationPath, run_policy, run_strategies, run_weights
from wealtharena.evaluation.backtest import backtest_policy, backtest_weights
from wealtharena.execution import Limit, TradingRules, target_weights
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.serving.model import ServedModel
from wealtharena.serving.trials import backtest_model, next_targets

SESSIONS = 120
LAST = SESSIONS - 1
RULES = {"every limit": BOUND, "no limit": FREE}
EVERY_RULE = pytest.mark.parametrize("rules", RULES.values(), ids=RULES)


def chase(observation: np.ndarray) -> np.ndarray:
    """A policy that looks at everything it is shown, and changes its mind often."""
    return np.tanh(3.0 * observation.astype(np.float64).sum(axis=-1))


class Chaser:
    """The same as an object."""

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Scores."""
        return chase(observation)


def market() -> MarketPanel:
    return random_panel(sessions=SESSIONS, seed=5)


def by_policy(rules: TradingRules) -> SimulationPath:
    return run_policy(chase, market(), 1, LAST, rules)


def as_weights(rules: TradingRules) -> FloatArray:
    """(T, A) what the policy's scores ask for before the limits on risk, turnover and drawdown."""
    panel, scores = market(), []

    def act(observation: np.ndarray) -> np.ndarray:
        scores.append(chase(observation))
        return scores[-1]

    run_policy(act, panel, 1, LAST, rules)
    return target_weights(np.concatenate(scores), panel.observed[:LAST], rules)


def same(equity: FloatArray, expected: FloatArray) -> None:
    np.testing.assert_allclose(equity, expected, rtol=0.0, atol=1e-12)


def test_every_limit_binds_in_the_market_that_is_traded() -> None:
    flags = np.bitwise_or.reduce(by_policy(BOUND).limits)
    missing = [limit.name for limit in Limit if not flags & int(limit)]
    assert missing == ["LONG_ONLY", "MAX_WEIGHT"]


@EVERY_RULE
def test_the_single_environment(rules: TradingRules) -> None:
    path = by_policy(rules)
    env = TradingEnv(market(), EnvConfig(rules=rules, random_starts=False, episode_days=SESSIONS))
    observation, _ = env.reset()
    equity, costs = [], []
    for _ in range(LAST):
        observation, _, _, _, info = env.step(chase(observation))
        equity.append(info["equity"])
        costs.append(info["cost"])
        assert info["row"] == len(equity)
    same(np.array(equity), path.equity)
    same(np.array(costs), path.cost)


@EVERY_RULE
@pytest.mark.parametrize("num_envs", [1, 7])
def test_the_vector_environment_also_among_other_accounts(rules: TradingRules, num_envs: int) -> None:
    path = by_policy(rules)
    config = EnvConfig(rules=rules, random_starts=False, episode_days=SESSIONS)
    env = TradingVectorEnv(market(), config, num_envs)
    observation, _ = env.reset()
    rng = np.random.default_rng(0)
    place, equity = num_envs // 2, []
    for _ in range(LAST):
        actions = rng.uniform(-1.0, 1.0, (num_envs, 4))
        actions[place] = chase(observation[place])
        observation, *_ = env.step(actions)
        equity.append(env.accounts.state["equity"][place])
    same(np.array(equity), path.equity)


def test_an_account_is_the_same_to_the_bit_alone_and_among_others() -> None:
    config = EnvConfig(rules=BOUND, random_starts=False, episode_days=SESSIONS)
    panel = market()
    alone, many = TradingVectorEnv(panel, config, 1), TradingVectorEnv(panel, config, 50)
    alone.reset()
    many.reset()
    rng = np.random.default_rng(0)
    for _ in range(LAST):
        actions = rng.uniform(-1.0, 1.0, (50, 4)).astype(np.float32)
        one, all_of_them = alone.step(actions[31:32]), many.step(actions)
        assert one[0][0].tobytes() == all_of_them[0][31].tobytes()
        assert one[1][0] == all_of_them[1][31]


def test_bits_do_not_depend_on_where_the_arrays_happen_to_lie() -> None:
    panel, config = market(), EnvConfig(rules=BOUND, random_starts=False, episode_days=SESSIONS)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1.0, 1.0, (40, 4)).astype(np.float32)
    kept, seen = [], set()
    for k in range(60):
        kept += [TradingEnv(panel, config), [bytearray(int(size)) for size in rng.integers(16, 3_000, k)]]
        kept[-2].reset()
        seen.add(b"".join(np.float64(kept[-2].step(action)[1]).tobytes() for action in actions))
    assert len(seen) == 1


@EVERY_RULE
def test_its_scores_as_given_weights(rules: TradingRules) -> None:
    path, given = by_policy(rules), as_weights(rules)
    same(run_weights(given, market(), 1, LAST, rules).equity, path.equity)
    same(run_weights(given, market(), 1, LAST, rules).cost, path.cost)
    others = np.random.default_rng(0).uniform(-0.2, 0.2, (3, LAST, 4))
    strategies = np.stack([others[0], given, *others[1:]])
    same(run_strategies(strategies, market(), 1, LAST, rules)[1], path.equity)


@EVERY_RULE
def test_the_backtest(rules: TradingRules) -> None:
    path, panel = by_policy(rules), market()
    same(backtest_policy(Chaser(), panel, (1, SESSIONS), rules, "chaser").equity, path.equity)
    decided_at = np.vstack([as_weights(rules), np.full((1, 4), np.nan)])
    same(backtest_weights(decided_at, panel, (1, SESSIONS), rules, "chaser").equity, path.equity)


def served(panel: MarketPanel, rules: TradingRules) -> ServedModel:
    card = ModelCard(
        agent="stocks",
        kind=ModelKind.POLICY,
        algorithm="PPO",
        feature_names=panel.feature_names,
        rules=rules,
        settings_hash="5" * 64,
        data_version="d" * 64,
        seed=1,
        windows={"held_out": (date(2024, 1, 1), date(2024, 5, 1))},
    )
    return ServedModel(card, "3", Path(), Chaser())


@EVERY_RULE
def test_paper_trading_from_one_nights_signals_to_the_next(rules: TradingRules) -> None:
    """Each night the account is rolled forward on what is known, and the targets of the next session are signalled."""
    path, panel = by_policy(rules), market()
    model = served(panel, rules)
    signalled = []
    for last in range(1, LAST):
        known = panel.rows(0, last + 1)
        account = backtest_model(model, known, (1, last + 1), rules, "paper")
        assert account.equity.tobytes() == path.equity[:last].tobytes()
        signalled.append(np.array(list(next_targets(model, known, account).values())))
    same(np.array(signalled), path.targets[1:])


@EVERY_RULE
def test_an_account_that_does_as_it_is_signalled(rules: TradingRules) -> None:
    """Signals are within the limits already. Some limits would cut a second time: turnover gives way to the others, and
    risk is measured in single precision."""
    path = by_policy(rules)
    obedient = replace(rules, max_turnover=None, max_volatility=None, max_var=None, max_cvar=None)
    same(run_weights(path.targets, market(), 1, LAST, obedient).equity, path.equity)


def test_one_of_several_agents_without_impact_trades_as_if_alone() -> None:
    """Own impact is charged through the joint flow there, so it is taken out of both."""
    panel = market()
    panel.costs.impact[:] = 0.0
    env = WealthArenaMultiAgentRLEnv(
        {"panel": panel, "rules": BOUND, "agents": 3, "impact": 0.0, "episode_days": SESSIONS}
    )
    path = run_policy(chase, panel, 5 + 1, LAST, BOUND)
    # The panel is shorter than an episode, so that the episode starts at its first row with anything to observe.
    observations, _ = env.reset()
    equity = []
    rng = np.random.default_rng(0)
    while env.agents:
        actions = {name: rng.uniform(-1, 1, 4) for name in env.agents}
        actions["agent_1"] = chase(observations["agent_1"])
        observations, *_, infos = env.step(actions)
        equity.append(infos["agent_1"]["equity"])
    same(np.array(equity), path.equity)
