"""The whole chain from training to promotion on worlds whose answer is known, one process per world.

A world is traded as nights would: a training per calendar year of history, one for the first night, their accounts
beside the baselines', then the gate night after night. Nothing of it is a copy: trainings, backtests, folds and
decisions are the product's own.
"""

import math
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from wealtharena.agents.lanes import baseline_lane
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.panel import Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import baselines_of
from wealtharena.evaluation.learning import LearningControl, Learnt, Lesson
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.evaluation.verification import PRICE_SCALE, World, trading_rules
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR
from wealtharena.evaluation.walk_forward import STRESS, Fold, OutOfSample, stitch, trade_fold, yearly_folds
from wealtharena.evaluation.windows import Window, split_windows
from wealtharena.promotion import Champion, GateInputs, Kind, LaneInputs, Record, State, score
from wealtharena.promotion.rehearsal import (
    Calendar,
    Course,
    PipelineSummary,
    WorldOutcome,
    as_market,
    rehearse,
    summarise,
)
from wealtharena.settings import RiskSettings, Settings
from wealtharena.training.controls import Student, trainer_of
from wealtharena.training.result import TrainingProgress
from wealtharena.training.selection import Purpose, derived_seed
from wealtharena.training.side_by_side import run_seeds

_BASELINES = baselines_of(None)
_NEWEST = "newest"

RISK = RiskSettings(
    max_weight=1.0,
    max_net=None,
    max_turnover=None,
    min_effective_positions=1.0,
    concentration=1.0,
    max_volatility=None,
    max_var=None,
    max_cvar=None,
    drawdown_stop=None,
)
"""Limits of ``trading_rules``, with the gate's own on drawdowns: a market of one asset has no other book."""


@dataclass(frozen=True)
class Rehearsal:
    """What is rehearsed.

    Attributes:
        control: market and reward.
        student: whose recipe is trained; its ``training`` says how a night does it.
        settings: windows, walk-forward and promotion.
        calendar: length of the histories.
        every: nights from one decision to the next.
        incumbent: baseline that serves before the first night; ``""``: the place is empty.

    Raises:
        SettingsError: there is no such baseline.
    """

    control: LearningControl
    student: Student
    settings: Settings
    calendar: Calendar
    every: int = 1
    incumbent: str = ""

    def __post_init__(self) -> None:
        if self.incumbent and self.incumbent not in _BASELINES:
            raise SettingsError(unknown_name("baseline", self.incumbent, _BASELINES))


@dataclass(frozen=True, slots=True)
class RehearsalProgress:
    """How far a world is.

    Attributes:
        seed: of the world.
        trained: trainings that are done, and the share of the one that runs.
        trainings: of the world.
    """

    seed: int
    trained: float
    trainings: int


def run_rehearsal(
    rehearsal: Rehearsal, seeds: Sequence[int], on_progress: Callable[[RehearsalProgress], None] | None = None
) -> PipelineSummary:
    """All worlds side by side, as many as the Ray session has cores.

    Args:
        seeds: one world each.
        on_progress: called from several threads.

    Raises:
        WealthArenaError: of the first world that fails; ``TrainingError`` if there is no Ray session.
    """
    market = rehearsal.control.market
    outcomes = run_seeds(
        partial(rehearse_world, rehearsal), seeds, f"{rehearsal.student.name} on {market}", on_progress
    )
    return summarise(market, outcomes, rehearsal.settings.promotion.error_per_year)


def rehearse_world(rehearsal: Rehearsal, seed: int) -> Generator[RehearsalProgress, None, WorldOutcome]:
    """Trains, trades and decides on one world; equal seeds end alike.

    Raises:
        DataWindowError: the windows leave no year of history.
        TrainingError: see ``train_policy``.
    """
    stage = _Stage.of(rehearsal, seed)
    with tempfile.TemporaryDirectory(prefix="wealtharena-rehearsal-") as folder:
        trained = yield from _train_all(stage, Path(folder))
    return _decide_all(stage, trained)


@dataclass(frozen=True)
class _Stage:
    """A world, and how it is cut.

    Attributes:
        panel: its market over the whole time.
        folds: the years of history, the one that ends on the way included.
        known: rows up to the first night.
    """

    rehearsal: Rehearsal
    seed: int
    world: World
    panel: MarketPanel
    folds: tuple[Fold, ...]
    known: int

    @classmethod
    def of(cls, rehearsal: Rehearsal, seed: int) -> "_Stage":
        calendar, settings = rehearsal.calendar, rehearsal.settings
        dates = calendar.dates
        world = rehearsal.control.world(seed, (len(dates) - 1) / SESSIONS_PER_YEAR)
        panel = as_market(world, dates)
        years = settings.walk_forward.model_copy(update={"max_years": calendar.history_years + 1})
        return cls(rehearsal, seed, world, panel, yearly_folds(panel, settings.windows, years), calendar.known)

    @property
    def today(self) -> MarketPanel:
        """The market as the first night knows it."""
        return self.panel.rows(0, self.known)

    @property
    def forward(self) -> Window:
        """Rows that are traded on paper."""
        return self.known, len(self.panel.dates)

    def lesson(self, train: Window, validation: Window, seed: int) -> Lesson:
        """A night's training on these windows; validation shows some rows more, see ``tasks.walk_forward``."""
        reward = self.rehearsal.control.reward
        return Lesson(
            train=self.panel.rows(*train),
            validation=self.panel.rows(validation[0] - self.rehearsal.student.recipe.window, validation[1]),
            rules=trading_rules(),
            # It is made for panels that move by so much less.
            reward=replace(reward, variance=reward.variance * PRICE_SCALE),
            seed=seed,
        )


@dataclass(frozen=True)
class _Trained:
    """A policy as backtests want it."""

    learnt: Learnt

    def act(self, observation: Float32Array) -> FloatArray:
        return np.asarray(self.learnt.act(observation), dtype=np.float64)

    def trade(self, market: MarketPanel, window: Window, name: str) -> BacktestResult:
        return backtest_policy(
            self,
            market,
            window,
            trading_rules(),
            name,
            observation_window=self.learnt.window,
            actions=self.learnt.actions,
        )


def _train_all(stage: _Stage, folder: Path) -> Generator[RehearsalProgress, None, dict[str, _Trained]]:
    """The policy of every fold by its name, and that of the first night."""
    windows = split_windows(stage.today, stage.rehearsal.settings.windows)
    lessons = {
        fold.name: stage.lesson(fold.train, fold.validation, derived_seed(stage.seed, Purpose.WALK_FORWARD, fold.year))
        for fold in stage.folds
    }
    lessons[_NEWEST] = stage.lesson(windows.train, windows.validation, stage.seed)
    trained: dict[str, _Trained] = {}
    for name, lesson in lessons.items():
        training = trainer_of(stage.rehearsal.student, folder / name)(lesson)
        learnt = yield from _told(training, stage.seed, len(trained), len(lessons))
        trained[name] = _Trained(learnt)
    return trained


def _told(
    training: Generator[TrainingProgress, None, Learnt], seed: int, done: int, trainings: int
) -> Generator[RehearsalProgress, None, Learnt]:
    """A training whose progress counts for the world's."""
    while True:
        try:
            event = next(training)
        except StopIteration as end:
            learnt: Learnt = end.value
            return learnt
        yield RehearsalProgress(seed, done + event.env_steps / event.total_env_steps, trainings)


def _decide_all(stage: _Stage, trained: Mapping[str, _Trained]) -> WorldOutcome:
    rehearsal, name = stage.rehearsal, stage.rehearsal.student.name
    histories = _histories(stage, trained)
    paper = _traders(stage, trained[_NEWEST])(stage.panel, stage.forward)
    lanes = _lanes(stage, trained[_NEWEST], histories, paper)
    first_night = rehearsal.calendar.first_night
    serving = next((_incumbent(lane, first_night) for lane in lanes if lane.name == rehearsal.incumbent), None)
    night = GateInputs(name, name, first_night, lanes, champion=serving, seed=stage.seed)
    course = rehearse(night, rehearsal.settings.promotion, RISK, every=rehearsal.every)
    oracle = rehearsal.control.verification.oracle(stage.world)
    first = course.decisions[0]
    decisive = first if course.promoted is None else course.decisions[course.nights.index(course.promoted)]
    return WorldOutcome(
        seed=stage.seed,
        promoted=course.promoted,
        confirmed=course.confirmed,
        rolled_back=course.rolled_back,
        first=first.serving.name,
        reason=decisive.reason,
        served=_sharpe(_served(stage, course, {lane.lane_id: paper[lane.name] for lane in lanes})),
        policy=_sharpe(paper[name]),
        oracle=_sharpe(backtest_weights(oracle, stage.panel, stage.forward, trading_rules(), "oracle")),
        history=_or_zero(sharpe_ratio(histories[name].excess_returns, stage.panel.annualisation)),
    )


def _incumbent(lane: LaneInputs, first_night: date) -> Champion:
    return Champion(lane.lane_id, lane.name, lane.card, State.UNPROVEN, since=first_night, challenged=first_night)


def _traders(stage: _Stage, policy: _Trained) -> Callable[[MarketPanel, Window], dict[str, BacktestResult]]:
    """Trades a window with the policy and with every baseline, each with an account of its own."""
    name = stage.rehearsal.student.name

    def trade(market: MarketPanel, window: Window) -> dict[str, BacktestResult]:
        baselines = backtest_baselines(market, window, trading_rules(), _BASELINES)
        return {name: policy.trade(market, window, name), **baselines}

    return trade


def _histories(stage: _Stage, trained: Mapping[str, _Trained]) -> dict[str, OutOfSample]:
    """Walk-forward of every lane by name."""
    years = [trade_fold(_traders(stage, trained[fold.name]), stage.panel, fold) for fold in stage.folds]
    return {name: stitch([year[name] for year in years]) for name in (stage.rehearsal.student.name, *_BASELINES)}


def _lanes(
    stage: _Stage, policy: _Trained, histories: Mapping[str, OutOfSample], paper: Mapping[str, BacktestResult]
) -> tuple[LaneInputs, ...]:
    """Every lane with the records of the whole time and its cards on the window held out before the first night."""
    today, name = stage.today, stage.rehearsal.student.name
    window = split_windows(today, stage.rehearsal.settings.windows).held_out
    trade = _traders(stage, policy)
    usual, stressed = trade(today, window), trade(replace(today, costs=today.costs.times(STRESS)), window)

    def lane(one: str) -> LaneInputs:
        kind = Kind.POLICY if one == name else Kind.BASELINE
        # One checkpoint serves for the whole year: to the gate it is the same one every night.
        bundle = f"{name} of world {stage.seed}" if one == name else ""
        return LaneInputs(
            lane_id=name if one == name else baseline_lane(name, one).lane_id,
            name=one,
            kind=kind,
            history=Record(histories[one].dates, histories[one].excess_returns),
            paper=Record(paper[one].dates, paper[one].excess_returns),
            card=score(usual[one], kind, RISK, bundle),
            card_double_cost=score(stressed[one], kind, RISK, bundle),
            version="1" if one == name else "",
        )

    return tuple(lane(one) for one in usual)


def _served(stage: _Stage, course: Course, paper: Mapping[str, BacktestResult]) -> BacktestResult:
    """The account that follows every decision, and pays for the change from one champion's book to the next one's."""
    targets = np.zeros(stage.panel.observed.shape)
    for session, lane_id in enumerate(course.served):
        if lane_id:
            targets[stage.known - 1 + session] = paper[lane_id].target_weights[session]
    return backtest_weights(targets, stage.panel, stage.forward, trading_rules(), "served")


def _sharpe(result: BacktestResult) -> float:
    return _or_zero(result.metrics.sharpe)


def _or_zero(sharpe: float) -> float:
    """An account that never moved has no Sharpe ratio, and no skill to show."""
    return 0.0 if math.isnan(sharpe) else sharpe
