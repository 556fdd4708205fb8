"""Remote runners: how accounts are shared among them, and what they say of a market that is not finite."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_samples import planted_panel

from wealtharena.core.errors import SettingsError, TrainingError
from wealtharena.envs import EnvConfig
from wealtharena.settings.models import AgentSettings, Algorithm, TrainingSettings
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.session import ray_session
from wealtharena.training.transitions import side_by_side

SMALL = {"hidden_sizes": (8,), "num_accounts": 4, "train_batch_size": 64, "minibatch_size": 32, "env_steps": 512}


def test_accounts_of_several_runners_stand_side_by_side() -> None:
    wide, narrow = (
        ("observations", "actions", "next_observations", "assets"),
        ("rewards", "terminated", "ended", "rows"),
    )

    def part(first: int) -> dict[str, Any]:
        values = {name: np.full((2, 1, 3), first) for name in wide} | {name: np.full((2, 1), first) for name in narrow}
        return values | {"action_inputs": np.empty(0), "action_logp": np.empty(0)}

    both = side_by_side([part(1), part(2)])
    assert both.observations.shape == (2, 2, 3)
    assert both.rewards.tolist() == [[1, 2], [1, 2]]
    assert both.action_logp.numel() == 0


def test_runners_that_cannot_share_the_accounts_and_gpus_that_are_not_there_are_refused(tmp_path: Path) -> None:
    market = TrainingMarket.write(planted_panel(60, 3, 0.1, seed=5), EnvConfig(), 3, tmp_path)
    agent = AgentSettings(algorithm=Algorithm.PPO, **SMALL)
    with pytest.raises(SettingsError, match=r"num_accounts must be a multiple of training.env_runners \(3\), got 4"):
        build_config(agent, market, market.spaces(), 1, TrainingSettings(env_runners=3))
    if not torch.cuda.is_available():
        with pytest.raises(SettingsError, match=r"training.gpus must be 0 where there is no GPU, got 0.5"):
            build_config(agent, market, market.spaces(), 1, TrainingSettings(gpus=0.5))


@pytest.mark.slow
def test_what_is_wrong_in_the_market_is_said_by_the_algorithm(tmp_path: Path) -> None:
    panel = planted_panel(60, 3, 0.1, seed=5)
    panel.features[:, :, 1] = np.nan
    market = TrainingMarket.write(panel, EnvConfig(episode_days=10), 3, tmp_path)
    agent = AgentSettings(algorithm=Algorithm.SAC, **SMALL)
    with ray_session(TrainingSettings(), num_cpus=2):
        algorithm = build_config(agent, market, market.spaces(), 1, TrainingSettings(env_runners=1)).build_algo()
        with pytest.raises(TrainingError, match="observations must be finite"):
            algorithm.train()
        algorithm.stop()
