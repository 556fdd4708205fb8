"""Names under which Gymnasium finds the environments."""

import gymnasium

ENV_ID = "WealthArena/Trading-v0"


def register_environments() -> None:
    """Register ``WealthArena/Trading-v0`` with Gymnasium; a second call changes nothing."""
    if ENV_ID not in gymnasium.registry:
        gymnasium.register(
            ENV_ID,
            entry_point="wealtharena.envs.single_env:TradingEnv",
            vector_entry_point="wealtharena.envs.vector_env:TradingVectorEnv",
        )
