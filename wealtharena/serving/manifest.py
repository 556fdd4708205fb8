"""What a model bundle says about itself: the schema of ``manifest.json``."""

import math
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from wealtharena.execution import TradingRules
from wealtharena.settings.models import Actions

FORMAT_VERSION: Literal[1] = 1
# Bundles of before have them; borrow is a cost of the market now, and risk aversion was of the training only.
_RETIRED_RULES = ("borrow_per_session", "risk_aversion")
POLICY_FILE = "policy.onnx"


def _undefined_as_none(value: Any) -> Any:
    """JSON knows no NaN: a metric that is not a finite number is undefined."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _without_retired(rules: Any) -> Any:
    """Rules as they are named today; limits that came later are off."""
    return {name: rules[name] for name in rules if name not in _RETIRED_RULES} if isinstance(rules, dict) else rules


Metric = Annotated[float | None, BeforeValidator(_undefined_as_none)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ModelKind(StrEnum):
    """Where a model's weights come from."""

    POLICY = "policy"
    BASELINE = "baseline"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ModelCard(_Record):
    """What a model is and where it comes from; everything in the manifest except the files' hashes."""

    agent: Annotated[str, Field(min_length=1)]
    """Canonical agent name."""
    lane_id: str = ""
    """Recipe or rule, see ``Lane.lane_id``; empty in bundles of before there were several of an agent."""
    kind: ModelKind
    """Trained policy, or a fixed rule that no policy could beat."""
    algorithm: str = ""
    """Learning algorithm; empty for a baseline."""
    baseline: str = ""
    """Name of the rule; empty for a policy."""
    feature_names: tuple[str, ...] = ()
    """Panel features in the order of the observation's first columns."""
    window: Annotated[int, Field(ge=1)] = 1
    """Sessions whose features an observation shows."""
    actions: Actions = Actions.WEIGHTS
    """What the policy's scores are: weights, changes of weight, or positions among levels."""
    symbols: tuple[str, ...] = ()
    """Instruments seen in training. A policy also serves others: its network is shared by all assets (but ``plain``,
    which was made for these)."""
    rules: Annotated[TradingRules, BeforeValidator(_without_retired)]
    """Limits that turn scores into weights."""
    settings_hash: str
    """Hash of the settings that produced the model."""
    data_version: str
    """Content hash of the panel that it was trained on."""
    seed: int
    """Seed of the training."""
    git_commit: str = ""
    """Commit of the code, if known."""
    windows: dict[str, tuple[date, date]] = {}
    """First and last session per window (``training``, ``validation``, ``held_out``)."""
    metrics: dict[str, Metric] = {}
    """Results on those windows; null where a metric is undefined."""

    @property
    def lane(self) -> str:
        """Name of the lane: the agent's own where the bundle says nothing else."""
        return self.lane_id.partition("@")[0] or self.agent

    @model_validator(mode="after")
    def _kind_is_complete(self) -> Self:
        named = {ModelKind.POLICY: self.algorithm, ModelKind.BASELINE: self.baseline}
        if not named[self.kind]:
            wanted = "an algorithm" if self.kind is ModelKind.POLICY else "the name of its baseline"
            raise ValueError(f"a {self.kind} must name {wanted}")
        return self


class Manifest(_Record):
    """Contents of ``manifest.json``."""

    format_version: Literal[1] = FORMAT_VERSION
    """Version of this schema; readers refuse every other one."""
    model: ModelCard
    """What the model is."""
    files: dict[str, Sha256]
    """SHA-256 by relative path of every file that equal trainings write alike."""

    @model_validator(mode="after")
    def _policy_has_its_network(self) -> Self:
        if self.model.kind is ModelKind.POLICY and POLICY_FILE not in self.files:
            raise ValueError(f"a policy must list {POLICY_FILE}")
        return self


class CreationRecord(_Record):
    """Contents of ``created.json``: what differs between two runs of one training."""

    created_at: AwareDatetime
    """Moment of creation."""
    files: dict[str, Sha256]
    """SHA-256 by relative path of the RLlib checkpoint's files and of the timings."""
    data_versions: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Version by name of the warehouse tables that the data were read from: equal data may have other numbers."""
