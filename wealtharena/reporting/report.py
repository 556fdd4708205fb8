"""Renders a night's results as one HTML file: styles, plotly.js and data inside, nothing loaded from anywhere."""

import math
from pathlib import Path

from markupsafe import Markup

from wealtharena.reporting import charts
from wealtharena.reporting.data import AgentReport, CurveRole, ReportData, SignalRow, Verdict
from wealtharena.reporting.figures import Figure
from wealtharena.reporting.page import csp_hash, plotly_js, render_page, resource, script_json, write_page
from wealtharena.reporting.pages import page_charts
from wealtharena.reporting.robustness import robustness_charts
from wealtharena.reporting.summary import book_facts, highlights, page_facts, summary_sentence

SPARKLINE_SIZE = (120, 28)


def write_report(data: ReportData, path: Path) -> Path:
    """Renders the report to ``path``; the file appears whole or not at all."""
    return write_page(path, render_report(data))


def render_report(data: ReportData) -> str:
    """The report as HTML. Equal data give equal text; every text is escaped; missing parts are shown as such."""
    figures = _figures(data)
    scripts = [plotly_js(), resource("charts.js.jinja")]
    return render_page(
        "report.html.jinja",
        data=data,
        summary=summary_sentence(data),
        highlights=highlights(data),
        book_facts=book_facts(data),
        figures=figures,
        page_facts={agent.name: page_facts(agent) for agent in data.agents},
        sparklines={agent.name: _sparkline(agent) for agent in data.agents},
        sparkline_size=SPARKLINE_SIZE,
        signals=_signals_by_agent(data),
        widest_signal=max((abs(row.weight) for row in data.signals if math.isfinite(row.weight)), default=1.0) or 1.0,
        Verdict=Verdict,
        chart_json=script_json(figures),
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and plotly's
        script_hashes=[csp_hash(script) for script in scripts],
    )


def _figures(data: ReportData) -> dict[str, Figure]:
    found: dict[str, Figure | None] = {
        "overview": charts.overview_chart(data.agents),
        "capital": charts.capital_chart(data.capital),
        "book": charts.book_chart(data.book),
    }
    for agent in data.agents:
        found[f"equity-{agent.name}"] = charts.equity_chart(agent)
        found[f"weights-{agent.name}"] = charts.weights_chart(agent.weights) if agent.weights else None
        found |= page_charts(agent.name, agent.pages)
        if agent.robustness:
            found |= robustness_charts(agent.name, agent.robustness)
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
