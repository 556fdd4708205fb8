"""Every algorithm learns a planted edge out of sample, with its default recipe, and invents none on noise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_samples import AGENT_OF, planted_panel

from wealtharena.agents import AGENTS
from wealtharena.core import MarketPanel
from wealtharena.core.panel import Float32Array, FloatArray
from wealtharena.envs import SimulationPath, run_policy
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import Algorithm, Settings, TrainingSettings
from wealtharena.training.job import train_policy
from wealtharena.training.local import load_policy
from wealtharena.training.result import TrainingJob

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("algorithm", list(Algorithm))]

TRAIN, VALIDATION, SESSIONS = 1_200, 1_500, 2_000
STEPS = {Algorithm.SAC: 16_000}
Act = Callable[[Float32Array], FloatArray]


def market(edge: float) -> MarketPanel:
    return planted_panel(SESSIONS, 6, edge, seed=11, features=6)


def trained(algorithm: Algorithm, panel: MarketPanel, folder: Path) -> tuple[Act, TradingRules]:
    settings, name = Settings(), AGENT_OF[algorithm]
    recipe = settings.agents[name].model_copy(update={"long_only": False, "env_steps": STEPS.get(algorithm, 40_000)})
    rules = replace(TradingRules.from_settings(settings, name), long_only=False)
    result = train_policy(
        TrainingJob(
            agent=AGENTS[name],
            recipe=recipe,
            panel_train=panel.rows(0, TRAIN),
            panel_validation=panel.rows(TRAIN - 1, VALIDATION),
            rules=rules,
            reward=RewardWeights.from_settings(settings, name),
            training=TrainingSettings(),
            seed=1,
            output_dir=folder,
        )
    )
    return load_policy(result.checkpoint).act, rules


def out_of_sample(act: Act, panel: MarketPanel, rules: TradingRules) -> SimulationPath:
    return run_policy(act, panel, VALIDATION, SESSIONS - 1, rules)


def test_a_planted_edge_is_earned_out_of_sample(algorithm: Algorithm, tmp_path: Path) -> None:
    panel = market(edge=0.15)
    act, rules = trained(algorithm, panel, tmp_path)
    rng = np.random.default_rng(0)
    agent = sharpe_ratio(out_of_sample(act, panel, rules).returns, 252)
    random_sharpes = [
        sharpe_ratio(out_of_sample(lambda o: rng.uniform(-1, 1, o.shape[:2]), panel, rules).returns, 252)
        for _ in range(5)
    ]
    assert agent > 1.0
    assert agent > max(random_sharpes) + 1.0


def test_without_an_edge_the_agent_neither_blows_up_nor_earns(algorithm: Algorithm, tmp_path: Path) -> None:
    panel = market(edge=0.0)
    act, rules = trained(algorithm, panel, tmp_path)
    path = out_of_sample(act, panel, rules)
    assert path.equity.min() > 0.5
    # Two years: the standard error of an annual Sharpe ratio is 0.7.
    assert abs(sharpe_ratio(path.returns, 252)) < 2.8
