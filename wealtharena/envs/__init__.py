"""Gymnasium faces over the execution kernel.

Importing this package registers ``ENVIRONMENTS``, which is how Gymnasium resolves
``gymnasium.make("wealtharena.envs:WealthArena/Trading-v0", panel=...)`` in any process.
"""

from wealtharena.envs.config import EnvConfig
from wealtharena.envs.multi_agent_env import MultiAgentConfig, WealthArenaMultiAgentRLEnv
from wealtharena.envs.registration import ENV_ID, ENVIRONMENTS, register_environments
from wealtharena.envs.simulation import SimulationPath, next_targets, run_policy, run_strategies, run_weights
from wealtharena.envs.single_env import TradingEnv
from wealtharena.envs.vector_env import TradingVectorEnv

__all__ = [
    "ENVIRONMENTS",
    "ENV_ID",
    "EnvConfig",
    "MultiAgentConfig",
    "SimulationPath",
    "TradingEnv",
    "TradingVectorEnv",
    "WealthArenaMultiAgentRLEnv",
    "next_targets",
    "register_environments",
    "run_policy",
    "run_strategies",
    "run_weights",
]

register_environments()
