"""What a training is asked for and what it delivers: plain data that travels between processes."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wealtharena.agents.specs import AgentSpec
from wealtharena.core.errors import TrainingError
from wealtharena.core.panel import MarketPanel
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, TrainingSettings

_DECISIVE = {"engine", "evaluations", "patience", "episode_days", "max_retries", "env_runners", "gpus"}


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A policy to begin with.

    Attributes:
        checkpoint: RLlib checkpoint; whoever names it has verified it.
        model: what it is, for the record (``stocks v12``).
        feature_names: that it was trained on.
    """

    checkpoint: Path
    model: str
    feature_names: tuple[str, ...]


@dataclass(frozen=True)
class TrainingJob:
    """Everything that a training depends on; the same job gives the same weights, bit for bit.

    Attributes:
        agent: who is trained.
        recipe: its algorithm and figures; see ``Settings.recipe_of``.
        panel_train: sessions to learn from.
        panel_validation: later sessions, on which the checkpoints are compared; the first ``recipe.window`` rows are
            only seen.
        rules: limits of every account.
        reward: weights of the reward's terms.
        training: engine, episode length, number of evaluations, patience, retries.
        seed: of weights, episodes and exploration.
        output_dir: folder for the results; made if missing.
        warm_start: policy to begin with where its network fits; None: random weights.

    Raises:
        TrainingError: there is no asset to trade, a panel is too short, the two differ in features, or the seed is
            negative. Whoever starts Ray makes the job first.
    """

    agent: AgentSpec
    recipe: AgentSettings
    panel_train: MarketPanel
    panel_validation: MarketPanel
    rules: TradingRules
    reward: RewardWeights
    training: TrainingSettings
    seed: int
    output_dir: Path
    warm_start: WarmStart | None = None

    def __post_init__(self) -> None:
        name, window = self.agent.name, self.recipe.window
        for place, panel in (("panel_train", self.panel_train), ("panel_validation", self.panel_validation)):
            if not panel.symbols:
                raise TrainingError(f"{name}: {place} must hold at least one asset, got none")
            if len(panel.dates) <= window:
                raise TrainingError(
                    f"{name}: {place} must have more sessions than window ({window}), got {len(panel.dates)}"
                )
        if not self.panel_train.observed.any():
            raise TrainingError(f"{name}: panel_train must have an asset with valid features on some session, got none")
        if self.panel_train.feature_names != self.panel_validation.feature_names:
            raise TrainingError(
                f"{name}: panel_validation must have the features of panel_train "
                f"({', '.join(self.panel_train.feature_names)}), got {', '.join(self.panel_validation.feature_names)}"
            )
        if self.seed < 0:
            raise TrainingError(f"{name}: seed must be at least 0, got {self.seed}")

    @property
    def decisive_settings(self) -> dict[str, Any]:
        """What of ``training`` the result depends on; the rest says how and where the work is done."""
        return self.training.model_dump(mode="json", include=_DECISIVE)

    @property
    def work_dir(self) -> Path:
        """Beside ``output_dir``: what the training needs until it is done (see ``wealtharena.training.work``)."""
        return self.output_dir.with_name(f"{self.output_dir.name}-work")


@dataclass(frozen=True, slots=True)
class CurveRow:
    """One iteration of a training.

    Attributes:
        iteration: from 1.
        env_steps: accounts x sessions traded so far.
        episode_return_mean: mean over the last episodes that ended of the summed reward, unscaled;
            before the first has ended, what the running ones have earned so far.
        policy_loss: of the last update; NaN for DQN.
        value_loss: of the value or Q network in the last update.
        entropy: of the policy in nats (PPO, A2C); SAC: minus the mean log-probability; NaN for DQN.
        validation_sharpe: annual net Sharpe ratio of the deterministic policy; None where not evaluated, NaN where
            undefined (an account that never trades).
        reward_terms: mean per session of each term of the reward that has a weight, weighted and unscaled.
        limits: share of the sessions in which each limit of the rules bound.
        episode_return_std: standard deviation over the same episodes; None if unknown.
    """

    iteration: int
    env_steps: int
    episode_return_mean: float
    policy_loss: float
    value_loss: float
    entropy: float
    validation_sharpe: float | None
    reward_terms: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    episode_return_std: float | None = None


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """One more iteration of a training.

    Attributes:
        agent: name.
        seed: of the job.
        row: what the iteration gave.
        total_env_steps: of the whole training, unless it ends early.
        steps_per_second: environment steps per second of this process, evaluations included.
        attempt: from 1; more than 1 after failures.
    """

    agent: str
    seed: int
    row: CurveRow
    total_env_steps: int
    steps_per_second: float
    attempt: int = 1

    @property
    def iteration(self) -> int:
        """From 1."""
        return self.row.iteration

    @property
    def env_steps(self) -> int:
        """Of ``total_env_steps``."""
        return self.row.env_steps

    @property
    def episode_return_mean(self) -> float:
        """See ``CurveRow``."""
        return self.row.episode_return_mean

    @property
    def validation_sharpe(self) -> float | None:
        """See ``CurveRow``."""
        return self.row.validation_sharpe

    @property
    def seconds_left(self) -> float:
        """Expected time to the end of the training, early ends aside."""
        return (self.total_env_steps - self.env_steps) / self.steps_per_second


@dataclass(frozen=True)
class TrainingResult:
    """A trained policy.

    Attributes:
        agent: name.
        seed: of the job.
        final_reward: ``episode_return_mean`` of the last iteration.
        best_iteration: the iteration whose policy is kept.
        validation_sharpe: of that policy; NaN if no evaluated policy ever moved.
        curve: one row per iteration.
        weights_hash: SHA-256 of the kept module's parameters.
        checkpoint: RLlib checkpoint (``Algorithm.from_checkpoint``).
        policy: ONNX file.
        record: ``training.json``, equal for equal jobs.
        seconds: wall time, of all processes that worked on it.
        failures: reason per attempt that failed before the one that did not.
        warm_start: what became of the policy to begin with, in words; ``""`` if none was asked for.
    """

    agent: str
    seed: int
    final_reward: float
    best_iteration: int
    validation_sharpe: float
    curve: tuple[CurveRow, ...]
    weights_hash: str
    checkpoint: Path
    policy: Path
    record: Path
    seconds: float
    failures: tuple[str, ...] = ()
    warm_start: str = ""

    @property
    def attempts(self) -> int:
        """Attempts that it took."""
        return len(self.failures) + 1

    @property
    def steps_per_second(self) -> float:
        """Environment steps per second of wall time, evaluation and export included."""
        return self.curve[-1].env_steps / self.seconds

    def summary(self) -> dict[str, Any]:
        """The training in plain values, as the factory's agents report it."""
        return {
            "final_reward": self.final_reward,
            "episode_returns": [row.episode_return_mean for row in self.curve],
            "curve": [asdict(row) for row in self.curve],
            "validation_sharpe": self.validation_sharpe,
            "best_iteration": self.best_iteration,
            "checkpoint": str(self.checkpoint),
        }
