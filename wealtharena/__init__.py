"""WealthArena: nightly retraining, honest evaluation and gated promotion of trading agents.

The classes below are loaded on first use, so that ``import wealtharena`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wealtharena.envs.multi_agent_env import WealthArenaMultiAgentRLEnv
    from wealtharena.serving.checkpoints import ModelCheckpoint
    from wealtharena.serving.production import ProductionModelManager
    from wealtharena.settings import load_settings
    from wealtharena.training.factory import RLAgent, RLAgentFactory
    from wealtharena.training.meta_agent import RLMetaAgent, RLMetaAgentConfig

__version__ = "0.1.0"

_HOMES = {
    "ModelCheckpoint": "wealtharena.serving.checkpoints",
    "ProductionModelManager": "wealtharena.serving.production",
    "RLAgent": "wealtharena.training.factory",
    "RLAgentFactory": "wealtharena.training.factory",
    "RLMetaAgent": "wealtharena.training.meta_agent",
    "RLMetaAgentConfig": "wealtharena.training.meta_agent",
    "WealthArenaMultiAgentRLEnv": "wealtharena.envs.multi_agent_env",
    "load_settings": "wealtharena.settings",
}

__all__ = [
    "ModelCheckpoint",
    "ProductionModelManager",
    "RLAgent",
    "RLAgentFactory",
    "RLMetaAgent",
    "RLMetaAgentConfig",
    "WealthArenaMultiAgentRLEnv",
    "__version__",
    "load_settings",
]


def __getattr__(name: str) -> Any:
    """Loads a public class from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'wealtharena' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
