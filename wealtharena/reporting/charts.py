"""The charts of the night and of each agent; None where there is nothing to draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.reporting.data import AgentReport, BookPosition, Curve, CurveRole, LearningCurve, WeightPath
from wealtharena.reporting.display import display_name
from wealtharena.reporting.figures import (
    NUM_SERIES_COLOURS,
    Figure,
    axis_title,
    figure_of,
    iso_days,
    json_numbers,
    line_trace,
    plain_text,
    series_colour,
    share_bars,
    thinned,
)

MAX_CURVE_POINTS = 800
MAX_WEIGHT_POINTS = 260
MAX_BOOK_ROWS = 30
_BASELINE_DASHES = ("dot", "dash", "dashdot", "longdash")


def overview_chart(agents: Sequence[AgentReport]) -> Figure | None:
    """Cumulative returns of all agents on the held-out window; None if there is no curve."""
    curves = [(agent.name, curve) for agent in agents for curve in agent.curves if curve.role is CurveRole.AGENT]
    if not curves:
        return None
    traces = []
    for position, (name, curve) in enumerate(curves):
        is_meta = name == "meta"
        colour = "var(--ink)" if is_meta else series_colour(position)
        line = {"color": colour, "width": 3.0 if is_meta else 1.8}
        traces.append(line_trace(display_name(name), *_cumulative_return(curve), line, "%{y:+.1%}"))
    return figure_of(traces, 380, yaxis={"tickformat": "+.0%", "zeroline": True})


def equity_chart(agent: AgentReport) -> Figure | None:
    """Cumulative returns of the agent, the champion and the baselines, above their drawdowns; None without curves."""
    if not agent.curves:
        return None
    traces = []
    for curve, line in zip(agent.curves, _curve_lines(agent.curves), strict=True):
        traces.append(line_trace(display_name(curve.label), *_cumulative_return(curve), line, "%{y:+.1%}"))
        drawdown = line_trace(display_name(curve.label), *_drawdown(curve), {**line, "width": 1.0}, "%{y:.1%}")
        drawdown |= {"yaxis": "y2", "showlegend": False}
        if curve.role is CurveRole.AGENT:
            drawdown |= {"fill": "tozeroy", "fillcolor": "var(--agent-fill)"}
        traces.append(drawdown)
    return figure_of(
        traces,
        400,
        xaxis={"anchor": "y2"},
        yaxis={"domain": [0.34, 1.0], "tickformat": "+.0%", "zeroline": True, "title": axis_title("return")},
        yaxis2={"domain": [0.0, 0.26], "tickformat": ".0%", "title": axis_title("drawdown"), "nticks": 4},
    )


def weights_chart(path: WeightPath) -> Figure | None:
    """Stacked weights over time, long above and short below zero; the smaller positions as one; None if empty."""
    if path.weights.size == 0:
        return None
    rows = thinned(len(path.dates), MAX_WEIGHT_POINTS)
    days = iso_days(path.dates[rows])
    weights = np.nan_to_num(path.weights)
    traces = []
    for position, (label, series) in enumerate(_largest_and_rest(path.symbols, weights)):
        is_rest = position == NUM_SERIES_COLOURS
        colour = "var(--rest)" if is_rest else series_colour(position)
        for side, part in (("long", np.maximum(series, 0.0)), ("short", np.minimum(series, 0.0))):
            if part.any() or (side == "long" and not series.any()):
                traces.append(
                    _area(label, side, days, part[rows], colour, shown=side == "long" or not (series > 0).any())
                )
    return figure_of(traces, 320, yaxis={"tickformat": ".0%", "zeroline": True, "title": axis_title("share of equity")})


def learning_chart(learning: LearningCurve) -> Figure | None:
    """Training return above the Sharpe ratio on the validation window, by environment steps; None if both are empty."""
    if learning.env_steps.size == 0 and learning.validation_env_steps.size == 0:
        return None
    training = line_trace(
        "training return",
        json_numbers(learning.env_steps),
        json_numbers(learning.training_return),
        {"color": "var(--series-2)", "width": 1.6},
        "%{y:.4g}",
    )
    validation = line_trace(
        "validation Sharpe",
        json_numbers(learning.validation_env_steps),
        json_numbers(learning.validation_sharpe),
        {"color": "var(--agent)", "width": 2.0},
        "%{y:.2f}",
    )
    validation |= {"yaxis": "y2", "mode": "lines+markers", "marker": {"size": 6}}
    figure = figure_of(
        [training, validation],
        320,
        xaxis={"anchor": "y2", "tickformat": "~s", "title": axis_title("environment steps")},
        yaxis={"domain": [0.56, 1.0], "nticks": 4, "title": axis_title("episode return")},
        yaxis2={"domain": [0.0, 0.44], "nticks": 5, "zeroline": True, "title": axis_title("Sharpe")},
    )
    if learning.selected_env_steps is not None:
        figure["layout"] |= _marked_step(learning.selected_env_steps)
    return figure


def capital_chart(capital: Sequence[tuple[str, float]]) -> Figure | None:
    """Capital per agent as bars; None if there is none."""
    if not capital:
        return None
    names = [display_name(name) for name, _ in capital]
    shares = np.array([share for _, share in capital], dtype=np.float64)
    colours = [series_colour(position) for position in range(len(names))]
    return share_bars(names, shares, colours, "%{y}: %{x:.1%}<extra></extra>")


def book_chart(book: Sequence[BookPosition]) -> Figure | None:
    """The largest positions of the combined book as bars, green for long and red for short; None if there are none."""
    held = [row for row in book if abs(row.weight) > 0.0]
    if not held:
        return None
    largest = sorted(held, key=lambda row: (-abs(row.weight), row.symbol, row.agent))[:MAX_BOOK_ROWS]
    largest.sort(key=lambda row: (-row.weight, row.symbol, row.agent))
    weights = np.array([row.weight for row in largest], dtype=np.float64)
    colours = ["var(--bad)" if weight < 0 else "var(--good)" for weight in weights]
    labels = [row.symbol for row in largest]
    figure = share_bars(labels, weights, colours, "%{customdata} · %{y}: %{x:.2%}<extra></extra>")
    figure["data"][0]["customdata"] = [row.agent for row in largest]
    return figure


def sparkline_points(curve: Curve, width: int, height: int) -> str:
    """Points of an SVG polyline that fills ``width`` x ``height``; ``""`` for fewer than two finite values."""
    equity = curve.equity[thinned(len(curve.equity), width)]
    equity = equity[np.isfinite(equity)]
    if equity.size < 2:
        return ""
    low, high = float(equity.min()), float(equity.max())
    scaled = (equity - low) / (high - low) if high > low else np.full(equity.size, 0.5)
    x = np.linspace(1, width - 1, equity.size)
    y = (height - 1) - scaled * (height - 2)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _curve_lines(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    baselines = lanes = 0
    for curve in curves:
        if curve.role is CurveRole.AGENT:
            lines.append({"color": "var(--agent)", "width": 2.6})
        elif curve.role is CurveRole.CHAMPION:
            lines.append({"color": "var(--champion)", "width": 2.0})
        elif curve.role is CurveRole.LANE:
            lanes += 1  # the first colour is the agent's
            lines.append({"color": series_colour(lanes), "width": 1.6})
        else:
            colour = f"var(--baseline-{baselines % 3 + 1})"
            lines.append({"color": colour, "width": 1.5, "dash": _BASELINE_DASHES[baselines % len(_BASELINE_DASHES)]})
            baselines += 1
    return lines


def _cumulative_return(curve: Curve) -> tuple[list[str], list[float | None]]:
    rows = thinned(len(curve.dates), MAX_CURVE_POINTS)
    with np.errstate(all="ignore"):
        growth = curve.equity / curve.equity[:1] - 1.0
    return iso_days(curve.dates[rows]), json_numbers(growth[rows])


def _drawdown(curve: Curve) -> tuple[list[str], list[float | None]]:
    """Deepest drawdown within each drawn step, so that thinning never hides the worst."""
    if curve.equity.size == 0:
        return [], []
    with np.errstate(all="ignore"):
        drawdown = curve.equity / np.fmax.accumulate(curve.equity) - 1.0
    rows = thinned(len(curve.dates), MAX_CURVE_POINTS)
    starts = np.concatenate(([0], rows[:-1] + 1))
    return iso_days(curve.dates[rows]), json_numbers(np.fmin.reduceat(drawdown, starts))


def _largest_and_rest(symbols: Sequence[str], weights: FloatArray) -> list[tuple[str, FloatArray]]:
    """The columns with the largest mean absolute weight, largest first, and the sum of the others."""
    order = np.argsort(-np.abs(weights).mean(axis=0), kind="stable")
    order = order[np.abs(weights[:, order]).max(axis=0) > 0] if weights.any() else order[:1]
    columns = [(symbols[index], weights[:, index]) for index in order[:NUM_SERIES_COLOURS]]
    rest = order[NUM_SERIES_COLOURS:]
    if rest.size:
        columns.append((f"{rest.size} others", weights[:, rest].sum(axis=1)))
    return columns


def _area(label: str, side: str, days: list[str], values: FloatArray, colour: str, *, shown: bool) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain_text(label),
        "legendgroup": plain_text(label),
        "showlegend": shown,
        "stackgroup": side,
        "x": days,
        "y": json_numbers(values),
        "line": {"width": 0.6, "color": "var(--card)", "shape": "hv"},
        "fillcolor": colour,
        "hovertemplate": "%{y:.1%}",
    }


def _marked_step(env_steps: int) -> dict[str, Any]:
    line = {"color": "var(--muted)", "width": 1.2, "dash": "dot"}
    shape = {"type": "line", "xref": "x", "yref": "paper", "x0": env_steps, "x1": env_steps, "y0": 0, "y1": 1}
    note = {
        "xref": "x",
        "yref": "paper",
        "x": env_steps,
        "y": 1,
        "text": "kept",
        "showarrow": False,
        "yanchor": "bottom",
    }
    return {"shapes": [{**shape, "line": line}], "annotations": [note]}
