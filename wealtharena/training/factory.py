"""Agents for notebooks and programs: made by name, trained on prices at hand, asked for weights.

The nightly run does not go through here: it trains on curated panels, in Ray tasks, behind the promotion gate.
"""

import tempfile
from pathlib import Path
from typing import Any

from wealtharena.agents.policy import Policy
from wealtharena.agents.specs import META_AGENT, AgentSpec, resolve_agent
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError, TrainingError
from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs import next_targets
from wealtharena.evaluation.backtest import BacktestResult, backtest_policy
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.markets.frames import MarketData, panel_from_frames
from wealtharena.settings.models import Settings
from wealtharena.training.local import Training, load_policy, split_for_training, train_here
from wealtharena.training.result import TrainingResult


class RLAgentFactory:
    """Makes agents by name or alias."""

    @staticmethod
    def create_agent(name: str, settings: Settings | None = None, output_dir: Path | None = None) -> "RLAgent":
        """An untrained agent.

        Args:
            name: ``stocks``, ``crypto``, … or an alias such as ``asx_stocks``.
            settings: recipes, costs and limits; the defaults if not given.
            output_dir: where checkpoints go; a temporary folder if not given.

        Raises:
            SettingsError: there is no such agent, or it is the meta-agent (see ``RLMetaAgent``).
        """
        spec = resolve_agent(name)
        if spec.asset_class is None:
            raise SettingsError(f"{META_AGENT} allocates between agents: make it with RLMetaAgent, not by the factory")
        return RLAgent(spec, spec.asset_class, settings or Settings(), output_dir)


class RLAgent:
    """One agent: learns from prices, then says what to hold."""

    def __init__(self, spec: AgentSpec, asset_class: AssetClass, settings: Settings, output_dir: Path | None) -> None:
        self.spec = spec
        self.settings = settings
        self.recipe = settings.agents[spec.name]
        self.rules = TradingRules.from_settings(settings, spec.name)
        self.result: TrainingResult | None = None
        self._asset_class = asset_class
        self._output_dir = output_dir
        self._feature_names: tuple[str, ...] = ()
        self._policy: Policy | None = None
        self._validation: MarketPanel | None = None

    @property
    def policy(self) -> Policy:
        """The trained policy.

        Raises:
            TrainingError: the agent is not trained.
        """
        if self._policy is None:
            raise TrainingError(_untrained(self.spec.name))
        return self._policy

    def train(
        self, data: MarketData, num_iterations: int | None = None, *, validation_share: float = 0.2
    ) -> dict[str, Any]:
        """Trains on the first part of the data and keeps the policy that does best on the last part.

        Args:
            data: see ``panel_from_frames``.
            num_iterations: rounds of the algorithm; by default as many as ``env_steps`` of the recipe make.
            validation_share: length of the last part.

        Returns:
            ``final_reward`` (mean reward of the last episodes, unscaled), ``episode_returns`` per
            iteration, ``curve`` (a dict per iteration), ``validation_sharpe``, ``best_iteration`` and ``checkpoint``
            (folder of the RLlib checkpoint).

        Raises:
            CurationError, DataWindowError: the data are malformed or too few.
            TrainingError: the training did not deliver a usable policy.
        """
        panel = panel_from_frames(self._asset_class, data, self.settings)
        train, self._validation = split_for_training(panel, self.spec.name, validation_share, self.recipe.window)
        training = Training(self.spec, self.recipe, self.rules, self.settings)
        self.result = train_here(training, train, self._validation, num_iterations, self._folder())
        self._feature_names = panel.feature_names
        self._policy = load_policy(self.result.checkpoint)
        return self.result.summary()

    def panel(self, data: MarketData) -> MarketPanel:
        """``data`` with the features that the agent was trained on."""
        return panel_from_frames(self._asset_class, data, self.settings, self._feature_names)

    def predict(self, data: MarketData) -> dict[str, float]:
        """Target weight per symbol for the session after the last one in ``data``, for an account in cash.

        Raises:
            TrainingError: the agent is not trained.
        """
        panel = self.panel(data)
        return dict(zip(panel.symbols, self.targets(panel).tolist(), strict=True))

    def targets(self, panel: MarketPanel) -> FloatArray:
        """Target weights (A,) for the session after the last one in ``panel``, for an account in cash.

        Raises:
            TrainingError: the agent is not trained.
        """
        recipe = self.recipe
        return next_targets(self.policy.act, panel, self.rules, window=recipe.window, actions=recipe.action_kind)

    def backtest(self, panel: MarketPanel, window: Window) -> BacktestResult:
        """The account of the trained policy on rows of ``panel``, first included, last excluded.

        Raises:
            TrainingError: the agent is not trained.
        """
        return backtest_policy(
            self.policy, panel, window, self.rules, self.spec.name,
            observation_window=self.recipe.window, actions=self.recipe.action_kind,
        )  # fmt: skip

    def validation_book(self) -> BacktestResult:
        """The account of the trained policy on the last part of the data, which it has not learned from."""
        if self._validation is None:
            raise TrainingError(_untrained(self.spec.name))
        return self.backtest(self._validation, (self.recipe.window, len(self._validation.dates)))

    def _folder(self) -> Path:
        return self._output_dir or Path(tempfile.mkdtemp(prefix=f"wealtharena-{self.spec.name}-"))


def _untrained(name: str) -> str:
    return f"{name}: not trained yet; call train(data) first"
