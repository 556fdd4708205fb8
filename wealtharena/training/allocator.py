"""The meta-agent's recipe: PPO over a market whose assets are the agents' books."""

from wealtharena.settings.models import AgentSettings, Algorithm, Settings


def meta_agent_settings(settings: Settings) -> AgentSettings:
    """``settings.meta`` as a recipe; what it does not name has the defaults of ``AgentSettings``."""
    return AgentSettings(
        algorithm=Algorithm.PPO,
        env_steps=settings.meta.env_steps,
        learning_rate=settings.meta.learning_rate,
        long_only=True,
    )
