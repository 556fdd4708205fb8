"""How an analysed result looks in the report."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_samples import sample_night

from wealtharena.reporting import render_report
from wealtharena.reporting.robustness import (
    RobustnessReport,
    contribution_chart,
    cost_chart,
    fan_chart,
    gather_robustness,
    robustness_charts,
)

SESSIONS = 3
LEVELS = ("0.05", "0.25", "0.50", "0.75", "0.95")


def simulations(break_even: float | None = 4.0) -> pd.DataFrame:
    rows: list[tuple[str, str, str, int, str, float]] = [
        ("return_bootstrap", "held-out", "loss_probability", -1, "mean", 0.25),
        ("lag", "1 session", "sharpe", -1, "value", 0.5),
        ("lag", "1 session", "total_return", -1, "value", 0.02),
        ("lag", "1 session", "difference", -1, "value", -0.03),
        ("lag", "1 session", "standard_error", -1, "value", 0.01),
        ("lag", "1 session", "lost_share", -1, "value", 0.6),
        ("factors", "market", "beta", -1, "value", 0.7),
        ("factors", "market", "beta", -1, "standard_error", 0.1),
        ("factors", "alpha", "annual_return", -1, "value", 0.05),
        ("factors", "alpha", "annual_return", -1, "standard_error", 0.04),
    ]
    for figure, middle in (("sharpe", 1.0), ("total_return", 0.1)):
        rows += [("return_bootstrap", "held-out", figure, -1, level, middle * float(level) * 2) for level in LEVELS]
    for session in range(SESSIONS):
        rows += [("return_bootstrap", "held-out", "equity", session, level, 1.0 + float(level)) for level in LEVELS]
    for multiple, earned in ((2.0, 0.04), (0.5, 0.07), (1.0, 0.06)):
        for metric, value in (("sharpe", 1.0), ("total_return", 0.1), ("excess_return", earned)):
            rows.append(("cost", f"{multiple:g}x", metric, -1, "value", value))
    if break_even is not None:
        rows.append(("cost", "break-even", "multiple", -1, "value", break_even))
    return pd.DataFrame(rows, columns=["method", "scenario", "metric", "session", "quantile", "value"])


def attribution() -> pd.DataFrame:
    rows = [("asset", "BHP.AX", 0.02), ("asset", "ANZ.AX", -0.05), ("asset", "cash", 0.01), ("source", "prices", -0.02)]
    frame = pd.DataFrame(rows, columns=["dimension", "name", "contribution"])
    return frame.assign(strategy="candidate")


def equity() -> pd.DataFrame:
    days = pd.date_range("2026-01-05", periods=SESSIONS)
    own = pd.DataFrame({"strategy": "candidate", "session_date": days, "equity": [1.0, 1.1, 1.05]})
    return pd.concat([own.assign(strategy="cash", equity=1.0), own], ignore_index=True)


@pytest.fixture
def report() -> RobustnessReport:
    found = gather_robustness(simulations(), attribution(), equity())
    assert found is not None
    return found


def test_an_agent_that_was_not_analysed_has_no_part() -> None:
    assert gather_robustness(pd.DataFrame(), pd.DataFrame(), equity()) is None


def test_the_rows_of_an_agent_become_its_report(report: RobustnessReport) -> None:
    assert report.equity.tolist() == [1.0, 1.1, 1.05]
    assert report.fans["returns"].shape == (5, SESSIONS)
    assert report.costs == ((0.5, 0.07), (1.0, 0.06), (2.0, 0.04))
    assert report.break_even == 4.0
    assert report.lag_loss == 0.6
    assert report.contributions["asset"] == (("ANZ.AX", -0.05), ("BHP.AX", 0.02), ("cash", 0.01))
    assert [item.method for item in report.disturbances] == ["return_bootstrap", "cost", "cost", "cost", "lag"]
    assert report.disturbances[0].sharpe == pytest.approx((0.1, 1.0, 1.9))
    assert report.exposures[0].beta == 0.7
    assert (report.alpha, report.alpha_standard_error) == (0.05, 0.04)


def test_the_fan_shows_returns_around_the_accounts_own(report: RobustnessReport) -> None:
    chart = fan_chart(report.dates, report.equity, report.fans["returns"])
    assert chart is not None
    assert chart["data"][-1]["y"] == [0.0, 0.1, 0.05]
    assert chart["data"][0]["y"] == [0.05] * SESSIONS


def test_a_fan_of_another_window_is_not_drawn(report: RobustnessReport) -> None:
    assert fan_chart(report.dates[1:], report.equity[1:], report.fans["returns"]) is None


def test_the_cost_curve_crosses_zero_at_the_mark(report: RobustnessReport) -> None:
    chart = cost_chart(report)
    assert chart is not None
    assert chart["data"][0]["x"] == [0.5, 1.0, 2.0, 4.0]
    assert chart["data"][0]["y"][-1] == 0.0
    assert chart["layout"]["shapes"][0]["x0"] == 4.0


def test_without_a_break_even_the_cost_curve_has_no_mark() -> None:
    found = gather_robustness(simulations(break_even=None), attribution(), equity())
    assert found is not None
    assert np.isnan(found.break_even)
    chart = cost_chart(found)
    assert chart is not None
    assert "shapes" not in chart["layout"]


def test_many_contributions_end_in_a_bar_for_the_rest() -> None:
    parts = tuple((f"A{place:02d}", 0.01) for place in range(20))
    chart = contribution_chart(parts)
    assert chart is not None
    assert chart["layout"]["yaxis"]["ticktext"][-1] == "8 others"
    assert chart["data"][0]["x"][-1] == pytest.approx(0.08)


def test_the_report_has_the_part_with_its_charts(report: RobustnessReport) -> None:
    sample = sample_night()
    first = replace(sample.agents[0], robustness=report)
    html = render_report(replace(sample, agents=(first, *sample.agents[1:])))
    assert html.count("<h4>Changed conditions</h4>") == 1
    assert "The policy fits no other market" in html
    for name in robustness_charts(first.name, report):
        assert f'data-chart="{name}"' in html
