"""Renders a calibration as one HTML file: real stylised facts beside simulated ones, in tables and in charts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.calibration import Comparison, Curves, FittedMarket
from wealtharena.reporting.figures import Figure, json_numbers
from wealtharena.reporting.page import plotly_js, render_page, resource, script_json

# A fact that misses by more lies beyond the edge of the chart; the table has it.
_WIDEST = 20.0


@dataclass(frozen=True)
class CalibrationPage:
    """What the page shows.

    Attributes:
        source: where the real bars come from; span: their days, in words.
        seed, markets, draws: of the simulated markets and of the bootstrap.
    """

    source: str
    span: str
    seed: int
    markets: int
    draws: int
    fitted: FittedMarket
    comparisons: Sequence[Comparison]


def render_calibration(page: CalibrationPage) -> str:
    """The page as HTML, with styles, plotly.js and data inside. Equal data give equal text; every text is escaped."""
    figures: dict[str, Figure] = {}
    for item in page.comparisons:
        figures[f"facts-{item.name}"] = _facts_chart(item)
        figures[f"size-{item.name}"] = _curves_chart(item.size_autocorrelation, "lag, sessions", "autocorrelation")
        figures[f"tails-{item.name}"] = _curves_chart(item.tails, "standard deviations", "share beyond", log=True)
    return render_page(
        "calibration.html.jinja",
        page=page,
        figures=figures,
        chart_json=script_json(figures),
        scripts=[Markup(plotly_js()), Markup(resource("charts.js.jinja"))],  # noqa: S704 - plotly's and our own
    )


def write_calibration(page: CalibrationPage, folder: Path) -> list[Path]:
    """Writes ``calibration.html``, ``facts.json`` and ``market.json`` (the fitted constants) to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {item.name: fact_records(item) for item in page.comparisons}
    texts = {
        "calibration.html": render_calibration(page),
        "facts.json": json.dumps(facts, indent=1) + "\n",
        "market.json": json.dumps(page.fitted.as_json(), indent=1) + "\n",
    }
    written = [folder / name for name in texts]
    for path, text in zip(written, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return written


def fact_records(comparison: Comparison) -> list[dict[str, Any]]:
    """One plain record per fact."""
    return [
        {
            "fact": row.name,
            "fitted": row.fitted,
            "real": row.real,
            "interval": [row.low, row.high],
            "simulated": row.simulated,
            "simulated_interval": [row.simulated_low, row.simulated_high],
            "agrees": row.agrees,
        }
        for row in comparison.rows
    ]


def _facts_chart(comparison: Comparison) -> Figure:
    """Each fact with its interval around 0, and the simulated one, in half widths of the real interval."""
    rows = [row for row in comparison.rows if row.high > row.low]
    scales = np.array([(row.high - row.low) / 2.0 for row in rows])
    names = [row.name for row in rows]
    places = np.arange(len(rows))

    def scaled(part: list[float]) -> FloatArray:
        found: FloatArray = (np.array(part) - np.array([row.real for row in rows])) / scales
        return found

    def trace(name: str, colour: str, offset: float, figures: list[tuple[float, float, float]]) -> Figure:
        middle, low, high = (scaled([triple[place] for triple in figures]) for place in range(3))
        bars = {"type": "data", "symmetric": False, "color": colour, "thickness": 1.6, "width": 5}
        return {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": json_numbers(middle),
            "y": json_numbers(places + offset),
            "marker": {"color": colour, "size": 9},
            "error_x": bars | {"array": json_numbers(high - middle), "arrayminus": json_numbers(middle - low)},
            "text": [f"{fact}: {one:.4g} ({two:.4g} to {three:.4g})" for fact, (one, two, three) in zip(
                names, figures, strict=True
            )],
            "hovertemplate": "%{text}<extra></extra>",
        }  # fmt: skip

    of_real = [(row.real, row.low, row.high) for row in rows]
    of_simulated = [(row.simulated, row.simulated_low, row.simulated_high) for row in rows]
    real = trace("real, 90 % bootstrap interval", "var(--champion)", -0.13, of_real)
    simulated = trace("simulated, 90 % of markets", "var(--agent)", 0.13, of_simulated)
    layout = _layout(80 + 30 * len(rows), "half widths of the real interval", "")
    places_of_all = [abs(x) for side in (real, simulated) for x in side["x"] if x is not None]
    reach = min(1.15 * max(places_of_all, default=1.0) + 1.0, _WIDEST)
    layout["xaxis"] |= {"zeroline": True, "range": [-reach, reach]}
    layout["yaxis"] |= {"tickvals": places.tolist(), "ticktext": names, "autorange": "reversed", "showgrid": False}
    return {"data": [real, simulated], "layout": layout | {"hovermode": "closest"}}


def _curves_chart(curves: Curves, x_title: str, y_title: str, *, log: bool = False) -> Figure:
    # On a logarithmic axis 0 has no place: such points are left out.
    least = 1e-9 if log else -np.inf
    band = {"type": "scatter", "mode": "lines", "line": {"width": 0}, "x": json_numbers(curves.x), "hoverinfo": "skip"}
    low = np.maximum(curves.simulated_low, 1e-6) if log else curves.simulated_low
    traces = [
        {**band, "y": json_numbers(low), "showlegend": False},
        {
            **band,
            "y": json_numbers(np.maximum(curves.simulated_high, low)),
            "fill": "tonexty",
            "fillcolor": "var(--agent-fill)",
            "name": "90 % of simulated markets",
        },
        _line(
            "simulated, median", curves.x, np.where(curves.simulated > least, curves.simulated, np.nan), "var(--agent)"
        ),
        _line("real", curves.x, np.where(curves.real > least, curves.real, np.nan), "var(--champion)"),
    ]
    layout = _layout(340, x_title, y_title)
    if log:
        layout["yaxis"] |= {"type": "log", "range": [-5.0, 0.0], "exponentformat": "power", "dtick": 1}
    return {"data": traces, "layout": layout}


def _line(name: str, x: ArrayLike, y: ArrayLike, colour: str) -> Figure:
    line = {"color": colour, "width": 2.0}
    return {
        "type": "scatter", "mode": "lines", "name": name, "x": json_numbers(x), "y": json_numbers(y), "line": line,
        "hovertemplate": "%{y:.4g}",
    }  # fmt: skip


def _layout(height: int, x_title: str, y_title: str) -> Figure:
    axis = {
        "gridcolor": "var(--grid)", "linecolor": "var(--grid)", "zerolinecolor": "var(--zero)", "zeroline": False,
        "automargin": True, "fixedrange": True,
    }  # fmt: skip
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--muted)", "size": 12},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--grid)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "showlegend": True,
        "xaxis": {**axis, "title": {"text": x_title}},
        "yaxis": {**axis, "title": {"text": y_title}},
    }
