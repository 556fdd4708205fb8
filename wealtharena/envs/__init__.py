"""Gymnasium faces over the execution kernel."""

from wealtharena.envs.config import EnvConfig
from wealtharena.envs.vector_env import TradingVectorEnv

__all__ = ["EnvConfig", "TradingVectorEnv"]
