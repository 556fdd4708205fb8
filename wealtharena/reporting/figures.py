"""Building blocks of Plotly figures as plain JSON; colours are names of CSS variables, resolved in the browser."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting.display import percent

Figure = dict[str, Any]

NUM_SERIES_COLOURS = 9
_SIGNIFICANT_DIGITS = 5
_SHORT_SPAN = 4


def figure_of(traces: list[dict[str, Any]], height: int, **axes: dict[str, Any]) -> Figure:
    """Traces with the report's layout, its height in pixels and the given changes of its axes; a legend if needed."""
    axis = {
        "gridcolor": "var(--grid)",
        "linecolor": "var(--grid)",
        "zerolinecolor": "var(--zero)",
        "zeroline": False,
        "automargin": True,
        "fixedrange": True,
    }
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--muted)", "size": 12},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "var(--card)", "bordercolor": "var(--grid)", "font": {"color": "var(--ink)"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        "showlegend": len(traces) > 1,
    }
    for name, changes in {"xaxis": {}, "yaxis": {}, **axes}.items():
        layout[name] = {**axis, **({"showgrid": False} if name == "xaxis" else {}), **changes}
    return {"data": traces, "layout": layout}


def line_trace(
    name: str, x: Sequence[Any], y: Sequence[float | None], line: dict[str, Any], hover: str
) -> dict[str, Any]:
    """A line; ``line`` is Plotly's colour, width and dash, ``hover`` its template of a value."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain_text(name),
        "x": list(x),
        "y": list(y),
        "line": line,
        "hovertemplate": hover,
    }


def share_bars(labels: list[str], values: FloatArray, colours: list[str], hover: str) -> Figure:
    """One horizontal bar per label with its share written in it; ``hover`` names label and value as %{y} and %{x}."""
    # A category axis would merge equal labels (one symbol held by two agents) and read dates or numbers into names.
    positions = list(range(len(labels)))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": json_numbers(values),
        "y": positions,
        "text": [percent(float(value)) for value in values],
        "textposition": "auto",
        "insidetextfont": {"color": "var(--card)"},
        "marker": {"color": colours},
        "hovertemplate": hover.replace("%{y}", "%{hovertext}"),
        "hovertext": [plain_text(label) for label in labels],
    }
    figure = figure_of(
        [trace],
        70 + 24 * len(labels),
        xaxis={"type": "linear", "tickformat": ".0%", "zeroline": True},
        yaxis={
            "autorange": "reversed",
            "tickvals": positions,
            "ticktext": [plain_text(label) for label in labels],
            "showgrid": False,
        },
    )
    figure["layout"] |= {"hovermode": "closest", "showlegend": False, "bargap": 0.25}
    return figure


def axis_title(text: str) -> dict[str, Any]:
    """A title in the size of the labels."""
    return {"text": text, "font": {"size": 12}}


def day_axis(dates: Iterable[DateArray]) -> dict[str, Any]:
    """An axis of days over all the series; one of a few days gets room at its sides, or Plotly would show fractions."""
    days = np.concatenate([np.asarray(one, dtype="datetime64[D]") for one in dates])
    if not days.size or days.max() - days.min() > np.timedelta64(_SHORT_SPAN, "D"):
        return {"type": "date"}
    room = np.timedelta64(2, "D")
    return {"type": "date", "range": [str(days.min() - room), str(days.max() + room)], "tickformat": "%-d %b %Y"}


def series_colour(position: int) -> str:
    """The colour of the series at a place; they repeat after nine."""
    return f"var(--series-{position % NUM_SERIES_COLOURS + 1})"


def thinned(length: int, most: int) -> NDArray[np.intp]:
    """At most about ``most`` evenly spaced rows, always with the first and the last."""
    step = max(1, -(-length // most))
    rows = np.arange(length - 1, -1, -step, dtype=np.intp)[::-1]
    return rows if length == 0 or rows[0] == 0 else np.concatenate((np.zeros(1, dtype=np.intp), rows))


def iso_days(dates: DateArray) -> list[str]:
    """Dates as ISO text."""
    return [str(day) for day in np.asarray(dates).astype("datetime64[D]")]


def json_numbers(values: ArrayLike) -> list[float | None]:
    """Rounded to a few significant digits, None where not finite: small files, valid JSON."""
    return [
        float(f"{value:.{_SIGNIFICANT_DIGITS}g}") if np.isfinite(value) else None
        for value in np.asarray(values, dtype=np.float64).tolist()
    ]


def plain_text(text: str) -> str:
    """Text that Plotly shows as it is: it would read ``<``, ``&`` and ``%{`` as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("%{", "% {")
