"""Training in this process: for the Python face of the product."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wealtharena.agents.networks import TorchPolicy
from wealtharena.agents.policy import Policy
from wealtharena.agents.specs import AgentSpec
from wealtharena.core.errors import DataWindowError, SettingsError
from wealtharena.core.panel import MarketPanel
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, Settings
from wealtharena.training.result import TrainingJob, TrainingResult

_MIN_SESSIONS = 10


@dataclass(frozen=True, slots=True)
class Training:
    """What a training depends on besides the data."""

    agent: AgentSpec
    recipe: AgentSettings
    rules: TradingRules
    settings: Settings


def train_here(
    training: Training, train: MarketPanel, validation: MarketPanel, num_iterations: int | None, folder: Path
) -> TrainingResult:
    """Trains in this process for ``num_iterations`` rounds, or as long as the recipe says.

    Raises:
        SettingsError: ``num_iterations`` is not positive.
        TrainingError: see ``train_policy``.
    """
    from wealtharena.training.job import train_policy
    from wealtharena.training.recipe import steps_per_iteration

    recipe = training.recipe
    if num_iterations is not None:
        if num_iterations < 1:
            raise SettingsError(f"num_iterations must be at least 1, got {num_iterations}")
        recipe = recipe.model_copy(update={"env_steps": num_iterations * steps_per_iteration(recipe)})
    settings = training.settings
    return train_policy(
        TrainingJob(
            agent=training.agent,
            recipe=recipe,
            panel_train=train,
            panel_validation=validation,
            rules=training.rules,
            reward=RewardWeights.from_settings(settings, training.agent.name),
            training=settings.training,
            seed=settings.seed,
            output_dir=folder,
        )
    )


def split_for_training(
    panel: MarketPanel, name: str, validation_share: float = 0.2, window: int = 1
) -> tuple[MarketPanel, MarketPanel]:
    """Sessions to train on and to choose by.

    Args:
        panel: whole history; what lies before the first session on which something is observed is left out.
        name: of the agent, for the message.
        validation_share: of the sessions that are left.
        window: sessions that an observation shows; as many before the last part belong to it, to be seen only.

    Raises:
        DataWindowError: one of the two has fewer than 10 sessions.
    """
    usable = np.flatnonzero(panel.observed.any(axis=1))
    first = int(usable[0]) if len(usable) else len(panel.dates)
    border = first + int((len(panel.dates) - first) * (1.0 - validation_share))
    if min(border - first, len(panel.dates) - border) < _MIN_SESSIONS:
        raise DataWindowError(
            f"{name}: training and validation need {_MIN_SESSIONS} sessions each after the indicators' lookback, got "
            f"{border - first} and {len(panel.dates) - border} of {len(panel.dates)}"
        )
    return panel.rows(first, border), panel.rows(max(0, border - window), len(panel.dates))


def load_policy(checkpoint: Path) -> Policy:
    """The policy in an RLlib checkpoint, without an algorithm around it."""
    from wealtharena.training.warm_start import load_module

    return TorchPolicy(load_module(checkpoint).scoring_network)
