"""The pages of an agent: what the warehouse's rows become, and what is said where there are none."""

import math
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from record_samples import (
    AS_OF,
    CHAMPION_LANE,
    NIGHT,
    decision_row,
    drift_row,
    evidence_rows,
    facts,
    fold_row,
    history_rows,
    paper_rows,
    performance,
    records,
    rich_pages,
    sessions,
    trial_rows,
)
from report_samples import sample_agent, sample_night
from test_reporting_report import bare_night, figures_of, text_of

from wealtharena.evaluation.metrics import deflated_sharpe, expected_max_sharpe
from wealtharena.promotion import Decision, DecisionOutcome, Kind, Serving, Standing, State
from wealtharena.reporting import AgentReport, Verdict, render_report
from wealtharena.reporting.pages import AgentPages, gather_pages, page_charts
from wealtharena.settings import PromotionSettings

RULES = PromotionSettings(provisional_evidence=4.0, confirmed_evidence=20.0, rollback_evidence=20.0, min_sessions=3)
NAN = float("nan")


def rendered(pages: AgentPages, **changes: object) -> str:
    agent = AgentReport("stocks", "PPO", Verdict.KEPT, "because", pages=pages)
    return render_report(bare_night(agents=(replace(agent, **changes),)))  # type: ignore[arg-type]


def test_a_lane_holds_the_keys_that_its_figures_reach() -> None:
    rows = [
        evidence_rows("a@1", [0.5, 1.0, math.log(4.0)], p_value=0.004),
        evidence_rows("b@1", [0.5, 1.0, 1.3], p_value=0.5),
        evidence_rows("c@1", [5.0, 6.0], p_value=NAN, alpha=NAN),
        evidence_rows("d@1", [0.1, 0.1, 0.0], p_value=0.0, alpha=0.0),
    ]
    page = gather_pages(records(evidence=pd.concat(rows)), facts(rules=RULES)).decision
    assert page is not None
    held = {lane.lane_id: (lane.first_key, lane.second_key) for lane in page.lanes}
    assert held == {"c@1": (False, False), "a@1": (True, True), "b@1": (False, False), "d@1": (False, False)}
    assert [lane.lane_id for lane in page.lanes] == ["c@1", "a@1", "b@1", "d@1"], "most evidence first"
    assert page.lanes[1].evidence == pytest.approx(4.0)
    assert page.lanes[1].evidence_reversed == pytest.approx(0.25)


def test_evidence_is_drawn_on_a_logarithmic_scale_with_the_thresholds() -> None:
    pages = gather_pages(records(evidence=evidence_rows("a@1", [0.0, math.log(10.0), math.inf, -math.inf])), facts())
    figure = page_charts("stocks", replace(pages))["evidence-stocks"]
    assert figure is not None
    forward, backward = figure["data"]
    assert forward["y"] == [0.0, 1.0, 6.0, -4.0], "powers of ten, cut at the edges of the picture"
    assert forward["customdata"][:2] == [1.0, 10.0]
    assert (forward["yaxis"], backward["yaxis"], forward["x"][-1]) == ("y", "y2", str(AS_OF))
    rules = PromotionSettings()
    levels = {(shape["yref"], round(10.0 ** shape["y0"], 6)) for shape in figure["layout"]["shapes"]}
    assert levels == {
        ("y", rules.provisional_evidence), ("y", rules.confirmed_evidence), ("y2", rules.rollback_evidence),
    }  # fmt: skip
    assert "20" in figure["layout"]["yaxis"]["ticktext"]


def test_what_the_gate_decided_is_shown_in_its_own_words() -> None:
    champion = Standing("stocks@1", "stocks", "baseline:cash", State.PROVISIONAL, 50, 1.0, -1.0, 0.1, NAN, False)
    rival = Standing("stocks-lstm@2", "stocks-lstm", "stocks@1", State.SHADOW, 50, 3.0, -3.0, 0.1, 0.2, False)
    decision = Decision(
        outcome=DecisionOutcome.KEPT,
        serving=Serving("stocks@1", "stocks", Kind.POLICY, "3", State.PROVISIONAL, date(2026, 9, 1), "baseline:cash"),
        reason="because",
        standings=(champion, rival),
        thresholds=(("provisional_evidence", 3.0), ("confirmed_evidence", 75.0)),
        needs_approval=True,
    )
    rows = [
        evidence_rows("stocks@1", [1.0], against="baseline:cash", state="provisional", p_value=NAN),
        evidence_rows("stocks-lstm@2", [3.0], against="stocks@1", sessions=50),
    ]
    given = facts(rules=RULES.model_copy(update={"policy": "manual"}), decision=decision.as_record())
    pages = gather_pages(records(evidence=pd.concat(rows)), given)
    page = pages.decision
    assert page is not None
    assert [(lane.lane, lane.serves, lane.second_key) for lane in page.lanes] == [
        ("Stocks", True, False),
        ("Stocks-lstm", False, False),
    ], "the gate knows of a loss stop that evidence and sessions do not show"
    text = text_of(rendered(pages))
    assert "champion kept, provisional; most forward evidence: Stocks-lstm, E 20.09 after 50 sessions" in text
    assert "In service Stocks State Provisional Since the session after 2026-09-01 To be proved against Cash" in text
    assert "policy manual" in text
    assert "champion kept provisional because" in text, "the overview says in which state the champion is"
    assert "A person has to approve the change before it is made." in text
    assert "It is confirmed at 75" in text
    assert "Stocks serves against Cash Provisional – 0.004167" in text


def test_only_the_newest_nights_challenges_are_shown_and_no_later_night() -> None:
    days = sessions(4)
    before = evidence_rows("old@1", [3.0, 3.0, 3.0, 3.0], against="gone@1").assign(as_of=days - pd.Timedelta(days=30))
    now = evidence_rows("a@1", [0.1, 0.2])
    later = evidence_rows("late@1", [9.0]).assign(as_of=pd.Timestamp(AS_OF) + pd.Timedelta(days=3))
    page = gather_pages(records(evidence=pd.concat([before, now, later])), facts()).decision
    assert page is not None
    assert [(lane.lane_id, lane.against, len(lane.dates)) for lane in page.lanes] == [("a@1", "Stocks", 2)]


def test_paper_accounts_show_growth_above_cash_with_the_champion_first() -> None:
    rows = [
        paper_rows("baseline:cash", [0.01, 0.01], 0.01),
        paper_rows("a@1", [0.11, -0.49, NAN], 0.01),
        paper_rows("champion", [0.03], 0.01),
    ]
    page = gather_pages(records(paper=pd.concat(rows)), facts()).decision
    assert page is not None
    champion, own, cash = page.accounts
    assert [account.lane for account in page.accounts] == ["Champion", "A", "Cash"]
    assert own.growth == pytest.approx([1.1, 0.55, 0.55])
    assert (own.gain, own.drawdown) == pytest.approx((-0.45, -0.5))
    assert cash.gain == 0.0
    assert cash.drawdown == 0.0
    assert math.isnan(champion.volatility), "one session has no volatility"
    figure = page_charts("stocks", AgentPages(decision=page))["paper-stocks"]
    assert figure is not None
    assert figure["data"][0]["mode"] == "lines+markers", "a line of one point could not be seen"
    assert figure["layout"]["xaxis"]["range"] == ["2026-11-02", "2026-11-08"], "whole days, not parts of a second"


def test_the_decision_page_shows_evidence_keys_checks_and_record() -> None:
    text = text_of(
        rendered(
            gather_pages(
                records(
                    evidence=evidence_rows("stocks-lstm@2", [0.1, 0.2, math.log(5.0)], p_value=0.01, state="shadow"),
                    paper=paper_rows("champion", [0.01, 0.02]),
                    decisions=pd.DataFrame(
                        [
                            decision_row("2026-11-05-a", "rejected", "first reason"),
                            decision_row("2026-11-06-a", "rolled_back", "second reason", "person"),
                            decision_row("2026-11-09-a", "promoted", "of a later night"),
                        ]
                    ),
                ),
                facts(rules=RULES),
            )
        )
    )
    assert "most forward evidence: Stocks-lstm, E 5.00 after 3 sessions (asked: 4 after 3)" in text
    assert "Stocks-lstm against Stocks Shadow 0.01 ✗ 0.004167 5 ✓ 3 0.2 2.0%" in text
    assert "2026-11-06 Rolled back by person second reason 2026-11-05 Rejected by gate first reason" in text
    assert "of a later night" not in text
    assert "volatilities are not matched here" in text
    assert "reversed E of 20 brings back the lane before" in text


def test_histories_are_stitched_at_both_costs_with_a_return_per_year() -> None:
    days = pd.DatetimeIndex(["2024-12-30", "2024-12-31", "2025-01-02"])
    own = history_rows("a@1", [0.1, 0.1, -0.5], [0.1, 0.0, -0.5], days)
    rule = history_rows("baseline:cash", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], days)
    folds = pd.DataFrame(
        [fold_row("a@1", "2025", "2014-01-02", "2023-12-29"), fold_row("baseline:cash", "2025", None, None)]
    )
    table = [performance("a", "a@1", 0.5, best_baseline="cash"), performance("cash", "baseline:cash", None)]
    pages = gather_pages(records(returns=pd.concat([rule, own]), folds=folds), facts(performance=table))
    page = pages.history
    assert page is not None
    assert [lane.lane for lane in page.lanes] == ["A", "Cash"], "recipes first"
    assert page.years == ("2024", "2025")
    assert page.lanes[0].growth == pytest.approx([1.1, 1.21, 0.605])
    assert page.lanes[0].growth_double_cost == pytest.approx([1.1, 1.1, 0.55])
    assert page.lanes[0].years == pytest.approx({"2024": 0.21, "2025": -0.5})
    assert [(row.lane, row.fold, str(row.train_last)) for row in page.folds] == [("A", "2025", "2023-12-29")]
    text = text_of(rendered(pages))
    assert "2024–2025: A has Sharpe 0.50 (−0.20 to 1.20)" in text
    assert "A +21.0% −50.0% −39.5% −45.0%" in text
    assert "A +5.0% 0.50 −0.20 to 1.20 0.50 −0.20 to 1.20 −12.0% 9.0 0.40%" in text
    assert "A 2025 2014-01-02 2023-12-29 1" in text


def test_a_history_without_figures_and_one_without_sessions_say_so() -> None:
    rows = history_rows("a@1", [0.1], [0.1], pd.DatetimeIndex(["2024-12-30"]))
    assert "A no figures this night" in text_of(rendered(gather_pages(records(returns=rows), facts())))
    noted = gather_pages(records(), facts(history_notes=["no history: no complete year"]))
    assert "no history: no complete year" in text_of(rendered(noted))


def test_the_ledger_deflates_tonights_candidates_by_all_trials() -> None:
    sharpes = [0.05, -0.02, 0.01, NAN]
    tonight = trial_rows([0.1], night=NIGHT, kind="candidate", scored_on="held_out", skewness=-0.5, kurtosis=4.0)
    pages = gather_pages(records(trials=pd.concat([trial_rows(sharpes), tonight])), facts())
    page = pages.ledger
    assert page is not None
    assert (page.num_trials, dict(page.kinds)) == (5, {"seed": 4, "candidate": 1})
    variance = float(np.var([*sharpes[:3], 0.1], ddof=1))
    assert page.expected_max == pytest.approx(expected_max_sharpe(5, variance) * math.sqrt(252))
    (trial,) = page.tonight
    assert trial.sharpe == pytest.approx(0.1 * math.sqrt(252))
    assert trial.probability == pytest.approx(deflated_sharpe(0.1, 5, variance, 252, -0.5, 4.0))
    assert page.counts.sum() == 4, "a trial without Sharpe ratio is counted, not drawn"
    figure = page_charts("stocks", pages)["ledger-stocks"]
    assert figure is not None
    assert [note["text"] for note in figure["layout"]["annotations"]] == ["Stocks", "best of luck"]
    assert f"5 trials; tonight's Sharpe is above luck with a probability of {trial.probability:.1%}" in text_of(
        rendered(pages)
    )


@pytest.mark.parametrize("sharpes", [[NAN], [0.1], [0.1, 0.1], [NAN, NAN]])
def test_a_ledger_that_knows_too_little_shows_dashes(sharpes: list[float]) -> None:
    trials = trial_rows(sharpes, night=NIGHT, kind="candidate", scored_on="held_out")
    page = rendered(gather_pages(records(trials=trials), facts()))
    figures_of(page)
    assert "nan" not in text_of(page).lower().replace("finance", "")


def test_drift_shows_alarms_first_and_then_what_is_nearest_to_its_threshold() -> None:
    rows = [
        drift_row("calm", 0.1, 0.25, alarm=False),
        drift_row("near", 0.2, 0.25, alarm=False),
        drift_row("loud", 0.3, 0.25, alarm=True),
        drift_row("unmeasured", NAN, 0.25, alarm=False),
        *(drift_row(f"still_{place:02d}", 0.01, 0.25, alarm=False) for place in range(20)),
    ]
    pages = gather_pages(records(drift=pd.DataFrame(rows)), facts())
    assert pages.drift is not None
    assert [row.name for row in pages.drift.rows[:4]] == ["loud", "near", "calm", "still_00"]
    text = text_of(rendered(pages))
    assert "1 alarm in 24 figures" in text
    assert "Drift alarms 1 Stocks" in text, "at the top of the report"
    assert "alarm Loud feature 0.3 0.25 loud in words Near feature 0.2 0.25" in text
    assert "9 more figures are further below their thresholds." in text


def test_every_part_that_is_missing_is_named_in_a_sentence() -> None:
    for pages in (AgentPages(), gather_pages(records(), facts())):
        text = text_of(rendered(pages))
        for sentence in (
            "No evidence is recorded yet",
            "No paper account has a session yet",
            "No decision is on record.",
            "No walk-forward history",
            "Not analysed this night.",
            "No trial is on record.",
            "Drift is not known",
        ):
            assert sentence in text
        assert "nan" not in text.lower().replace("finance", "")


def test_rows_of_other_agents_are_left_out() -> None:
    theirs = evidence_rows("crypto@1", [1.0], agent="crypto")
    pages = gather_pages(records(evidence=theirs, paper=paper_rows("crypto@1", [0.1], agent="crypto")), facts())
    assert pages.decision is not None
    assert (pages.decision.lanes, pages.decision.accounts) == ((), ())


def test_a_changed_recipe_is_named_with_its_hash_and_a_lane_has_one_colour_everywhere() -> None:
    pages = gather_pages(
        records(
            evidence=pd.concat([evidence_rows("a@1", [0.1]), evidence_rows("a@2", [0.2])]),
            paper=paper_rows("a@2", [0.1]),
            returns=history_rows("a@2", [0.1], [0.1], sessions(1)),
        ),
        facts(),
    )
    charts = page_charts("stocks", pages)
    colours = {
        trace["line"]["color"]
        for chart in charts.values()
        if chart is not None
        for trace in chart["data"]
        if trace.get("name") in ("a@2", "A")
    }
    assert pages.decision is not None
    assert [lane.lane for lane in pages.decision.lanes] == ["a@2", "a@1"]
    assert len(colours) == 1


def test_twelve_lanes_of_seven_agents_fit_into_a_file() -> None:
    night = sample_night()
    pages = rich_pages(lanes=12, nights=252, trials=2_000)
    agents = tuple(replace(sample_agent(a.name, Verdict.KEPT, 3), pages=pages) for a in night.agents)
    page = render_report(replace(night, agents=agents))
    assert len(page.encode()) < 8_000_000
    assert len(re.findall('<details class="page"', page)) == 7 * 7
    assert text_of(page).count("against Stocks Shadow") == 7 * 13
    drawn = set(figures_of(page))
    for name in ("stocks", "meta"):
        assert {f"{kind}-{name}" for kind in ("evidence", "paper", "history", "ledger")} <= drawn


def test_lane_ids_from_outside_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>@1"
    pages = gather_pages(
        records(evidence=evidence_rows(evil, [0.1]), drift=pd.DataFrame([drift_row(evil, 1.0, 1.0, alarm=True)])),
        facts(),
    )
    page = rendered(pages)
    assert page.count("<script") == render_report(bare_night()).count("<script")
    assert CHAMPION_LANE not in text_of(page)
