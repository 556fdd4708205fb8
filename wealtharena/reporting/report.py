"""Renders a night's results as one HTML file: styles, plotly.js and data inside, nothing loaded from anywhere."""

import base64
import hashlib
import json
import math
import os
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from wealtharena.reporting import charts
from wealtharena.reporting.data import AgentReport, CurveRole, ReportData, SignalRow, Verdict
from wealtharena.reporting.display import (
    display_name,
    figure,
    limit_figure,
    long_date,
    number,
    percent,
    price,
    signed_percent,
)
from wealtharena.reporting.summary import book_facts, highlights, summary_sentence

SPARKLINE_SIZE = (120, 28)
_PACKAGE = "wealtharena.reporting"
_FILTERS = (display_name, figure, limit_figure, long_date, number, percent, price, signed_percent)


def write_report(data: ReportData, path: Path) -> Path:
    """Renders the report to ``path``; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    html = render_report(data)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    staging = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(html)
        staging.chmod(0o644)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
    return path


def render_report(data: ReportData) -> str:
    """The report as HTML. Equal data give equal text; every text is escaped; missing parts are shown as such."""
    figures = _figures(data)
    scripts = [_plotly_js(), _resource("charts.js.jinja")]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update({item.__name__: item for item in _FILTERS})
    environment.tests["defined_number"] = math.isfinite
    template = environment.from_string(_resource("report.html.jinja"))
    return template.render(
        data=data,
        summary=summary_sentence(data),
        highlights=highlights(data),
        book_facts=book_facts(data),
        figures=figures,
        sparklines={agent.name: _sparkline(agent) for agent in data.agents},
        sparkline_size=SPARKLINE_SIZE,
        signals=_signals_by_agent(data),
        widest_signal=max((abs(row.weight) for row in data.signals if math.isfinite(row.weight)), default=1.0) or 1.0,
        Verdict=Verdict,
        style=Markup(_resource("report.css")),  # noqa: S704 - our own file
        chart_json=_script_json(figures),
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and plotly's
        script_hashes=[_csp_hash(script) for script in scripts],
    )


def _figures(data: ReportData) -> dict[str, charts.Figure]:
    found: dict[str, charts.Figure | None] = {
        "overview": charts.overview_chart(data.agents),
        "capital": charts.capital_chart(data.capital),
        "book": charts.book_chart(data.book),
    }
    for agent in data.agents:
        found[f"equity-{agent.name}"] = charts.equity_chart(agent)
        found[f"weights-{agent.name}"] = charts.weights_chart(agent.weights) if agent.weights else None
        found[f"learning-{agent.name}"] = charts.learning_chart(agent.learning) if agent.learning else None
    return {name: figure for name, figure in found.items() if figure is not None}


def _sparkline(agent: AgentReport) -> str:
    own = [curve for curve in agent.curves if curve.role is CurveRole.AGENT]
    return charts.sparkline_points(own[0], *SPARKLINE_SIZE) if own else ""


def _signals_by_agent(data: ReportData) -> dict[str, list[SignalRow]]:
    """Rows per agent, in the order of their first appearance, largest target first."""
    grouped: dict[str, list[SignalRow]] = {}
    for row in data.signals:
        grouped.setdefault(row.agent, []).append(row)
    return {agent: sorted(rows, key=lambda row: (-abs(row.weight), row.symbol)) for agent, rows in grouped.items()}


def _script_json(value: Any) -> Markup:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _csp_hash(script: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@cache
def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _resource(name: str) -> str:
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")
