"""Keeps the history of every lane complete: each calendar year, traded by what was trained on the time before it."""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

import pandas as pd

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.ledger import Trial, append_trials, seed_trials
from tasks.markets import agent_panel
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, finished_or_empty, once
from tasks.retries import stage_task
from tasks.training import settled, train_in_turn
from wealtharena.agents.lanes import Lane, baseline_lane, policy_lanes
from wealtharena.agents.specs import AGENTS
from wealtharena.core import MarketPanel
from wealtharena.core.errors import PipelineError, TrainingError, WealthArenaError
from wealtharena.core.hashing import hash_json
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_policy
from wealtharena.evaluation.baselines import baselines_of
from wealtharena.evaluation.walk_forward import Fold, OutOfSample, inputs_hash, stitch, trade_fold, yearly_folds
from wealtharena.evaluation.walk_forward_table import Performance, walk_forward_table
from wealtharena.evaluation.windows import Window, window_dates
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.serving.onnx_policy import OnnxPolicy
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult
from wealtharena.training.selection import Purpose, best_of, derived_seed, jobs_of, outcome_of
from wealtharena.training.work import discard_work

STAGE = "walk-forward"
RETURNS, FOLDS = "out_lanes__walk_forward", "out_lanes__folds"

_POLICY, _BASELINE = "policy", "baseline"
_COLUMNS = {
    "return": "returns",
    "cash_return": "cash_returns",
    "turnover": "turnover",
    "cost": "cost",
    "gross": "gross",
    "return_double_cost": "returns_double_cost",
}
"""Columns of the table by attribute of ``OutOfSample``."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WalkForwardReceipt:
    """The history of an agent's lanes and baselines as this night knows it.

    Attributes:
        agent: name.
        folds: hash of what each year was computed from, by year per lane_id.
        computed: lanes and years that were trained for it, ``stocks 2023``.
        failures: reason per lane and year that could not be trained or traded.
        table: figures of every lane and baseline.
        notes: failures, years that were computed anew, and a history that cannot be had.
    """

    agent: str
    folds: dict[str, dict[str, str]]
    computed: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    table: tuple[Performance, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Piece:
    """One year of one lane: where it is cut from the panel, and what names its inputs."""

    lane: Lane
    fold: Fold
    inputs: str

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.lane.name} {self.fold.name}"


@stage_task("walk-forward-agent", "walk forward {agent}")
def walk_forward_agent(night: Night, agent: str) -> WalkForwardReceipt:
    """Trains and trades the years that an agent's lanes lack, and compares their histories with the baselines'.

    Must be called within an open ``training_cluster``. What is finished of a run that was killed is not done again.
    """
    settings = night.settings
    inputs = {
        "market": finished(night, FEATURES, FeaturesReceipt)[str(AGENTS[agent].asset_class)].data_version,
        "lanes": [lane.lane_id for lane in policy_lanes(settings, agent)],
        "rules": [asdict(TradingRules.from_settings(settings, name)) for name in settings.lanes_of(agent)],
        "windows": settings.windows.model_dump(mode="json"),
        "walk_forward": settings.walk_forward.model_dump(mode="json"),
        "seed": settings.seed,
    }
    receipt = once(
        night, STAGE, agent, inputs, lambda: _walk(night, agent), WalkForwardReceipt, lambda it: _is_stored(night, it)
    )
    tell(ProgressEvent(STAGE, agent, 1, 1, _described(receipt)))
    return receipt


def histories(night: Night, agent: str) -> dict[str, OutOfSample]:
    """Stitched history of every lane and baseline of an agent by lane_id, as the night's own receipt names them.

    Years that later nights added are not among them. Empty where the stage was off or the years are too few.
    """
    receipt = finished_or_empty(night, STAGE, WalkForwardReceipt).get(agent)
    return {} if receipt is None else _stitched(night, agent, receipt.folds)


def _walk(night: Night, agent: str) -> WalkForwardReceipt:
    panel = agent_panel(night, agent)
    folds = yearly_folds(panel, night.settings.windows, night.settings.walk_forward)
    if not folds:
        least = night.settings.windows.min_train_days
        return WalkForwardReceipt(
            agent, {}, notes=(f"no history: no complete year with {least} days of training before it",)
        )
    pieces = [piece for lane in policy_lanes(night.settings, agent) for piece in _pieces(night, lane, panel, folds)]
    missing, revised = _missing(night, agent, pieces)
    failures = _compute(night, panel, missing)
    done = {_key(piece): piece.inputs for piece in pieces if piece.title not in failures}
    if not done:
        raise TrainingError("; ".join(dict.fromkeys(failures.values())))
    hashes = _by_lane(done | _store_baselines(night, agent, panel, folds))
    return WalkForwardReceipt(
        agent=agent,
        folds=hashes,
        computed=tuple(piece.title for piece in missing if piece.title not in failures),
        failures=failures,
        table=_table(night, agent, hashes, panel.annualisation),
        notes=(
            *(f"{title}: {reason}" for title, reason in failures.items()),
            *([f"computed anew, for data or settings that changed: {', '.join(revised)}"] if revised else []),
        ),
    )


def _pieces(night: Night, lane: Lane, panel: MarketPanel, folds: Sequence[Fold]) -> list[_Piece]:
    settings = night.settings
    rules = asdict(TradingRules.from_settings(settings, lane.name))
    seeds = settings.walk_forward.seeds
    hashes = [hash_json([fold.market(panel).content_hash, rules]) for fold in folds]
    return [
        _Piece(lane, fold, inputs_hash(lane.lane_id, market, fold, settings.seed, seeds))
        for fold, market in zip(folds, hashes, strict=True)
    ]


def _key(piece: _Piece) -> tuple[str, str]:
    return piece.lane.lane_id, piece.fold.name


def _missing(night: Night, agent: str, pieces: Sequence[_Piece]) -> tuple[list[_Piece], list[str]]:
    """Pieces that are not stored as they are asked for, and titles of those of which there is another version."""
    stored = _stored_hashes(night, agent)
    missing = [piece for piece in pieces if night.force or stored.get(_key(piece)) != piece.inputs]
    return missing, [piece.title for piece in missing if stored.get(_key(piece), piece.inputs) != piece.inputs]


def _compute(night: Night, panel: MarketPanel, missing: Sequence[_Piece]) -> dict[str, str]:
    """Trains and stores what is missing, as much side by side as there are cores; gives the reasons of failures."""
    if not missing:
        return {}
    bar = _Bar(night, missing)
    failures: dict[str, str] = {}

    def work(piece: _Piece) -> None:
        try:
            _store(night, piece, panel, *_train_and_trade(night, piece, panel, bar))
        except WealthArenaError as error:
            failures[piece.title] = str(error)
        bar.ended(piece)

    with ThreadPoolExecutor(len(missing), thread_name_prefix="fold") as pool:
        # The first error of another kind is raised here, after all have ended.
        list(pool.map(work, missing))
    for title, reason in failures.items():
        logger.warning("walk-forward %s failed: %s", title, reason)
    return {piece.title: failures[piece.title] for piece in missing if piece.title in failures}


def _train_and_trade(night: Night, piece: _Piece, panel: MarketPanel, bar: "_Bar") -> tuple[OutOfSample, str]:
    """What the year's trading gave, and the hash of the weights that traded; the training itself is not kept."""
    job = _job(night, piece, panel)
    jobs = jobs_of(job)
    try:
        results = _train(jobs, lambda event: bar.hear(piece, event))
        best = best_of(results)
        append_trials(night.warehouse, _trials(night, piece, panel, results, best))
        return _trade(piece, panel, job, best), best.weights_hash
    finally:
        # A process that is killed does not come here: the next run goes on from what it left.
        for item in jobs:
            discard_work(item)
        shutil.rmtree(job.output_dir, ignore_errors=True)


def _job(night: Night, piece: _Piece, panel: MarketPanel) -> TrainingJob:
    """A training as the night's, on earlier windows; its seed depends on the year, not on what else is trained."""
    settings, lane, fold = night.settings, piece.lane.name, piece.fold
    recipe = settings.recipe_of(lane)
    return TrainingJob(
        agent=AGENTS[piece.lane.agent],
        recipe=recipe,
        panel_train=panel.rows(*fold.train),
        # Some rows more: the first decision, after the close before the window, sees so many sessions.
        panel_validation=panel.rows(fold.validation[0] - recipe.window, fold.validation[1]),
        rules=TradingRules.from_settings(settings, lane),
        reward=RewardWeights.from_settings(settings, lane),
        training=settings.training.model_copy(update={"seeds": settings.walk_forward.seeds}),
        seed=derived_seed(settings.seed, Purpose.WALK_FORWARD, fold.year),
        output_dir=night.folder / STAGE / lane / fold.name,
    )


def _train(jobs: Sequence[TrainingJob], hear: Callable[[TrainingProgress], None]) -> list[TrainingResult]:
    """The trainings that ended well.

    Raises:
        TrainingError: none did.
    """
    with ThreadPoolExecutor(len(jobs), thread_name_prefix="fold-seed") as pool:
        trainings = {pool.submit(train_in_turn, job, hear): job.seed for job in jobs}
    ended, _ = settled(trainings)
    return list(ended.values())


def _trials(
    night: Night, piece: _Piece, panel: MarketPanel, results: Sequence[TrainingResult], best: TrainingResult
) -> list[Trial]:
    """A year's policies were tried too; in place of a bundle, which is not kept, the weights name them."""
    first, last = piece.fold.validation
    return seed_trials(
        night,
        piece.lane,
        [outcome_of(result) for result in results],
        best.weights_hash,
        window_dates(panel, piece.fold.validation),
        last - first,
        panel.annualisation,
    )


def _trade(piece: _Piece, panel: MarketPanel, job: TrainingJob, best: TrainingResult) -> OutOfSample:
    policy, recipe = OnnxPolicy(best.policy), job.recipe

    def trade(market: MarketPanel, window: Window) -> Mapping[str, BacktestResult]:
        result = backtest_policy(
            policy,
            market,
            window,
            job.rules,
            piece.title,
            observation_window=recipe.window,
            actions=recipe.action_kind,
        )
        if not result.finite:
            raise TrainingError(f"{piece.title}: scores of the policy must be finite, got NaN or infinite ones")
        return {piece.title: result}

    return trade_fold(trade, piece.fold.market(panel), piece.fold.within_market())[piece.title]


def _store(night: Night, piece: _Piece, panel: MarketPanel, traded: OutOfSample, weights_hash: str) -> None:
    """The fold's row comes last: a fold that has one has all of its sessions."""
    lane, fold = piece.lane, piece.fold
    night.warehouse.write(RETURNS, _rows(lane, fold, traded))
    first, last = window_dates(panel, fold.train)
    learnt = {"train_first": first, "train_last": last, "weights_hash": weights_hash}
    night.warehouse.write(FOLDS, pd.DataFrame([_fold_row(night, piece, panel, _POLICY) | learnt]))


def _store_baselines(night: Night, agent: str, panel: MarketPanel, folds: Sequence[Fold]) -> dict[tuple[str, str], str]:
    """Trades the baselines over the same years, which takes no training; hashes by lane_id and year."""
    rules = TradingRules.from_settings(night.settings, agent)
    names = baselines_of(AGENTS[agent].asset_class)

    def trade(market: MarketPanel, window: Window) -> Mapping[str, BacktestResult]:
        return backtest_baselines(market, window, rules, names)

    returns, rows, hashes = [], [], {}
    for fold in folds:
        # Rules may look back as far as they like, not into the training window alone.
        market = hash_json([panel.rows(0, fold.test[1]).content_hash, asdict(rules)])
        for name, traded in trade_fold(trade, panel, fold).items():
            lane = baseline_lane(agent, name)
            piece = _Piece(lane, fold, inputs_hash(lane.lane_id, market, fold, 0, 0))
            returns.append(_rows(lane, fold, traded))
            rows.append(_fold_row(night, piece, panel, _BASELINE) | {"seeds": 0})
            hashes[_key(piece)] = piece.inputs
    night.warehouse.write(RETURNS, pd.concat(returns, ignore_index=True))
    night.warehouse.write(FOLDS, pd.DataFrame(rows))
    return hashes


def _rows(lane: Lane, fold: Fold, traded: OutOfSample) -> pd.DataFrame:
    columns = {name: getattr(traded, attribute) for name, attribute in _COLUMNS.items()}
    return pd.DataFrame(
        {
            "agent": lane.agent,
            "lane_id": lane.lane_id,
            "fold": fold.name,
            "session_date": traded.dates.astype("datetime64[us]"),
        }
        | columns
    )


def _fold_row(night: Night, piece: _Piece, panel: MarketPanel, kind: str) -> dict[str, Any]:
    first, last = window_dates(panel, piece.fold.test)
    return {
        "agent": piece.lane.agent,
        "lane_id": piece.lane.lane_id,
        "fold": piece.fold.name,
        "kind": kind,
        "train_first": None,
        "train_last": None,
        "test_first": first,
        "test_last": last,
        "weights_hash": "",
        "inputs_hash": piece.inputs,
        "seeds": night.settings.walk_forward.seeds,
        "known_at": night.opened_at,
    }


def _stored_hashes(night: Night, agent: str) -> dict[tuple[str, str], str]:
    frame = night.warehouse.read_or_empty(FOLDS, where={"agent": agent})
    return dict(zip(zip(frame["lane_id"], frame["fold"], strict=True), frame["inputs_hash"], strict=True))


def _is_stored(night: Night, receipt: WalkForwardReceipt) -> bool:
    """Whether every year of a receipt is there; one with failures is not taken over, so that they are tried again."""
    stored = _stored_hashes(night, receipt.agent)
    named = {(lane, year): hash_ for lane, years in receipt.folds.items() for year, hash_ in years.items()}
    return not receipt.failures and named.items() <= stored.items()


def _by_lane(hashes: Mapping[tuple[str, str], str]) -> dict[str, dict[str, str]]:
    result: dict[str, dict[str, str]] = {}
    for (lane_id, year), hash_ in hashes.items():
        result.setdefault(lane_id, {})[year] = hash_
    return result


def _stitched(night: Night, agent: str, folds: Mapping[str, Mapping[str, str]]) -> dict[str, OutOfSample]:
    """History per lane_id, of the years that are named.

    Raises:
        PipelineError: another run has put other data in place of a year.
    """
    stored = _stored_hashes(night, agent)
    for lane_id, years in folds.items():
        replaced = [year for year, hash_ in years.items() if stored.get((lane_id, year)) != hash_]
        if replaced:
            raise PipelineError(
                f"{agent}: history of {lane_id} must be this night's, another run has replaced {', '.join(replaced)}: "
                "run `wealtharena walk-forward` again"
            )
    frame = night.warehouse.read_or_empty(RETURNS, where={"agent": agent, "lane_id": list(folds)})
    parts: dict[str, list[OutOfSample]] = {}
    for lane_id, years in folds.items():
        own = frame[frame["lane_id"] == lane_id]
        parts[lane_id] = [_out_of_sample(own[own["fold"] == year]) for year in years]
    return {lane_id: stitch(found) for lane_id, found in parts.items()}


def _out_of_sample(rows: pd.DataFrame) -> OutOfSample:
    columns = {attribute: rows[name].to_numpy("float64") for name, attribute in _COLUMNS.items()}
    return OutOfSample(dates=rows["session_date"].to_numpy("datetime64[D]"), **columns)


def _table(
    night: Night, agent: str, folds: Mapping[str, Mapping[str, str]], annualisation: int
) -> tuple[Performance, ...]:
    history = _stitched(night, agent, folds)
    lanes = {lane.lane_id: lane for lane in policy_lanes(night.settings, agent)}
    policies = {lanes[key].name: (key, value) for key, value in history.items() if key in lanes}
    prefix = baseline_lane(agent, "").lane_id
    baselines = {key.removeprefix(prefix): (key, value) for key, value in history.items() if key not in lanes}
    return walk_forward_table(policies, baselines, annualisation, night.settings.seed)


def _described(receipt: WalkForwardReceipt) -> str:
    years = sorted({year for lane in receipt.folds.values() for year in lane})
    if not years:
        return "no history"
    failed = f", {len(receipt.failures)} failed" if receipt.failures else ""
    return f"{years[0]} to {years[-1]}, {len(receipt.computed)} trained{failed}"


class _Bar:
    """How far the missing years of an agent are, told from any thread."""

    def __init__(self, night: Night, missing: Sequence[_Piece]) -> None:
        self._agent, self._count = missing[0].lane.agent, len(missing)
        self._seeds = night.settings.walk_forward.seeds
        self._shares: dict[str, dict[int, float]] = {piece.title: {} for piece in missing}
        self._lock = Lock()
        self._tell(f"{self._count} years to train")

    def hear(self, piece: _Piece, event: TrainingProgress) -> None:
        """One more iteration of a training."""
        with self._lock:
            self._shares[piece.title][event.seed] = event.env_steps / event.total_env_steps
        self._tell(f"{piece.title}: iteration {event.iteration}, {event.steps_per_second:,.0f} steps/s")

    def ended(self, piece: _Piece) -> None:
        """All of a year is done, or has failed."""
        with self._lock:
            self._shares[piece.title] = dict.fromkeys(range(self._seeds), 1.0)
        self._tell(f"{piece.title} has ended")

    def _tell(self, note: str) -> None:
        with self._lock:
            done = sum(sum(shares.values()) for shares in self._shares.values()) / self._seeds
        # The bar is full when the table is there, too: the last of it is told by the stage.
        tell(ProgressEvent(STAGE, self._agent, min(done, self._count - 0.01), self._count, note))
