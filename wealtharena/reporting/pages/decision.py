"""The decision and its evidence: what every lane has shown against the champion, night after night."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting.figures import (
    Figure,
    axis_title,
    day_axis,
    figure_of,
    iso_days,
    json_numbers,
    line_trace,
    thinned,
)
from wealtharena.reporting.pages.lanes import CHAMPION, is_baseline, lane_names
from wealtharena.settings import PromotionSettings

MAX_DECISIONS = 10
_MAX_POINTS = 200
_FEW_POINTS = 12
# Evidence further down is drawn at the edge; the table has the figure.
_LOWEST, _HIGHEST = -4.0, 6.0


@dataclass(frozen=True)
class LaneEvidence:
    """What is known of a lane against the champion's, after each of K nights; the table shows the last.

    Attributes:
        lane, against: names.
        lane_id: identity of the recipe.
        state: where the lane stands (``shadow``, ``provisional`` …).
        sessions: in which both accounts traded on paper.
        dates: (K,) sessions after which the evidence was taken down.
        log_e, log_e_reversed: (K,) natural logarithms of the e-process for and against the lane.
        drawdown: of its paper account from the highest equity, a share.
        p_value, alpha: of the test of histories, and what it may spend; NaN where it was not made.
        first_key, second_key: whether history and forward evidence suffice for a takeover.
        serves: the champion's own row, against the lane before it.
    """

    lane: str
    lane_id: str
    against: str
    state: str
    sessions: int
    dates: DateArray
    log_e: FloatArray
    log_e_reversed: FloatArray
    drawdown: float
    p_value: float
    alpha: float
    first_key: bool
    second_key: bool
    serves: bool = False

    @property
    def evidence(self) -> float:
        """E after the last night."""
        return _exp(float(self.log_e[-1]))

    @property
    def evidence_reversed(self) -> float:
        """Reversed E after the last night."""
        return _exp(float(self.log_e_reversed[-1]))


@dataclass(frozen=True)
class PaperAccount:
    """A paper account over T sessions: ``growth`` (T,) is its equity above cash, 1 before the first session."""

    lane: str
    lane_id: str
    dates: DateArray
    growth: FloatArray
    volatility: float

    @property
    def gain(self) -> float:
        """Return above cash so far."""
        return float(self.growth[-1]) - 1.0

    @property
    def drawdown(self) -> float:
        """Deepest fall from the highest equity, at most 0."""
        return float((self.growth / np.maximum(np.maximum.accumulate(self.growth), 1.0)).min()) - 1.0


@dataclass(frozen=True, slots=True)
class PastDecision:
    """One decision of the record."""

    night: str
    outcome: str
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """Who serves after tonight's decision.

    Attributes:
        lane: name, ``""`` if nobody serves.
        state: ``unproven``, ``provisional`` or ``confirmed``; ``""`` if nobody serves.
        since: last session before it entered service, ``""`` if unknown.
        before: lane that it has to prove itself against.
        policy: of the gate.
        needs_approval: a person has to agree before anything changes.
    """

    lane: str
    state: str
    since: str
    before: str
    policy: str
    needs_approval: bool


@dataclass(frozen=True)
class DecisionPage:
    """The evidence behind the newest decision about an agent.

    Attributes:
        thresholds: of the gate, by name, as the decision applied them.
        serving: who serves; None without a decision.
        lanes: with the most forward evidence first.
        accounts: on paper, the champion's first.
        record: the newest decisions, the newest first.
    """

    thresholds: Mapping[str, float]
    serving: ServingFacts | None = None
    lanes: tuple[LaneEvidence, ...] = ()
    accounts: tuple[PaperAccount, ...] = ()
    record: tuple[PastDecision, ...] = ()


def gather_decision(
    evidence: pd.DataFrame,
    paper: pd.DataFrame,
    decisions: pd.DataFrame,
    record: Mapping[str, Any] | None,
    rules: PromotionSettings,
    annualisation: int,
) -> DecisionPage:
    """The page of one agent.

    Args:
        evidence: rows of ``out_promotion__evidence`` up to the night. Shown are the lanes of the newest night, with all
            their nights against the same champion.
        paper: rows of ``out_lanes__paper`` up to the night.
        decisions: rows of ``out_promotion__decisions`` up to the night.
        record: tonight's decision, see ``Decision.as_record``; None if there was none.
        rules: thresholds, as far as ``record`` does not say which were applied.
        annualisation: sessions per year.
    """
    serving = (record or {}).get("serving") or {}
    named = {*evidence["lane_id"], *evidence["champion_lane_id"], *paper["lane_id"]}
    names = lane_names(sorted(named | {str(serving.get(key, "")) for key in ("lane_id", "before")}))
    thresholds = _thresholds(rules) | ((record or {}).get("thresholds") or {})
    held = {str(lane["lane_id"]): bool(lane["second_key"]) for lane in (record or {}).get("lanes", ())}
    newest = evidence[evidence["as_of"] == evidence["as_of"].max()]
    pairs = set(zip(newest["lane_id"], newest["champion_lane_id"], strict=True))
    lanes = [
        _lane(rows.sort_values("as_of"), names, thresholds, held, str(serving.get("lane_id", "")))
        for pair, rows in evidence.groupby(["lane_id", "champion_lane_id"])
        if pair in pairs
    ]
    accounts = [
        _account(rows.sort_values("session_date"), names, annualisation) for _, rows in paper.groupby("lane_id")
    ]
    return DecisionPage(
        thresholds=thresholds,
        serving=_serving(serving, names, rules, bool((record or {}).get("needs_approval"))) if serving else None,
        lanes=tuple(
            sorted(lanes, key=lambda lane: (not lane.serves, -np.nan_to_num(lane.evidence, nan=-1.0), lane.lane_id))
        ),
        accounts=tuple(
            sorted(accounts, key=lambda one: (one.lane_id != CHAMPION, is_baseline(one.lane_id), one.lane_id))
        ),
        record=_record(decisions),
    )


def evidence_chart(page: DecisionPage, lines: Mapping[str, dict[str, Any]]) -> Figure | None:
    """Evidence for each lane above evidence against it, on a logarithmic scale with the gate's thresholds.

    ``lines`` says how each lane is drawn, see ``lane_lines``.
    """
    if not page.lanes:
        return None
    traces = []
    for lane in page.lanes:
        for axis, path in (("y", lane.log_e), ("y2", lane.log_e_reversed)):
            traces.append(_evidence_trace(lane, path, lines[lane.lane_id]) | {"yaxis": axis, "showlegend": axis == "y"})
    bars = page.thresholds
    better, worse = (bars["provisional_evidence"], bars["confirmed_evidence"]), (bars["rollback_evidence"],)
    figure = figure_of(
        traces,
        460,
        xaxis={"anchor": "y2"} | day_axis(lane.dates for lane in page.lanes),
        yaxis=_log_axis([lane.log_e for lane in page.lanes], better)
        | {"domain": [0.46, 1.0], "title": axis_title("better: E")},
        yaxis2=_log_axis([lane.log_e_reversed for lane in page.lanes], worse)
        | {"domain": [0.0, 0.38], "title": axis_title("worse: reversed E")},
    )
    levels = [("y", value) for value in better] + [("y2", value) for value in worse]
    figure["layout"]["shapes"] = [_level(axis, value) for axis, value in levels]
    figure["layout"]["hovermode"] = "closest"
    figure["layout"]["showlegend"] = True
    return figure


def paper_chart(page: DecisionPage, lines: Mapping[str, dict[str, Any]]) -> Figure | None:
    """Equity above cash of the paper accounts, each at its own risk; ``lines`` as for ``evidence_chart``."""
    if not page.accounts:
        return None
    traces = []
    for account in page.accounts:
        rows = thinned(len(account.dates), _MAX_POINTS)
        y = json_numbers(account.growth[rows] - 1.0)
        trace = line_trace(account.lane, iso_days(account.dates[rows]), y, lines[account.lane_id], "%{y:+.2%}")
        traces.append(trace | _mode(len(rows)))
    figure = figure_of(
        traces, 460, xaxis=day_axis(account.dates for account in page.accounts),
        yaxis={"tickformat": "+.1%", "zeroline": True, "title": axis_title("return above cash")},
    )  # fmt: skip
    figure["layout"]["showlegend"] = True
    return figure


def _thresholds(rules: PromotionSettings) -> dict[str, float]:
    return {
        "provisional_evidence": rules.provisional_evidence,
        "confirmed_evidence": rules.confirmed_evidence,
        "rollback_evidence": rules.rollback_evidence,
        "min_sessions": float(rules.min_sessions),
        "max_sessions": float(rules.max_sessions),
    }


def _serving(
    serving: Mapping[str, Any], names: Mapping[str, str], rules: PromotionSettings, needs_approval: bool
) -> ServingFacts:
    return ServingFacts(
        lane=names[str(serving.get("lane_id", ""))],
        state=str(serving.get("state") or ""),
        since=str(serving.get("since") or ""),
        before=names[str(serving.get("before", ""))],
        policy=rules.policy,
        needs_approval=needs_approval,
    )


def _lane(
    rows: pd.DataFrame,
    names: Mapping[str, str],
    thresholds: Mapping[str, float],
    held: Mapping[str, bool],
    serving: str,
) -> LaneEvidence:
    last = rows.iloc[-1]
    reached = float(rows["log_e"].iloc[-1]) >= math.log(thresholds["provisional_evidence"])
    log_e = rows["log_e"].to_numpy(np.float64)
    sessions, p_value, alpha = int(last["sessions"]), float(last["p_value"]), float(last["alpha"])
    return LaneEvidence(
        lane=names[str(last["lane_id"])],
        lane_id=str(last["lane_id"]),
        against=names[str(last["champion_lane_id"])],
        state=str(last["state"]),
        sessions=sessions,
        dates=rows["as_of"].to_numpy().astype("datetime64[D]"),
        log_e=log_e,
        log_e_reversed=rows["log_e_reversed"].to_numpy(np.float64),
        drawdown=float(last["drawdown"]),
        p_value=p_value,
        alpha=alpha,
        first_key=alpha > 0.0 and p_value <= alpha,
        second_key=held.get(str(last["lane_id"]), reached and sessions >= thresholds["min_sessions"]),
        serves=str(last["lane_id"]) == serving,
    )


def _account(rows: pd.DataFrame, names: Mapping[str, str], annualisation: int) -> PaperAccount:
    excess = (rows["return"] - rows["cash_return"]).to_numpy(np.float64)
    lane_id = str(rows["lane_id"].iloc[0])
    return PaperAccount(
        lane=names[lane_id],
        lane_id=lane_id,
        dates=rows["session_date"].to_numpy().astype("datetime64[D]"),
        growth=np.cumprod(1.0 + np.nan_to_num(excess)),
        volatility=float(np.nanstd(excess, ddof=1)) * math.sqrt(annualisation)
        if np.isfinite(excess).sum() > 1
        else math.nan,
    )


def _record(decisions: pd.DataFrame) -> tuple[PastDecision, ...]:
    newest = decisions.sort_values("decided_at", ascending=False).head(MAX_DECISIONS)
    return tuple(
        PastDecision(str(row["night"]), str(row["outcome"]), str(row["decided_by"]), str(row["reason"]))
        for row in newest.to_dict("records")
    )


def _evidence_trace(lane: LaneEvidence, log_e: FloatArray, line: dict[str, Any]) -> dict[str, Any]:
    rows = thinned(len(lane.dates), _MAX_POINTS)
    powers = np.clip(log_e[rows] / math.log(10.0), _LOWEST, _HIGHEST)
    hover = "%{fullData.name}, %{x}: %{customdata:.3g}<extra></extra>"
    trace = line_trace(lane.lane, iso_days(lane.dates[rows]), json_numbers(powers), line, hover)
    values = json_numbers(np.array([_exp(float(value)) for value in log_e[rows]]))
    return trace | {"customdata": values, "legendgroup": lane.lane_id} | _mode(len(rows))


def _log_axis(paths: list[FloatArray], levels: tuple[float, ...]) -> dict[str, Any]:
    """An axis of powers of ten that holds all paths and levels, with its ticks in plain numbers."""
    powers = np.concatenate(paths) / math.log(10.0)
    powers = np.clip(powers[~np.isnan(powers)], _LOWEST, _HIGHEST)
    marks = [math.log10(level) for level in levels]
    low = math.floor(min([-1.0, *powers]))
    high = max([*marks, *powers]) + 0.2
    whole = [float(power) for power in range(low, math.ceil(high)) if all(abs(power - mark) > 0.25 for mark in marks)]
    ticks = sorted([*whole, *marks])
    return {
        "range": [low - 0.1, high],
        "tickvals": ticks,
        "ticktext": [f"{10.0**tick:.4g}" for tick in ticks],
        "zeroline": True,
    }


def _level(axis: str, value: float) -> dict[str, Any]:
    place = math.log10(value)
    line = {"color": "var(--warn)", "width": 1.4, "dash": "dash"}
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": place, "y1": place, "line": line}


def _mode(points: int) -> dict[str, Any]:
    """A line of one point cannot be seen: few points are drawn as points."""
    return {"mode": "lines+markers", "marker": {"size": 6}} if points <= _FEW_POINTS else {}


def _exp(value: float) -> float:
    """As far as floats go: evidence of many years may exceed them."""
    return math.exp(min(value, 700.0))
