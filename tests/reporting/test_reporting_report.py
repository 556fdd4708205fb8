import html
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from report_samples import NIGHT, sample_agent, sample_dates, sample_night

from wealtharena.reporting import (
    AgentReport,
    BookPosition,
    Check,
    ClassCoverage,
    Curve,
    CurveRole,
    LearningCurve,
    Performance,
    QuarantineCount,
    ReportData,
    SignalRow,
    StageFailure,
    SymbolCoverage,
    Verdict,
    WeightPath,
    render_report,
    write_report,
)
from wealtharena.reporting.charts import (
    MAX_WEIGHT_POINTS,
    book_chart,
    equity_chart,
    learning_chart,
    sparkline_points,
    weights_chart,
)
from wealtharena.reporting.summary import highlights, summary_sentence

EVIL = """</script><script>document.title='owned'</script><img src=x onerror="document.title='owned'">'&{{7*7}}"""


def bare_night(**changes: Any) -> ReportData:
    values: dict[str, Any] = {
        "night": NIGHT,
        "profile": "files",
        "source": "files",
        "is_demo": False,
        "seed": 1,
        "settings_hash": "5" * 64,
        "data_version": "d" * 64,
    }
    return ReportData(**(values | changes))


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    figures = json.loads(found.group(1))
    assert isinstance(figures, dict)
    return figures


def text_of(page: str) -> str:
    """What a person reads: no scripts, styles or tags, white space as single blanks."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", bare)).split())


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(sample_night())


def test_the_header_says_which_night_and_from_what(page: str) -> None:
    text = text_of(page)
    for part in (
        "Night of Friday 6 November 2026",
        "DEMO DATA",
        "Profile quickstart",
        "Source simulator",
        "Seed 1",
        "Settings 5f0c2d9e41ab",
        "Data 9a1be77d20c4",
        "3 of 7 agents promoted, 2 champions kept, 1 baseline serves, 1 failed: REITs.",
    ):
        assert part in text


def test_real_data_carry_no_demo_badge() -> None:
    assert "DEMO DATA" not in text_of(render_report(bare_night()))


def test_every_agent_has_its_figures_baseline_decision_and_reason(page: str) -> None:
    text = text_of(page)
    assert "Stocks PPO promoted +18.3% 1.12 ± 0.99 −8.1% 14.2 Equal weight +9.2%, Sharpe 0.74" in text
    assert "Sharpe 0.31 is below the champion's 0.66 on the same window" in text
    assert "REITs PPO failed – no result" in text
    assert text.count("beats the champion Sharpe gain must be at least 0.00") == 6
    assert text.count("drawdown 0.081, held against 0.4") == 6


def test_every_part_of_every_agent_is_drawn(page: str) -> None:
    drawn = set(figures_of(page))
    agents = ("stocks", "crypto", "etfs", "currencies", "commodities", "meta")
    expected = {f"{kind}-{agent}" for kind in ("equity", "weights", "learning") for agent in agents}
    assert drawn == expected | {"overview", "capital", "book"}
    assert set(re.findall(r'data-chart="([^"]+)"', page)) == drawn


def test_limits_costs_and_the_way_to_the_trades_are_shown_per_agent(page: str) -> None:
    text = re.sub(r"\s+", " ", page)
    assert text.count("Limits in the held-out window") == 6
    assert (
        '<td class="nowrap">Max VaR</td><td class="num">6.0%</td><td class="num">2.1%</td>'
        '<td class="num warn-text">5.0%</td>'
    ) in text
    assert '<td class="nowrap">Min effective positions</td><td class="num">2.0</td><td class="num">3.4</td>' in text
    assert '<td>Impact</td><td class="num bad-text">−1.12%</td>' in text
    assert '<td>Interest</td><td class="num good-text">+1.23%</td>' in text
    assert "FROM out_backtest__trades WHERE night = '2026-11-06-5f0c2d9e' AND agent = 'stocks'" in text


def test_figures_are_valid_plotly(page: str) -> None:
    for figure in figures_of(page).values():
        go.Figure(data=figure["data"], layout=figure["layout"])


def test_missing_symbols_failures_quarantine_and_lineage_are_shown(page: str) -> None:
    text = text_of(page)
    assert "Stocks 7 of 8 symbols" in text
    assert "XYZ.AX unknown_symbol market/stocks/XYZ.AX.csv does not exist" in text
    assert "delisted 2021-03-05" in text
    assert "zero_open 214 9 BHP.AX 2015-08-24: open is 0.0" in text
    assert "Failed stages Everything that does not depend on them was done." in text
    assert "core_stocks__daily_bars stocks 12 25,930" in text
    assert "held out 2025-11-06 2026-11-06 252" in text


def test_signals_are_listed_per_agent_largest_first(page: str) -> None:
    text = text_of(page)
    assert "to be traded at the next opening" in text
    rows = sample_night().signals
    largest = max((row for row in rows if row.agent == "crypto"), key=lambda row: abs(row.weight))
    expected = f"Crypto Symbol Target Before Close {largest.symbol} {largest.weight:.1%}"
    assert expected in text


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    markup = re.sub(r"<(script|style)\b([^>]*)>.*?</\1>", r"<\1\2></\1>", page, flags=re.DOTALL)
    links = re.findall(r"""\b(?:src|href|action|poster)\s*=\s*["']?([^"'>]*)""", markup)
    assert len(links) > 10
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert "@import" not in page.split("</style>", maxsplit=1)[0]
    assert "url(" not in page.split("</style>", maxsplit=1)[0]
    assert page.count("* plotly.js v") == 1
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy.group(1).startswith("default-src 'none';")


def test_the_same_night_gives_the_same_bytes(page: str) -> None:
    assert render_report(sample_night()) == page


def test_the_file_stays_small_for_long_windows_and_many_symbols(tmp_path: Path) -> None:
    symbols = tuple(f"S{i:02d}.AX" for i in range(40))
    night = sample_night(sessions=2_500)
    agents = tuple(sample_agent(a.name, Verdict.KEPT, 3, 2_500, symbols) for a in night.agents)
    path = write_report(replace(night, agents=agents), tmp_path / "report.html")
    assert path.stat().st_size < 8_000_000


def test_a_night_without_any_result_is_still_a_report() -> None:
    text = text_of(render_report(bare_night()))
    assert "No agent was trained." in text
    assert "No champion, so no signals." in text
    assert "The combined book is empty." in text
    assert "No data was collected." in text


NAN = float("nan")
EMPTY = np.zeros(0)
NO_DATES = np.zeros(0, dtype="datetime64[D]")


@pytest.mark.parametrize(
    "agent",
    [
        AgentReport("stocks", "PPO", Verdict.FAILED, "no data"),
        AgentReport("stocks", "PPO", Verdict.KEPT, "worse", performance=Performance(), baseline="cash"),
        AgentReport("stocks", "PPO", Verdict.KEPT, "r", curves=(Curve("c", CurveRole.BASELINE, NO_DATES, EMPTY),)),
        AgentReport("stocks", "PPO", Verdict.KEPT, "r", curves=(Curve("c", CurveRole.AGENT, NO_DATES, EMPTY),)),
        AgentReport(
            "stocks",
            "PPO",
            Verdict.KEPT,
            "r",
            curves=(Curve("c", CurveRole.AGENT, sample_dates(3), np.array([NAN, 0.0, np.inf])),),
            weights=WeightPath(sample_dates(3), ("A",), np.full((3, 1), NAN)),
            learning=LearningCurve(np.array([1.0]), np.array([NAN]), np.array([1.0]), np.array([NAN])),
            checks=(Check("c", passed=False, value=NAN, threshold=np.inf),),
        ),
        AgentReport("stocks", "PPO", Verdict.KEPT, "r", weights=WeightPath(NO_DATES, (), np.zeros((0, 0)))),
        AgentReport("stocks", "PPO", Verdict.KEPT, "r", learning=LearningCurve(EMPTY, EMPTY, EMPTY, EMPTY)),
        AgentReport(
            "stocks", "PPO", Verdict.KEPT, "r", weights=WeightPath(sample_dates(2), ("A", "B"), np.zeros((2, 2)))
        ),
    ],
)
def test_missing_parts_are_shown_as_missing(agent: AgentReport) -> None:
    page = render_report(bare_night(agents=(agent,), signals=(SignalRow("stocks", "A", NAN),), capital=(("x", NAN),)))
    figures_of(page)
    text = text_of(page)
    assert agent.reason in text
    assert "nan" not in text.lower().replace("finance", "")


def test_text_from_outside_cannot_become_markup() -> None:
    dates = sample_dates(3)
    agent = AgentReport(
        EVIL,
        EVIL,
        Verdict.KEPT,
        EVIL,
        champion=EVIL,
        performance=Performance(0.1, 1.0),
        baseline=EVIL,
        baseline_performance=Performance(0.1, 1.0),
        checks=(Check(EVIL, passed=True, detail=EVIL),),
        curves=(Curve(EVIL, CurveRole.AGENT, dates, np.ones(3)),),
        weights=WeightPath(dates, (EVIL,), np.full((3, 1), 0.5)),
    )
    page = render_report(
        bare_night(
            profile=EVIL,
            source=EVIL,
            settings_hash=EVIL,
            data_version=EVIL,
            git_commit=EVIL,
            agents=(agent,),
            capital=((EVIL, 1.0),),
            book=(BookPosition(EVIL, EVIL, 0.1),),
            signals=(SignalRow(EVIL, EVIL, 0.1),),
            coverage=(ClassCoverage(EVIL, (SymbolCoverage(EVIL, EVIL, EVIL),)),),
            quarantine=(QuarantineCount(EVIL, 1, 1, EVIL),),
            failures=(StageFailure(EVIL, EVIL, EVIL),),
            one_way_cost_bps={EVIL: 1.0},
        )
    )
    assert page.count("<script") == render_report(bare_night()).count("<script")
    assert "<img" not in page.split("<main>")[1].split("<script")[0]
    assert EVIL in html.unescape(page)
    figures_of(page)


def test_a_report_replaces_the_one_before_whole(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "night.html"
    write_report(sample_night(), path)
    assert write_report(bare_night(), path) == path
    assert path.read_text(encoding="utf-8") == render_report(bare_night())
    assert [item.name for item in path.parent.iterdir()] == ["night.html"]


def test_returns_start_at_zero_and_drawdowns_are_from_the_peak() -> None:
    curve = Curve("stocks", CurveRole.AGENT, sample_dates(4), np.array([2.0, 3.0, 1.5, 2.4]))
    figure = equity_chart(AgentReport("stocks", "PPO", Verdict.KEPT, "", curves=(curve,)))
    assert figure is not None
    assert figure["data"][0]["y"] == [0.0, 0.5, -0.25, 0.2]
    assert figure["data"][1]["y"] == [0.0, 0.0, -0.5, -0.2]


def test_thinning_keeps_first_last_and_the_worst_drawdown() -> None:
    equity = np.linspace(1.0, 2.0, 5_000)
    equity[2_501] = 0.3
    curve = Curve("stocks", CurveRole.AGENT, sample_dates(5_000), equity)
    figure = equity_chart(AgentReport("stocks", "PPO", Verdict.KEPT, "", curves=(curve,)))
    assert figure is not None
    returns, drawdowns = figure["data"]
    assert len(returns["x"]) < 1_000
    assert (returns["x"][0], returns["x"][-1]) == (str(curve.dates[0]), str(curve.dates[-1]))
    assert (returns["y"][0], returns["y"][-1]) == (0.0, 1.0)
    assert min(drawdowns["y"]) == pytest.approx(0.3 / equity[2_500] - 1.0, abs=1e-4)


def test_small_positions_are_drawn_as_one_and_shorts_below_zero() -> None:
    weights = np.tile(np.array([0.3, -0.2, *([0.01] * 10), 0.0]), (3, 1))
    symbols = ("LONG", "SHORT", *(f"X{i:02d}" for i in range(10)), "NEVER")
    figure = weights_chart(WeightPath(sample_dates(3), symbols, weights))
    assert figure is not None
    traces = {(trace["name"], trace["stackgroup"]): trace["y"] for trace in figure["data"]}
    assert traces[("LONG", "long")] == [0.3, 0.3, 0.3]
    assert traces[("SHORT", "short")] == [-0.2, -0.2, -0.2]
    assert traces[("3 others", "long")] == [0.03, 0.03, 0.03]
    assert ("NEVER", "long") not in traces
    assert sum(values[0] for values in traces.values()) == pytest.approx(0.2)
    shown = [trace["name"] for trace in figure["data"] if trace["showlegend"]]
    assert len(shown) == len(set(shown)) == 10


def test_long_weight_paths_are_thinned() -> None:
    figure = weights_chart(WeightPath(sample_dates(3_000), ("A",), np.full((3_000, 1), 0.5)))
    assert figure is not None
    assert len(figure["data"][0]["x"]) <= MAX_WEIGHT_POINTS + 1


def test_the_kept_checkpoint_is_marked_on_the_learning_curve() -> None:
    steps = np.array([10.0, 20.0])
    learning = LearningCurve(steps, steps, steps, steps, selected_env_steps=20)
    figure = learning_chart(learning)
    assert figure is not None
    assert figure["layout"]["shapes"][0]["x0"] == 20
    unmarked = learning_chart(replace(learning, selected_env_steps=None))
    assert unmarked is not None
    assert "shapes" not in unmarked["layout"]


def test_the_book_shows_the_largest_positions_and_no_empty_ones() -> None:
    book = [BookPosition(f"S{i:02d}", "stocks", 0.001 * i * (-1) ** i) for i in range(50)]
    figure = book_chart(book)
    assert figure is not None
    shown = figure["data"][0]["hovertext"]
    assert len(shown) == 30
    assert shown[0] == "S48"
    assert shown[-1] == "S49"
    assert book_chart([BookPosition("A", "stocks", 0.0)]) is None


def test_a_sparkline_spans_its_box() -> None:
    curve = Curve("c", CurveRole.AGENT, sample_dates(3), np.array([1.0, 3.0, 2.0]))
    assert sparkline_points(curve, 101, 21) == "1.0,20.0 50.5,1.0 100.0,10.5"
    assert sparkline_points(replace(curve, equity=np.ones(3)), 101, 21) == "1.0,10.5 50.5,10.5 100.0,10.5"
    assert sparkline_points(replace(curve, equity=np.array([1.0, NAN, NAN])), 101, 21) == ""


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ((), "No agent was trained."),
        ((Verdict.PROMOTED, Verdict.PROMOTED), "2 of 2 agents promoted."),
        ((Verdict.REFRESHED, Verdict.ROLLED_BACK), "0 of 2 agents promoted, 1 refreshed, 1 rolled back."),
        ((Verdict.KEPT, Verdict.PROMOTED), "1 of 2 agents promoted, 1 champion kept."),
        ((Verdict.BASELINE, Verdict.BASELINE), "0 of 2 agents promoted, 2 baselines serve."),
        ((Verdict.VACANT, Verdict.PROMOTED), "1 of 2 agents promoted, 1 without champion."),
        ((Verdict.FAILED, Verdict.KEPT), "0 of 2 agents promoted, 1 champion kept, 1 failed: A0."),
    ],
)
def test_the_night_in_one_sentence(verdicts: tuple[Verdict, ...], sentence: str) -> None:
    agents = tuple(AgentReport(f"a{i}", "PPO", verdict, "") for i, verdict in enumerate(verdicts))
    assert summary_sentence(bare_night(agents=agents)) == sentence


def test_highlights_show_the_best_class_agent_apart_from_the_combined_book() -> None:
    agents = (
        AgentReport("stocks", "PPO", Verdict.KEPT, "", performance=Performance(0.1, 0.5)),
        AgentReport("crypto", "SAC", Verdict.KEPT, "", performance=Performance(-0.1, -0.7)),
        AgentReport("etfs", "A2C", Verdict.KEPT, "", performance=Performance()),
        AgentReport("meta", "PPO", Verdict.KEPT, "", performance=Performance(-0.02, 2.0)),
    )
    coverage = (
        ClassCoverage("stocks", (SymbolCoverage("A", "rows", observed_sessions=1), SymbolCoverage("B", "empty"))),
    )
    found = {item.label: item for item in highlights(bare_night(agents=agents, coverage=coverage))}
    assert (found["Best Sharpe"].value, found["Best Sharpe"].note) == ("0.50", "Stocks, PPO")
    assert (found["Combined book"].value, found["Combined book"].tone) == ("−2.0%", "bad")
    assert (found["Symbols"].value, found["Symbols"].note) == ("1 of 2", "1 missing, reasons below")


def test_dates_are_written_out() -> None:
    assert "Night of Monday 2 March 2026" in text_of(render_report(bare_night(night=date(2026, 3, 2))))
