"""Watches the champions: whether what they observe, do and earn is still what they were trained and tested on."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import Market, agent_market, rules_for, with_market
from tasks.night import Night
from tasks.paper_accounts import CHAMPION_LANE, paper_sessions
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import champion_version, load_champion
from warehouse import TABLES
from wealtharena.agents.specs import AGENTS
from wealtharena.core import TableRef
from wealtharena.core.errors import DataWindowError, PipelineError
from wealtharena.core.hashing import hash_arrays
from wealtharena.core.numbers import number_or_none
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.drift import feature_drift, position_drift
from wealtharena.promotion.e_process import log_e_process, surprises
from wealtharena.serving.model import ServedModel
from wealtharena.serving.signals import with_features
from wealtharena.serving.trials import backtest_model, first_row
from wealtharena.settings import DriftSettings

STAGE = "drift"
TABLE = "out_drift__figures"


@dataclass(frozen=True)
class DriftFigure:
    """One figure of the watch.

    Attributes:
        kind: ``features``, ``positions`` or ``performance``.
        name: of the feature or figure.
        value: population stability index, standard deviations, or log of the evidence; None where undefined.
        threshold: from which it is an alarm.
        alarm: whether it is one.
        text: one sentence with the figures behind it.
    """

    kind: str
    name: str
    value: float | None
    threshold: float
    alarm: bool
    text: str


@dataclass(frozen=True)
class DriftReceipt:
    """How far a champion has drifted.

    Attributes:
        agent: name.
        model: label of the champion.
        figures: all of them.
        table: where they are stored.
        notes: the alarms, and what could not be watched.
    """

    agent: str
    model: str
    figures: tuple[DriftFigure, ...]
    table: TableRef
    notes: tuple[str, ...] = ()


def agents_to_watch(night: Night) -> list[str]:
    """Class agents with features and a champion."""
    return [name for name in with_market(night, night.agents) if champion_version(night, name) is not None]


@stage_task("watch-drift", "drift {agent}")
def watch_agent(night: Night, agent: str) -> DriftReceipt:
    """Figures of the champion's features, positions and performance; alarms are notes, never failures."""
    version, model = champion_version(night, agent), load_champion(night, agent)
    if version is None or model is None:
        raise PipelineError(f"{agent} has no champion; run `wealtharena promote` first")
    excess = _excess_returns(night, agent)
    inputs = {
        "night": night.night_id,
        "model": version.bundle_hash,
        "data": finished(night, FEATURES, FeaturesReceipt)[str(AGENTS[agent].asset_class)].data_version,
        "earned": hash_arrays([excess]),
        "settings": night.settings.drift.model_dump(mode="json"),
    }
    receipt = once(night, STAGE, agent, inputs, lambda: _watch(night, agent, model, excess), DriftReceipt)
    alarms = sum(figure.alarm for figure in receipt.figures)
    tell(ProgressEvent(STAGE, agent, 1, 1, f"{alarms} alarms" if alarms else "no alarm"))
    return receipt


def _watch(night: Night, agent: str, model: ServedModel, excess: FloatArray) -> DriftReceipt:
    market, limits = agent_market(night, agent), night.settings.drift
    figures: list[DriftFigure] = []
    unwatched: list[str] = []
    parts = {
        "features": _features(model, market, limits),
        "positions": _positions(night, model, market, limits),
        "performance": _performance(excess, limits),
    }
    for kind, part in parts.items():
        try:
            figures.extend(part)
        except DataWindowError as error:
            unwatched.append(f"drift of {kind} is not watched: {error}")
    table = _store(night, agent, figures)
    return DriftReceipt(agent, model.label, tuple(figures), table, (*_alarms(figures), *unwatched))


def _alarms(figures: list[DriftFigure]) -> Iterator[str]:
    """One sentence about all features, and one per other alarm."""
    alarms = [figure for figure in figures if figure.alarm]
    features = [f"{figure.name} {figure.value:.2f}" for figure in alarms if figure.kind == "features"]
    if features:
        yield f"features drifted (population stability index; `wealtharena drift` tells more): {', '.join(features)}"
    yield from (figure.text for figure in alarms if figure.kind != "features")


def _features(model: ServedModel, market: Market, limits: DriftSettings) -> Iterator[DriftFigure]:
    """A rule observes prices only: it has no features that could drift."""
    if model.policy is None:
        return
    panel = with_features(market.panel, model.card.feature_names, model.label)
    training = panel.between(*model.card.windows["training"])
    recent = panel.rows(max(len(panel.dates) - limits.sessions, 0), len(panel.dates))
    samples = ((training.features, training.observed), (recent.features, recent.observed))
    for drift in feature_drift(panel.feature_names, *samples):
        alarm = drift.is_beyond(limits.large_psi)
        grade = "large" if alarm else "moderate" if drift.is_beyond(limits.moderate_psi) else "no"
        text = (
            f"{grade} drift of {drift.name}: population stability index {drift.index:.2f} in the last "
            f"{limits.sessions} sessions (alarm from {limits.large_psi:g}; such spans of the training window mostly "
            f"have at most {drift.usual:.2f})"
        )
        yield DriftFigure("features", drift.name, number_or_none(drift.index), limits.large_psi, alarm, text)


def _positions(night: Night, model: ServedModel, market: Market, limits: DriftSettings) -> Iterator[DriftFigure]:
    """Against the path of the same model from its validation window on."""
    panel = market.panel
    known = model.card.windows.get("validation")
    first = market.windows.validation[0] if known is None else first_row(panel, known[0])
    rules = rules_for(night, model)
    path = backtest_model(model, panel, (max(first, model.card.window), len(panel.dates)), rules, model.card.agent)
    for drift in position_drift(path.weights, path.gross, path.turnover, limits.sessions):
        alarm = drift.deviations > limits.deviations
        text = (
            f"{drift.name} of the last {limits.sessions} sessions is {drift.recent:.3f}, before it was "
            f"{drift.usual:.3f} on average: {drift.deviations:.1f} standard deviations apart (alarm from "
            f"{limits.deviations:g})"
        )
        yield DriftFigure("positions", drift.name, number_or_none(drift.deviations), limits.deviations, alarm, text)


def _performance(excess: FloatArray, limits: DriftSettings) -> Iterator[DriftFigure]:
    """Evidence against the claim that the production account earns at least what cash does; none before it traded."""
    if not len(excess):
        return
    against = float(log_e_process(-surprises(excess, np.zeros_like(excess)))[-1])
    threshold = math.log(limits.evidence)
    alarm = against >= threshold
    text = (
        f"evidence against earning more than cash is {math.exp(min(against, 700.0)):.2f} after {len(excess)} sessions "
        f"on paper (alarm from {limits.evidence:g})"
    )
    yield DriftFigure("performance", "against_cash", number_or_none(against), threshold, alarm, text)


def _excess_returns(night: Night, agent: str) -> FloatArray:
    sessions = paper_sessions(night.warehouse, agent).get(CHAMPION_LANE)
    if sessions is None:
        return np.zeros(0)
    return sessions.part(sessions.dates <= np.datetime64(night.as_of, "D")).excess_returns


def _store(night: Night, agent: str, figures: list[DriftFigure]) -> TableRef:
    rows = [{"night": night.night_id, "agent": agent, **asdict(figure)} for figure in figures]
    return night.warehouse.write(TABLE, pa.Table.from_pylist(rows, TABLES[TABLE].schema), f"{night.night_id}/{agent}")
