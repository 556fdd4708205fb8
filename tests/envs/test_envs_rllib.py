"""Stock RLlib trains on the environments as they are."""

from typing import Any

import numpy as np
import pytest
from envs_markets import random_panel

from wealtharena.envs import WealthArenaMultiAgentRLEnv

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_ray")]


def one_round(config: Any, *, multi_agent: bool) -> dict[str, Any]:
    """What the environments' side of one training round reports."""
    from ray.rllib.connectors.env_to_module import FlattenObservations

    config.env_runners(
        num_env_runners=0,
        num_envs_per_env_runner=1 if multi_agent else 2,
        env_to_module_connector=lambda *_, **__: FlattenObservations(multi_agent=multi_agent),
    )
    config.learners(num_learners=0)
    config.training(train_batch_size=64, minibatch_size=32, num_epochs=1)
    config.debugging(log_level="ERROR", seed=0)
    algorithm = config.build_algo()
    try:
        reported: dict[str, Any] = algorithm.train()["env_runners"]
    finally:
        algorithm.stop()
    return reported


@pytest.mark.parametrize("name", ["Trading-v0", "TradingLevels-v0"])
def test_an_environment_by_name(name: str) -> None:
    from ray.rllib.algorithms.ppo import PPOConfig

    values = {"panel": random_panel(), "episode_days": 10}
    config = PPOConfig().environment(f"wealtharena.envs:WealthArena/{name}", env_config=values)
    reported = one_round(config, multi_agent=False)
    assert reported["episode_len_mean"] == 10.0
    assert np.isfinite(reported["episode_return_mean"])


def test_several_agents() -> None:
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.multi_agent_env import MultiAgentEnv

    class Market(WealthArenaMultiAgentRLEnv, MultiAgentEnv):  # type: ignore[misc]
        """As docs/environments.md has it."""

        def __init__(self, config: Any) -> None:
            MultiAgentEnv.__init__(self)
            WealthArenaMultiAgentRLEnv.__init__(self, config)

    values = {"panel": random_panel(), "agents": ["ann", "bob"], "episode_days": 10}
    config = PPOConfig().environment(Market, env_config=values)
    config.multi_agent(policies={"ann", "bob"}, policy_mapping_fn=lambda agent, *_, **__: agent)
    reported = one_round(config, multi_agent=True)
    returns = reported["agent_episode_returns_mean"]
    assert set(returns) == {"ann", "bob"}
    assert all(np.isfinite(value) for value in returns.values())
