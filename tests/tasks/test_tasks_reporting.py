"""The report's own stage: tear sheets beside it, and where both are kept."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tasks.backtest import BacktestReceipt
from tasks.ledger import distinct_trials
from tasks.markets import annualisation_of
from tasks.night import Night
from tasks.reporting import ReportReceipt, write_night_report
from tasks.tear_sheets import make_tear_sheets, sheets_folder
from tasks.tracking import log_report
from tasks.walk_forward import WalkForwardReceipt
from warehouse.tables import TABLES
from wealtharena.core import TableRef
from wealtharena.evaluation.walk_forward_table import Estimate, Performance
from wealtharena.reporting.gather import NightTables
from wealtharena.reporting.pages import Records
from wealtharena.settings import Settings
from wealtharena.tracking import Tracker

NOTHING = TableRef("out_backtest__daily_equity", 0, "", 0, "")


def empty(table: str) -> pd.DataFrame:
    return pd.DataFrame(columns=TABLES[table].schema.names)


def equity(agent: str, sessions: int) -> pd.DataFrame:
    days = pd.bdate_range(end="2026-01-09", periods=sessions)
    return pd.DataFrame({"agent": agent, "strategy": "candidate", "session_date": days, "return": 0.0})


def sheets_of(
    night: Night, report: Path, rows: pd.DataFrame, history: pd.DataFrame | None = None, table: Sequence[Any] = ()
) -> dict[str, Any]:
    nothing = pd.DataFrame()
    tables = NightTables(rows, nothing, nothing, nothing, nothing, nothing, nothing)
    scored = {agent: BacktestReceipt(agent, NOTHING, NOTHING, NOTHING, {}, (), "cash") for agent in set(rows["agent"])}
    names = ("out_promotion__evidence", "out_promotion__decisions", "out_promotion__trials", "out_lanes__paper")
    returns = empty("out_lanes__walk_forward") if history is None else history
    records = Records(*map(empty, names), returns, empty("out_lanes__folds"), empty("out_drift__figures"))
    histories = {"stocks": WalkForwardReceipt("stocks", {}, table=tuple(table))} if table else {}
    return make_tear_sheets(night, report, tables, records, scored, histories)


def test_each_agent_has_a_sheet_beside_the_report_that_says_what_it_cannot_show(
    make_night: Callable[..., Night], tmp_path: Path
) -> None:
    report = tmp_path / "reports" / "night.html"
    (link,) = sheets_of(make_night(), report, equity("stocks", 5))["stocks"]
    assert (link.path, link.title) == ("night/tearsheet-stocks.html", "held-out window")
    assert link.reason == "there are 5 sessions, and at least 30 are needed"
    assert link.reason in (report.parent / link.path).read_text(encoding="utf-8")
    assert sheets_folder(report) == (report.parent / link.path).parent


def test_histories_are_named_by_their_lane_where_it_is_not_the_agents_own(
    make_night: Callable[..., Night], tmp_path: Path
) -> None:
    days = pd.bdate_range("2024-01-01", periods=3)
    rows = {"agent": "stocks", "fold": "2024", "session_date": days, "return": 0.01, "cash_return": 0.0}
    history = pd.concat([pd.DataFrame({**rows, "lane_id": f"{lane}@1"}) for lane in ("stocks", "stocks-lstm")])
    none = Estimate(None, None, None)
    table = [
        Performance(
            lane, f"{lane}@1", is_baseline=False, first="", last="", sessions=3, annual_return=None,
            annual_return_double_cost=None, sharpe=none, sharpe_double_cost=none, max_drawdown=None,
            max_drawdown_double_cost=None, annual_turnover=None, annual_cost=None,
        )
        for lane in ("stocks", "stocks-lstm")
    ]  # fmt: skip
    links = sheets_of(make_night(), tmp_path / "reports" / "night.html", equity("stocks", 5), history, table)["stocks"]
    assert {link.path: link.title for link in links} == {
        "night/tearsheet-stocks.html": "held-out window",
        "night/tearsheet-stocks-history.html": "walk-forward history",
        "night/tearsheet-stocks-lstm-history.html": "walk-forward history of stocks-lstm",
    }


def test_without_tear_sheets_none_are_made(make_night: Callable[..., Night], tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "report": {"tear_sheets": "none"}})
    report = tmp_path / "reports" / "night.html"
    assert sheets_of(make_night(settings=settings), report, equity("stocks", 5)) == {}
    assert not report.parent.exists()


def test_accounts_of_crypto_have_more_sessions_a_year_and_the_combined_book_as_many(
    make_night: Callable[..., Night],
) -> None:
    assert [annualisation_of(make_night(), agent) for agent in ("stocks", "crypto", "meta")] == [252, 365, 365]


def test_a_past_nights_ledger_knows_no_later_trial(make_night: Callable[..., Night]) -> None:
    night = make_night()
    assert distinct_trials(night.warehouse, ["stocks"], date(2026, 1, 9)).empty


@pytest.mark.slow
def test_an_empty_night_has_a_report_that_lies_in_mlflow_with_its_sheets(make_night: Callable[..., Night]) -> None:
    night = make_night()
    receipt: ReportReceipt = write_night_report.fn(night)
    path = Path(receipt.path)
    assert "No walk-forward history" in path.read_text(encoding="utf-8")
    sheets = sheets_folder(path)
    sheets.mkdir()
    (sheets / "tearsheet-stocks.html").write_text("a sheet", encoding="utf-8")
    log_report(night, path, sheets)
    client = Tracker(night.settings).client
    (run,) = client.search_runs([item.experiment_id for item in client.search_experiments()])
    kept = {item.path for item in client.list_artifacts(run.info.run_id, f"report/{sheets.name}")}
    assert kept == {f"report/{sheets.name}/tearsheet-stocks.html"}
    assert path.name in {Path(item.path).name for item in client.list_artifacts(run.info.run_id, "report")}
