"""Lanes with histories and paper accounts made by hand."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation import summarise
from wealtharena.promotion import Champion, GateInputs, Kind, LaneInputs, Record, ScoreCard, State
from wealtharena.settings import PromotionSettings, RiskSettings

RISK = RiskSettings(max_drawdown=0.40)
RULES = PromotionSettings()
RETURNS = np.random.default_rng(0).normal(0.0005, 0.01, size=252)
BASE = summarise(RETURNS, np.full(252, 0.1), np.ones(252), 252)
WINDOW = (date(2025, 1, 2), date(2025, 12, 31))
HISTORY = np.datetime64("2021-01-01") + np.arange(1_000)
PAPER = np.datetime64("2025-01-01") + np.arange(100)
LAST = date(2025, 4, 10)
OWN = "stocks@own"


def card(
    sharpe: float = 1.0,
    total_return: float = 0.10,
    drawdown: float = 0.10,
    turnover: float = 10.0,
    name: str = "stocks v2",
    kind: Kind = Kind.POLICY,
    **changes: Any,
) -> ScoreCard:
    """A card with these figures."""
    metrics = replace(BASE, sharpe=sharpe, total_return=total_return, max_drawdown=drawdown, turnover=turnover)
    values = {"returns": RETURNS, "finite": True, **changes}
    return ScoreCard(name=name, kind=kind, window=WINDOW, annualisation=252, metrics=metrics, **values)


def noise(seed: int, sessions: int, mean: float = 0.0) -> FloatArray:
    """Returns of 1 % a session with a mean in standard deviations."""
    return 0.01 * (np.random.default_rng(seed).normal(size=sessions) + mean)


MARKET, TODAY = noise(90, 1_000), noise(91, 100)


def lane(lane_id: str = OWN, history: float | None = 0.0, paper: float | None = 0.0, **changes: Any) -> LaneInputs:
    """A lane that follows the market but for noise of its own, with a drift of ``history`` and of ``paper``; None for
    no record at all."""
    kind = Kind.BASELINE if lane_id.startswith("baseline:") else Kind.POLICY
    name = lane_id.partition("@")[0].removeprefix("baseline:")
    seed = sum(lane_id.encode())
    own = card(name=name, kind=kind)
    values = {
        "name": name,
        "kind": kind,
        "history": Record.none()
        if history is None
        else Record(HISTORY, MARKET + 0.5 * noise(seed, 1_000) + 0.005 * history),
        "paper": Record.none() if paper is None else Record(PAPER, TODAY + 0.5 * noise(seed + 1, 100) + 0.005 * paper),
        "card": own,
        "card_double_cost": own,
        "version": "" if kind is Kind.BASELINE else "7",
        **changes,
    }
    return LaneInputs(lane_id=lane_id, **values)


def cash() -> LaneInputs:
    """The lane that does nothing."""
    flat = card(np.nan, 0.0, 0.0, 0.0, name="cash", kind=Kind.BASELINE, returns=np.zeros(252))
    return lane(
        "baseline:cash",
        card=flat,
        card_double_cost=flat,
        history=None,
        paper=None,
    )


def champion(lane_id: str = "baseline:equal_weight", state: State = State.UNPROVEN, **changes: Any) -> Champion:
    """A champion since before the first paper session."""
    kind = Kind.BASELINE if lane_id.startswith("baseline:") else Kind.POLICY
    values = {"card": card(0.9, 0.09, 0.12, name="stocks v1", kind=kind, bundle_hash="old"), **changes}
    return Champion(lane_id=lane_id, name="stocks v1", state=state, **values)


def inputs(*lanes: LaneInputs, **changes: Any) -> GateInputs:
    """A night's inputs."""
    return GateInputs(**{"agent": "stocks", "own_lane": OWN, "as_of": LAST, "lanes": lanes, "seed": 3, **changes})
