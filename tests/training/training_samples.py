"""A small market with a planted edge, and quick jobs on it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wealtharena.agents import AGENTS
from wealtharena.core import MarketPanel
from wealtharena.core.hashing import hash_arrays
from wealtharena.core.panel import AssetCosts
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import Algorithm, Settings, TrainingSettings
from wealtharena.training.result import TrainingJob

AGENT_OF = {
    Algorithm.PPO: "stocks",
    Algorithm.SAC: "crypto",
    Algorithm.A2C: "etfs",
    Algorithm.DQN: "currencies",
}
SMALL: dict[str, Any] = {"hidden_sizes": (8,), "num_accounts": 8, "train_batch_size": 64, "minibatch_size": 32}


def planted_panel(sessions: int, assets: int, edge: float, seed: int, features: int = 4) -> MarketPanel:
    """Daily returns of 1 % volatility whose drift is ``edge`` daily deviations times feature 0, a slow AR(1) state.

    The other features are noise. Half of each return's variance is common to all assets.
    """
    rng = np.random.default_rng(seed)
    shape = (sessions, assets)
    state = np.zeros(shape)
    shocks = rng.standard_normal(shape)
    for t in range(1, sessions):
        state[t] = 0.95 * state[t - 1] + np.sqrt(1 - 0.95**2) * shocks[t]
    noise = (rng.standard_normal((sessions, 1)) + rng.standard_normal(shape)) / np.sqrt(2.0)
    returns = 0.01 * noise
    returns[1:] += 0.01 * edge * state[:-1]
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    before = np.vstack([np.full((1, assets), 100.0), close[:-1]])
    matrix = rng.standard_normal((*shape, features)).astype(np.float32)
    matrix[:, :, 0] = state
    everywhere = np.ones(shape, dtype=np.bool_)
    return MarketPanel(
        dates=np.datetime64("2015-01-01", "D") + np.arange(sessions),
        symbols=tuple(f"A{k:02d}" for k in range(assets)),
        feature_names=tuple(f"f{k}" for k in range(features)),
        features=matrix,
        open=before,
        close=close,
        tradable=everywhere.copy(),
        observed=everywhere.copy(),
        delisted=np.zeros(shape, dtype=np.bool_),
        dollar_volume=np.full(shape, 1e7),
        volatility=np.full(shape, 0.01),
        costs=AssetCosts.flat(assets, 2e-4),
        annualisation=252,
    )


def make_job_in(
    folder: Path, algorithm: Algorithm, panel: MarketPanel | None = None, seed: int = 1, **recipe: Any
) -> TrainingJob:
    """A job of a few hundred steps on tiny networks; keyword arguments change the recipe."""
    market = planted_panel(160, 3, 0.1, seed=5) if panel is None else panel
    border = int(len(market.dates) * 0.75)
    settings = Settings()
    name = AGENT_OF[algorithm]
    figures = settings.agents[name].model_copy(update={"env_steps": 512, "updates_per_step": 0.05, **SMALL, **recipe})
    return TrainingJob(
        agent=AGENTS[name],
        recipe=figures,
        panel_train=market.rows(0, border),
        panel_validation=market.rows(border - 1, len(market.dates)),
        rules=replace(TradingRules.from_settings(settings, name), long_only=figures.long_only),
        reward=RewardWeights.from_settings(settings, name),
        training=TrainingSettings(episode_days=20, evaluations=2),
        seed=seed,
        output_dir=folder,
    )


def weights_hash(algorithm: Any) -> str:
    """Of the module that an algorithm learns."""
    weights = algorithm.module.state_dict()
    return hash_arrays(weights[name].cpu().numpy() for name in sorted(weights))
