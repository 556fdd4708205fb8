"""The ledger of trials: how many candidates were ever scored, and what is left of tonight's Sharpe ratio after that."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import deflated_sharpe, expected_max_sharpe, min_track_record_length
from wealtharena.reporting.figures import Figure, axis_title, figure_of, json_numbers, plain_text
from wealtharena.reporting.pages.lanes import lane_names

_CANDIDATE, _HELD_OUT = "candidate", "held_out"
_MAX_BINS = 40


@dataclass(frozen=True, slots=True)
class DeflatedTrial:
    """One of tonight's candidates, judged as one of many.

    Attributes:
        lane: whose candidate.
        sharpe: annual.
        sessions: that it was scored on.
        probability: that the true Sharpe ratio exceeds what the best of as many worthless trials would show.
        sessions_needed: at which that probability would be 95 %; NaN where no record is long enough.
    """

    lane: str
    sharpe: float
    sessions: int
    probability: float
    sessions_needed: float


@dataclass(frozen=True)
class LedgerPage:
    """All trials about an agent.

    Attributes:
        num_trials: policies and rules, each counted once.
        kinds: number by kind, the largest first.
        expected_max: annual Sharpe ratio that the best of as many worthless trials would show; NaN if unknown.
        tonight: candidates of the night.
        edges: (B + 1,) of the histogram, annual Sharpe ratios.
        counts: (B,) trials in each bin.
    """

    num_trials: int
    kinds: tuple[tuple[str, int], ...]
    expected_max: float
    tonight: tuple[DeflatedTrial, ...]
    edges: FloatArray
    counts: FloatArray


def gather_ledger(trials: pd.DataFrame, night: str, annualisation: int) -> LedgerPage | None:
    """The page of one agent; None without a trial.

    Every trial counts as independent of the others. Seeds of one recipe are not, so the bar is rather too high.

    Args:
        trials: rows of ``out_promotion__trials``, one per policy or rule; Sharpe ratios per session.
        night: id of tonight.
        annualisation: sessions per year.
    """
    if trials.empty:
        return None
    year = math.sqrt(annualisation)
    sharpes = trials["sharpe"].to_numpy(np.float64)
    variance = float(trials["sharpe"].var(ddof=1))
    expected = expected_max_sharpe(len(trials), variance)
    known = sharpes[np.isfinite(sharpes)] * year
    counts, edges = np.histogram(known, bins=min(_MAX_BINS, max(10, known.size // 5)) if known.size else 1)
    own = trials[
        (trials["night"] == night) & (trials["kind"] == _CANDIDATE) & (trials["scored_on"] == _HELD_OUT)
    ].sort_values("lane_id")
    names = lane_names(list(own["lane_id"]))
    return LedgerPage(
        num_trials=len(trials),
        kinds=tuple((str(kind), int(count)) for kind, count in trials["kind"].value_counts().items()),
        expected_max=expected * year,
        tonight=tuple(
            DeflatedTrial(
                lane=names[str(row["lane_id"])],
                sharpe=float(row["sharpe"]) * year,
                sessions=int(row["sessions"]),
                probability=deflated_sharpe(
                    row["sharpe"], len(trials), variance, int(row["sessions"]), row["skewness"], row["kurtosis"]
                ),
                sessions_needed=min_track_record_length(row["sharpe"], expected, row["skewness"], row["kurtosis"]),
            )
            for row in own.to_dict("records")
        ),
        edges=edges,
        counts=counts.astype(np.float64),
    )


def ledger_chart(page: LedgerPage) -> Figure | None:
    """Histogram of all Sharpe ratios, with tonight's candidates and the bar that luck alone would reach."""
    if not page.counts.sum():
        return None
    middles = (page.edges[:-1] + page.edges[1:]) / 2.0
    bars = {
        "type": "bar",
        "x": json_numbers(middles),
        "y": json_numbers(page.counts),
        "width": json_numbers(np.diff(page.edges)),
        "marker": {"color": "var(--baseline-1)"},
        "hovertemplate": "Sharpe near %{x:.2f}: %{y} trials<extra></extra>",
        "name": "trials",
    }
    figure = figure_of(
        [bars],
        280,
        xaxis={"type": "linear", "title": axis_title("annual Sharpe ratio"), "zeroline": True},
        yaxis={"title": axis_title("trials"), "rangemode": "tozero"},
    )
    marks = [(trial.sharpe, trial.lane, "var(--agent)") for trial in page.tonight]
    marks.append((page.expected_max, "best of luck", "var(--warn)"))
    marks = [mark for mark in marks if math.isfinite(mark[0])]
    figure["layout"]["shapes"] = [
        {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"color": colour, "width": 2.0, "dash": "solid" if colour == "var(--agent)" else "dash"}}
        for x, _, colour in marks
    ]  # fmt: skip
    figure["layout"]["annotations"] = [
        {"xref": "x", "yref": "paper", "x": x, "y": 1.0 - 0.09 * (place % 6), "text": plain_text(text),
         "showarrow": False, "xanchor": "left", "xshift": 4, "yanchor": "top", "font": {"color": colour}}
        for place, (x, text, colour) in enumerate(marks)
    ]  # fmt: skip
    figure["layout"] |= {"hovermode": "closest", "bargap": 0.02}
    return figure
