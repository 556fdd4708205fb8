"""What a report is made of. Plain values: NaN stands for a number that is not defined, None for a missing part."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from wealtharena.core import TableRef
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting.pages import AgentPages
from wealtharena.reporting.robustness import RobustnessReport

NAN = float("nan")


class Verdict(StrEnum):
    """How the night ended for an agent."""

    PROMOTED = "promoted"
    """The newly trained policy is the champion now."""
    REFRESHED = "refreshed"
    """A new checkpoint of the champion's own recipe serves."""
    KEPT = "champion kept"
    """The champion of the night before stays in service."""
    ROLLED_BACK = "rolled back"
    """The champion of the night before failed in service; the one before it is back."""
    BASELINE = "baseline serves"
    """No policy is good enough; a fixed rule is the champion."""
    VACANT = "no champion"
    """Neither the policy nor a fixed rule is good enough, and nothing was in service before."""
    FAILED = "failed"
    """The agent's training or backtest broke."""


class CurveRole(StrEnum):
    """What a curve stands for; decides how it is drawn."""

    AGENT = "agent"
    CHAMPION = "champion"
    LANE = "lane"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Performance:
    """Results on the held-out window, after costs. All fractions, not per cent.

    Attributes:
        total_return: growth over the window less one.
        sharpe: annual Sharpe ratio.
        sharpe_standard_error: standard error of ``sharpe``.
        max_drawdown: deepest fall from a peak, at most 0.
        turnover: traded value over equity, per year.
        volatility: annual standard deviation of the returns.
    """

    total_return: float = NAN
    sharpe: float = NAN
    sharpe_standard_error: float = NAN
    max_drawdown: float = NAN
    turnover: float = NAN
    volatility: float = NAN


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the promotion gate.

    Attributes:
        name: what was asked.
        passed: the answer.
        value: the candidate's figure.
        threshold: what it was held against.
        detail: further words; ``""`` if the figures say it all.
    """

    name: str
    passed: bool
    value: float = NAN
    threshold: float = NAN
    detail: str = ""


@dataclass(frozen=True)
class Curve:
    """Equity of one account: ``dates`` (T,) and ``equity`` (T,) in any unit; drawn relative to its first value."""

    label: str
    role: CurveRole
    dates: DateArray
    equity: FloatArray


@dataclass(frozen=True)
class WeightPath:
    """Weights held over time: ``weights`` (T, A), negative for short positions."""

    dates: DateArray
    symbols: tuple[str, ...]
    weights: FloatArray


@dataclass(frozen=True)
class LearningCurve:
    """Progress of one training.

    Attributes:
        env_steps: (K,) environment steps at which training returns were noted.
        training_return: (K,) mean episode return.
        validation_env_steps: (V,) environment steps at which the policy was scored on the validation window.
        validation_sharpe: (V,) annual Sharpe ratio there.
        selected_env_steps: steps of the checkpoint that was kept, None if unknown.
    """

    env_steps: FloatArray
    training_return: FloatArray
    validation_env_steps: FloatArray
    validation_sharpe: FloatArray
    selected_env_steps: int | None = None


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit over the held-out window.

    Attributes:
        name: as in the settings (``max_gross``); ``locked`` and ``unfilled`` are the market's.
        threshold: what it is set to; NaN where it is no number.
        last: the account's figure after the last session; NaN where there is none.
        bound_share: share of the sessions in which the limit bound.
    """

    name: str
    threshold: float = NAN
    last: float = NAN
    bound_share: float = NAN


@dataclass(frozen=True, slots=True)
class RiskReport:
    """What an account paid and earned besides its positions, and its limits, over the held-out window.

    Attributes:
        amounts: name (``commission``, ``interest`` …) and share of the starting capital, negative where it was paid.
        limits: in the order in which they are applied.
        trades: rows of candidate and champion in the warehouse's table of trades.
    """

    amounts: tuple[tuple[str, float], ...] = ()
    limits: tuple[LimitRow, ...] = ()
    trades: int = 0


@dataclass(frozen=True, slots=True)
class SheetLink:
    """A tear sheet: path relative to the report, what it shows, and why it shows nothing (``""`` if it does)."""

    path: str
    title: str
    reason: str = ""


@dataclass(frozen=True)
class AgentReport:
    """One agent's night. A failed agent has ``verdict`` FAILED, its ``reason``, and whatever else came to be.

    Attributes:
        name: canonical agent name.
        algorithm: learning algorithm.
        verdict: how the night ended.
        reason: why, in words.
        champion: what is in service from now on (``"version 3, PPO"``), ``""`` if nothing is.
        performance: the new policy's results.
        baseline: name of the best baseline.
        baseline_performance: its results.
        checks: the gate's rules in the order of their evaluation.
        curves: equity on the held-out window.
        weights: weights on the held-out window.
        learning: the training's progress.
        risk: costs, income and limits of the new policy, or of the champion where there is none.
        training: how the training went, in words.
        robustness: how the result holds up and where it came from; None where it was not analysed.
        pages: evidence, history, ledger and drift.
        tear_sheets: files of quantstats beside the report.
    """

    name: str
    algorithm: str
    verdict: Verdict
    reason: str
    champion: str = ""
    performance: Performance | None = None
    baseline: str = ""
    baseline_performance: Performance | None = None
    checks: tuple[Check, ...] = ()
    curves: tuple[Curve, ...] = ()
    weights: WeightPath | None = None
    learning: LearningCurve | None = None
    risk: RiskReport | None = None
    training: str = ""
    robustness: RobustnessReport | None = None
    pages: AgentPages = field(default_factory=AgentPages)
    tear_sheets: tuple[SheetLink, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalRow:
    """What a champion wants to hold from the next session on.

    Attributes:
        agent: canonical agent name.
        symbol: instrument.
        weight: target weight in the agent's account.
        previous_weight: weight before; NaN if unknown.
        last_close: price on which the decision rests; NaN if there is none.
    """

    agent: str
    symbol: str
    weight: float
    previous_weight: float = NAN
    last_close: float = NAN


@dataclass(frozen=True, slots=True)
class BookPosition:
    """A position of the meta-agent's combined book: ``weight`` in total equity."""

    symbol: str
    agent: str
    weight: float


@dataclass(frozen=True, slots=True)
class SymbolCoverage:
    """Whether and how far a symbol's history arrived.

    Attributes:
        symbol: instrument.
        outcome: how its collection ended (``rows``, ``empty``, ``unknown_symbol`` …).
        reason: why there are no usable rows; ``""`` if there are.
        first_session, last_session: span of its bars.
        observed_sessions, expected_sessions: bars there, and sessions of its exchange in that span.
        delisted_on: first session without it for good.
    """

    symbol: str
    outcome: str
    reason: str = ""
    first_session: date | None = None
    last_session: date | None = None
    observed_sessions: int = 0
    expected_sessions: int = 0
    delisted_on: date | None = None

    @property
    def is_missing(self) -> bool:
        """No usable bar at all."""
        return self.observed_sessions == 0


@dataclass(frozen=True, slots=True)
class ClassCoverage:
    """Every symbol that was asked for in an asset class, present or not."""

    asset_class: str
    symbols: tuple[SymbolCoverage, ...]

    @property
    def missing(self) -> tuple[SymbolCoverage, ...]:
        """Symbols without a usable bar."""
        return tuple(item for item in self.symbols if item.is_missing)


@dataclass(frozen=True, slots=True)
class QuarantineCount:
    """Cells or rows that a curation rule took out, with one example in words."""

    rule: str
    rows: int
    symbols: int
    example: str = ""


@dataclass(frozen=True, slots=True)
class StageFailure:
    """A stage that did not finish."""

    stage: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """A window of history: first and last session, and how many there are."""

    name: str
    first: date
    last: date
    sessions: int


@dataclass(frozen=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        night: last session that the run knew of.
        profile, source: profile of the settings and name of the vendor.
        is_demo: the market is made up: simulated, or told by a stand-in for the vendors.
        seed, settings_hash, data_version, git_commit: identity of the run.
        agents: the six agents and the meta-agent, in the order of their display.
        capital: share of total equity per agent in the combined book.
        book: the combined book.
        signals: target weights of every champion.
        coverage: data per asset class.
        quarantine: rows taken out, by rule.
        failures: stages that did not finish.
        lineage: tables and versions that the night read or wrote.
        windows: training, validation and held-out window.
        one_way_cost_bps: commission in proportion and half the spread per asset class.
        bars_collected: rows of market data in the night's tables, None if unknown.
        night_id: identity of the night in the warehouse.
    """

    night: date
    profile: str
    source: str
    is_demo: bool
    seed: int
    settings_hash: str
    data_version: str
    git_commit: str = ""
    agents: tuple[AgentReport, ...] = ()
    capital: tuple[tuple[str, float], ...] = ()
    book: tuple[BookPosition, ...] = ()
    signals: tuple[SignalRow, ...] = ()
    coverage: tuple[ClassCoverage, ...] = ()
    quarantine: tuple[QuarantineCount, ...] = ()
    failures: tuple[StageFailure, ...] = ()
    lineage: tuple[TableRef, ...] = ()
    windows: tuple[Window, ...] = ()
    one_way_cost_bps: dict[str, float] = field(default_factory=dict)
    bars_collected: int | None = None
    night_id: str = ""
