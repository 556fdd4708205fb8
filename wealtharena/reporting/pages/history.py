"""Walk-forward: what each lane and rule earned out of sample, year by year, at one and two times the costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.evaluation.walk_forward_table import Performance
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
from wealtharena.reporting.pages.lanes import is_baseline, lane_names

_MAX_POINTS = 160


@dataclass(frozen=True)
class LaneHistory:
    """One lane or rule over T out-of-sample sessions.

    Attributes:
        lane, lane_id: name and identity.
        dates: (T,) sessions.
        growth, growth_double_cost: (T,) equity after each, 1 before the first.
        years: net return per fold.
        figures: over the whole, with intervals; None where the night made none.
    """

    lane: str
    lane_id: str
    dates: DateArray
    growth: FloatArray
    growth_double_cost: FloatArray
    years: Mapping[str, float]
    figures: Performance | None = None

    @property
    def is_baseline(self) -> bool:
        """A fixed rule."""
        return is_baseline(self.lane_id)


@dataclass(frozen=True, slots=True)
class FoldRow:
    """What a fold of a lane was trained on."""

    lane: str
    fold: str
    train_first: date | None
    train_last: date | None
    seeds: int


@dataclass(frozen=True)
class HistoryPage:
    """Histories of an agent's lanes, recipes first, then rules, the better ones first.

    Attributes:
        years: folds that any lane has.
        lanes: their histories.
        folds: trainings behind them.
        notes: what the stage had to say.
    """

    years: tuple[str, ...]
    lanes: tuple[LaneHistory, ...]
    folds: tuple[FoldRow, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> LaneHistory | None:
        """The recipe with the highest Sharpe ratio."""
        return self.lanes[0] if self.lanes and not self.lanes[0].is_baseline else None


def gather_history(
    returns: pd.DataFrame, folds: pd.DataFrame, table: Sequence[Performance] = (), notes: Sequence[str] = ()
) -> HistoryPage | None:
    """The page of one agent; without a session it has the notes alone, and without these it is None.

    Args:
        returns: rows of ``out_lanes__walk_forward``.
        folds: rows of ``out_lanes__folds`` of the same lanes.
        table: figures of the lanes, as the stage computed them.
        notes: of the stage.
    """
    if returns.empty:
        return HistoryPage((), (), notes=tuple(notes)) if notes else None
    names = lane_names(sorted(set(returns["lane_id"])))
    figures = {row.lane_id: row for row in table}
    lanes = [
        _history(rows.sort_values("session_date"), names[str(lane_id)], figures.get(str(lane_id)))
        for lane_id, rows in returns.groupby("lane_id")
    ]
    return HistoryPage(
        years=tuple(sorted(set(map(str, returns["fold"])))),
        lanes=tuple(sorted(lanes, key=lambda lane: (lane.is_baseline, -_score(lane), lane.lane_id))),
        folds=_fold_rows(folds, names),
        notes=tuple(notes),
    )


def history_chart(page: HistoryPage, lines: Mapping[str, dict[str, Any]]) -> Figure | None:
    """Stitched equity at the market's costs above that at twice the costs; ``lines``: how each lane is drawn."""
    if not page.lanes:
        return None
    traces: list[dict[str, Any]] = []
    for lane in page.lanes:
        rows = thinned(len(lane.dates), _MAX_POINTS)
        days = iso_days(lane.dates[rows])
        for axis, growth in (("y", lane.growth), ("y2", lane.growth_double_cost)):
            trace = line_trace(lane.lane, days, json_numbers(growth[rows] - 1.0), lines[lane.lane_id], "%{y:+.1%}")
            traces.append(trace | {"yaxis": axis, "legendgroup": lane.lane_id, "showlegend": axis == "y"})
    return figure_of(
        traces,
        520,
        xaxis={"anchor": "y2"} | day_axis(lane.dates for lane in page.lanes),
        yaxis={"domain": [0.54, 1.0], "tickformat": "+.0%", "zeroline": True, "title": axis_title("at 1× costs")},
        yaxis2={"domain": [0.0, 0.46], "tickformat": "+.0%", "zeroline": True, "title": axis_title("at 2× costs")},
    )


def _history(rows: pd.DataFrame, name: str, figures: Performance | None) -> LaneHistory:
    def growth(column: str) -> FloatArray:
        return np.asarray(np.cumprod(1.0 + rows[column].to_numpy(np.float64)), dtype=np.float64)

    by_year = (1.0 + rows["return"]).groupby(rows["fold"]).prod() - 1.0
    return LaneHistory(
        lane=name,
        lane_id=str(rows["lane_id"].iloc[0]),
        dates=rows["session_date"].to_numpy().astype("datetime64[D]"),
        growth=growth("return"),
        growth_double_cost=growth("return_double_cost"),
        years={str(year): float(value) for year, value in by_year.items()},
        figures=figures,
    )


def _score(lane: LaneHistory) -> float:
    """Cash, which has no Sharpe ratio, counts as 0."""
    value = lane.figures.sharpe.value if lane.figures else None
    return 0.0 if value is None else value


def _fold_rows(folds: pd.DataFrame, names: Mapping[str, str]) -> tuple[FoldRow, ...]:
    trained = folds[folds["train_first"].notna() & folds["lane_id"].isin(list(names))].sort_values(["lane_id", "fold"])
    return tuple(
        FoldRow(
            lane=names[str(row["lane_id"])],
            fold=str(row["fold"]),
            train_first=pd.Timestamp(row["train_first"]).date(),
            train_last=pd.Timestamp(row["train_last"]).date(),
            seeds=int(row["seeds"]),
        )
        for row in trained.to_dict("records")
    )
