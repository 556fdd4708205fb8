"""From tables to report: what each row becomes, and what is said where there is none."""

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from wealtharena.promotion import DecisionOutcome
from wealtharena.reporting import AgentReport, BookPosition, CurveRole, Verdict
from wealtharena.reporting.gather import (
    AgentFacts,
    NightTables,
    gather_agent,
    gather_book,
    gather_coverage,
    gather_quarantine,
    gather_signals,
)

NAN = float("nan")
DAYS = pd.to_datetime(["2026-01-05", "2026-01-06"])


def decision(outcome: str, champion_version: str = "3", **record: Any) -> dict[str, Any]:
    return {"outcome": outcome, "reason": "because", "champion_version": champion_version, "checks": [], **record}


def facts(
    record: dict[str, Any] | None = None, baseline: str = "cash", name: str = "stocks", failure: str = "broke"
) -> AgentFacts:
    return AgentFacts(name, "PPO", "stocks v3 (PPO)", baseline, record, failure)


def metrics(agent: str, strategy: str, **values: float) -> pd.DataFrame:
    return pd.DataFrame({"agent": agent, "strategy": strategy, "metric": list(values), "value": list(values.values())})


def equity(agent: str, strategy: str, *values: float) -> pd.DataFrame:
    return pd.DataFrame({"agent": agent, "strategy": strategy, "session_date": DAYS, "equity": values})


def weights(strategy: str, **per_symbol: tuple[float, float]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"agent": "stocks", "strategy": strategy, "session_date": DAYS, "symbol": symbol, "weight": values}
        )
        for symbol, values in per_symbol.items()
    ]
    return pd.concat(parts, ignore_index=True)


def curve(metric: str, values: list[float], agent: str = "stocks", kept: bool = True) -> pd.DataFrame:
    steps = range(1, len(values) + 1)
    whose = {"agent": agent, "kept": kept, "iteration": steps, "env_steps": [k * 100 for k in steps]}
    return pd.DataFrame(whose | {"metric": metric, "value": values})


def night(**tables: pd.DataFrame) -> NightTables:
    empty = {
        "equity": pd.DataFrame(columns=["agent", "strategy", "session_date", "equity"]),
        "weights": pd.DataFrame(columns=["agent", "strategy", "session_date", "symbol", "weight"]),
        "metrics": pd.DataFrame(columns=["agent", "strategy", "metric", "value"]),
        "curves": pd.DataFrame(columns=["agent", "kept", "iteration", "env_steps", "metric", "value"]),
        "coverage": pd.DataFrame(columns=["symbol"]),
        "quarantine": pd.DataFrame(columns=["symbol"]),
        "outcomes": pd.DataFrame(columns=["symbol", "asset_class"]),
    }
    return NightTables(**{**empty, **tables})


def reported(record: dict[str, Any] | None, **tables: pd.DataFrame) -> AgentReport:
    return gather_agent(facts(record), night(**tables))


def test_limits_and_costs_are_the_candidates_and_of_a_champion_only_where_there_is_no_candidate() -> None:
    monitored = {"limit_max_gross_bound_share": 0.25, "gross_last": 0.8, "limit_unfilled_bound_share": 0.0}
    candidate = metrics("stocks", "candidate", **monitored, commission_paid=0.002, interest_received=0.01)
    champion = metrics("stocks", "champion", **{**monitored, "gross_last": 0.5})
    given = AgentFacts("stocks", "PPO", "", "", None, "", {"max_gross": 1.0, "unfilled": NAN}, trades=7)
    risk = gather_agent(given, night(metrics=pd.concat([candidate, champion]))).risk
    assert risk is not None
    assert [(row.name, row.bound_share) for row in risk.limits] == [("max_gross", 0.25), ("unfilled", 0.0)]
    assert (risk.limits[0].threshold, risk.limits[0].last) == (1.0, 0.8)
    assert math.isnan(risk.limits[1].threshold)
    assert math.isnan(risk.limits[1].last)
    amounts = dict(risk.amounts)
    assert (amounts["commission"], amounts["interest"], risk.trades) == (-0.002, 0.01, 7)
    assert math.isnan(amounts["spread"])
    alone = gather_agent(given, night(metrics=champion)).risk
    assert alone is not None
    assert alone.limits[0].last == 0.5


def test_an_account_without_a_monitor_shows_none() -> None:
    assert reported(decision("kept"), metrics=metrics("stocks", "candidate", sharpe=1.0)).risk is None


def test_curves_of_further_recipes_stand_between_champion_and_rules() -> None:
    rows = [equity("stocks", name, 1.0, 1.1) for name in ("cash", "stocks-lstm", "champion", "candidate")]
    given = AgentFacts("stocks", "PPO", "", "", None, "", lanes=("stocks-lstm", "stocks-later"))
    curves = gather_agent(given, night(equity=pd.concat(rows))).curves
    assert [(curve.label, curve.role) for curve in curves] == [
        ("candidate", CurveRole.AGENT),
        ("champion", CurveRole.CHAMPION),
        ("stocks-lstm", CurveRole.LANE),
        ("cash", CurveRole.BASELINE),
    ]


@pytest.mark.parametrize(
    ("outcome", "champion_version", "verdict"),
    [
        ("promoted", "4", Verdict.PROMOTED),
        ("refreshed", "4", Verdict.REFRESHED),
        ("rolled_back", "2", Verdict.ROLLED_BACK),
        ("rejected", "3", Verdict.KEPT),
        ("rejected", "", Verdict.VACANT),
        ("kept", "3", Verdict.KEPT),
        ("baseline_champion", "5", Verdict.BASELINE),
    ],
)
def test_the_verdict_says_what_is_in_service_now(outcome: str, champion_version: str, verdict: Verdict) -> None:
    report = reported(decision(outcome, champion_version))
    assert (report.verdict, report.reason) == (verdict, "because")


@pytest.mark.parametrize("outcome", DecisionOutcome)
def test_every_outcome_of_the_gate_has_a_verdict(outcome: DecisionOutcome) -> None:
    assert reported(decision(str(outcome))).verdict is not Verdict.FAILED


def test_without_a_decision_the_agent_failed_and_says_why() -> None:
    report = reported(None)
    assert (report.verdict, report.reason) == (Verdict.FAILED, "broke")
    assert (report.checks, report.curves, report.weights, report.learning) == ((), (), None, None)
    assert report.performance is None
    assert report.baseline_performance is None


def test_figures_are_those_of_the_candidate_and_the_best_baseline() -> None:
    tables = pd.concat(
        [
            metrics("stocks", "candidate", total_return=0.2, sharpe=1.5, max_drawdown=0.1, annual_turnover=12.0),
            metrics("stocks", "champion", sharpe=9.0),
            metrics("stocks", "cash", total_return=0.0, sharpe=NAN, max_drawdown=0.0),
            metrics("crypto", "candidate", sharpe=-3.0),
        ]
    )
    report = reported(decision("promoted"), metrics=tables)
    assert report.performance is not None
    assert (report.performance.total_return, report.performance.sharpe, report.performance.turnover) == (0.2, 1.5, 12.0)
    assert math.isnan(report.performance.volatility)
    assert report.baseline_performance is not None
    assert math.isnan(report.baseline_performance.sharpe)


@pytest.mark.parametrize(("stored", "shown"), [(0.25, -0.25), (0.0, 0.0)])
def test_a_drawdown_is_stored_as_a_depth_and_shown_as_a_fall(stored: float, shown: float) -> None:
    report = reported(decision("promoted"), metrics=metrics("stocks", "candidate", max_drawdown=stored))
    assert report.performance is not None
    assert repr(report.performance.max_drawdown) == repr(shown)


def test_an_undefined_drawdown_stays_undefined() -> None:
    report = reported(decision("promoted"), metrics=metrics("stocks", "candidate", max_drawdown=NAN))
    assert report.performance is not None
    assert math.isnan(report.performance.max_drawdown)


def test_checks_without_a_figure_are_kept() -> None:
    checks = [
        {"name": "finite", "passed": False, "value": None, "threshold": 1.0},
        {"name": "trades", "passed": True, "value": 2.0, "threshold": 0.05},
    ]
    finite, trades = reported(decision("rejected", checks=checks)).checks
    assert (finite.name, finite.passed, finite.threshold) == ("finite", False, 1.0)
    assert math.isnan(finite.value)
    assert (trades.passed, trades.value) == (True, 2.0)
    assert (finite.detail, trades.detail) == ("no", ""), "a yes or no is said as such"


def test_curves_begin_with_the_candidate_and_the_champion() -> None:
    tables = pd.concat(
        [
            equity("stocks", "weighted_fusion", 1.0, 0.9),
            equity("stocks", "champion", 1.0, 1.1),
            equity("stocks", "cash", 1.0, 1.0),
            equity("stocks", "candidate", 1.0, 1.2),
            equity("crypto", "candidate", 1.0, 5.0),
        ]
    )
    curves = reported(decision("promoted"), equity=tables).curves
    assert [(item.label, item.role) for item in curves] == [
        ("candidate", CurveRole.AGENT),
        ("champion", CurveRole.CHAMPION),
        ("cash", CurveRole.BASELINE),
        ("weighted fusion", CurveRole.BASELINE),
    ]
    assert curves[0].equity.tolist() == [1.0, 1.2]
    assert curves[0].dates.tolist() == [date(2026, 1, 5), date(2026, 1, 6)]


def test_weights_are_the_candidates_and_of_a_champion_only_where_there_is_no_candidate() -> None:
    rows = pd.concat([weights("candidate", AAA=(0.1, 0.2)), weights("champion", BBB=(0.3, 0.4))])
    both = pd.concat([metrics("stocks", "candidate", sharpe=1.0), metrics("stocks", "champion", sharpe=1.0)])
    own = reported(decision("kept"), weights=rows, metrics=both).weights
    assert own is not None
    assert (own.symbols, own.weights.tolist()) == (("AAA",), [[0.1], [0.2]])
    alone = reported(None, weights=rows, metrics=metrics("stocks", "champion", sharpe=1.0)).weights
    assert alone is not None
    assert alone.symbols == ("BBB",)


def test_grouped_weights_add_up_with_their_sign() -> None:
    rows = weights("candidate", AAA=(0.1, 0.2), BBB=(0.3, -0.5), CCC=(-0.2, 0.0))
    tables = night(weights=rows, metrics=metrics("stocks", "candidate", sharpe=1.0))
    path = gather_agent(facts(decision("kept")), tables, {"AAA": "stocks", "BBB": "stocks"}).weights
    assert path is not None
    assert path.symbols == ("other", "stocks")
    np.testing.assert_allclose(path.weights, [[-0.2, 0.4], [0.0, -0.3]])


def test_the_learning_curve_marks_the_first_best_validation_score() -> None:
    rows = pd.concat(
        [
            curve("episode_return_mean", [0.1, 0.2, 0.3, 0.4]),
            curve("validation_sharpe", [NAN, 0.7, 0.7, -0.1]),
            curve("policy_loss", [9.0, 9.0, 9.0, 9.0]),
            curve("episode_return_mean", [5.0], agent="crypto"),
            curve("validation_sharpe", [9.0, 9.0, 9.0, 9.0], kept=False),
        ]
    )
    learning = reported(decision("promoted"), curves=rows).learning
    assert learning is not None
    assert learning.env_steps.tolist() == [100.0, 200.0, 300.0, 400.0]
    assert learning.training_return.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert learning.validation_env_steps.tolist() == [100.0, 200.0, 300.0, 400.0]
    assert learning.selected_env_steps == 200


def test_a_training_whose_policies_never_moved_selected_nothing() -> None:
    rows = pd.concat([curve("episode_return_mean", [0.1]), curve("validation_sharpe", [NAN])])
    learning = reported(decision("rejected"), curves=rows).learning
    assert learning is not None
    assert learning.selected_env_steps is None


def outcomes(*rows: tuple[str, str, str, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "asset_class", "outcome", "reason", "rows"])
    return frame.assign(first_date=pd.Timestamp("2026-01-01"), last_date=pd.NaT)


def coverage(*rows: tuple[str, int, int, str | None]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["symbol", "observed_sessions", "expected_sessions", "delisted_on"])
    first = pd.to_datetime(["2025-01-01" if row[1] else None for row in rows])
    return frame.assign(first_session=first, last_session=first, delisted_on=pd.to_datetime(frame["delisted_on"]))


def test_every_symbol_asked_is_listed_and_the_missing_ones_with_their_reason() -> None:
    tables = night(
        outcomes=outcomes(
            ("ZZZ", "stocks", "unknown_symbol", "no such file", 0),
            ("QQQ", "stocks", "rows", "", 12),
            ("AAA", "stocks", "rows", "", 250),
            ("BTC-USD", "crypto", "rows", "", 365),
            ("DGS10", "macro", "rows", "", 40),
        ),
        coverage=coverage(
            ("AAA", 249, 252, "2026-01-05"), ("BTC-USD", 365, 365, None), ("QQQ", 0, 0, None), ("ZZZ", 0, 0, None)
        ),
    )
    crypto, macro, stocks = gather_coverage(tables)
    assert [item.asset_class for item in (crypto, macro, stocks)] == ["crypto", "macro", "stocks"]
    assert [item.symbol for item in stocks.symbols] == ["AAA", "QQQ", "ZZZ"]
    assert {item.symbol: item.reason for item in stocks.missing} == {
        "QQQ": "every row went to quarantine",
        "ZZZ": "no such file",
    }
    there = stocks.symbols[0]
    assert (there.observed_sessions, there.expected_sessions, there.reason) == (249, 252, "")
    assert (there.first_session, there.delisted_on) == (date(2025, 1, 1), date(2026, 1, 5))
    assert stocks.symbols[1].first_session is None
    assert crypto.missing == macro.missing == ()
    assert (macro.symbols[0].observed_sessions, macro.symbols[0].expected_sessions) == (40, 40)
    assert (macro.symbols[0].first_session, macro.symbols[0].last_session) == (date(2026, 1, 1), None)


def test_findings_are_counted_by_rule_with_one_example_each() -> None:
    rows = pd.DataFrame(
        [
            ("AAA", pd.Timestamp("2026-01-05"), "zero_open", "open", "0", "open must be positive"),
            ("BBB", pd.NaT, "not_a_number", "close", "n/a", "close must be a number, got 'n/a'"),
            ("AAA", pd.Timestamp("2026-01-06"), "zero_open", "open", "0", "open must be positive"),
            ("CCC", pd.Timestamp("2026-01-06"), "duplicate", "close", "1", "twice"),
        ],
        columns=["symbol", "session_date", "rule", "column", "value", "reason"],
    )
    zero, twice, text = gather_quarantine(rows)
    assert (zero.rule, zero.rows, zero.symbols) == ("zero_open", 2, 1)
    assert zero.example == "AAA 2026-01-05: open 0, open must be positive"
    assert (twice.rule, text.rule) == ("duplicate", "not_a_number")
    assert text.example == "BBB: close n/a, close must be a number, got 'n/a'"
    assert gather_quarantine(rows.head(0)) == ()


def test_signals_and_the_combined_book_are_told_apart_by_agent() -> None:
    signals = gather_signals(
        {"etfs": {"SPY": 0.5, "IVV": 0.0}, "crypto": {"BTC-USD": -0.1}},
        {"etfs": {"SPY": 0.25, "IVV": 0.1}, "crypto": {}},
        {"etfs": {"SPY": 400.0, "IVV": 402.5}, "crypto": {"BTC-USD": 30_000.0}},
    )
    assert [(row.agent, row.symbol, row.weight, row.last_close) for row in signals] == [
        ("etfs", "IVV", 0.0, 402.5),
        ("etfs", "SPY", 0.5, 400.0),
        ("crypto", "BTC-USD", -0.1, 30_000.0),
    ]
    assert [row.previous_weight for row in signals[:2]] == [0.1, 0.25]
    assert math.isnan(signals[2].previous_weight)
    book = gather_book({"stocks/BRK/B": 0.2, "crypto/BTC-USD": 0.0, "etfs/SPY": -0.1})
    assert book == (BookPosition("SPY", "etfs", -0.1), BookPosition("BRK/B", "stocks", 0.2))
