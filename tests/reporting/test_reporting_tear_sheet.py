"""Tear sheets: quantstats' figures are ours where they mean the same, nothing is loaded, and odd series get a page."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from record_samples import history_rows, performance
from test_reporting_report import text_of

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import max_drawdown, sharpe_ratio
from wealtharena.reporting.tear_sheet import TearSheet, objection, write_tear_sheets
from wealtharena.reporting.tear_sheet_accounts import held_out_sheet, history_sheets

EVIL = "</td><script>alert('$x$')</script>&"
CASH = 0.0001


def returns_of(count: int, seed: int = 1) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0006, 0.01, count)


def sheet(count: int = 252, **changes: object) -> TearSheet:
    days = np.busday_offset("2025-01-02", np.arange(count), roll="forward").astype("datetime64[D]")
    whole = TearSheet(
        title="Stocks: held-out window",
        account="tonight's policy",
        dates=days,
        returns=returns_of(count),
        cash_returns=np.full(count, CASH),
        annualisation=252,
        benchmark="Equal weight",
        benchmark_returns=returns_of(count, 2),
        notes=("A note.",),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Sheets of several accounts, drawn by one call."""
    folder = tmp_path_factory.mktemp("home") / "reports" / "night"
    sheets = {
        "plain": sheet(),
        "evil": sheet(32, account=EVIL, benchmark_returns=np.full(32, CASH)),
        "never": sheet(40, returns=np.full(40, CASH)),
        # Two returns too few: nothing that a night makes, but nothing that may cost the report either.
        "odd": sheet(40, benchmark_returns=returns_of(38)),
    }
    paths = {name: folder / f"tearsheet-{name}.html" for name in sheets}
    work = folder.parent.parent / "cache"
    reasons = write_tear_sheets({paths[name]: item for name, item in sheets.items()}, work)
    assert sorted(reasons) == [paths["never"], paths["odd"]]
    assert any(work.iterdir()), "matplotlib keeps its list of fonts here, and nowhere else"
    return lambda name: paths[name]


def figure_in(page: str, name: str) -> list[str]:
    found = re.search(rf"<tr><td>{re.escape(name)}</td>(.*?)</tr>", page)
    assert found is not None
    return re.findall("<td>(.*?)</td>", found.group(1))


@pytest.mark.slow
def test_figures_that_mean_the_same_are_ours(drawn: Callable[[str], Path]) -> None:
    page = drawn("plain").read_text(encoding="utf-8")
    for place, series in enumerate((returns_of(252, 2), returns_of(252))):
        ours = sharpe_ratio(series, 252, CASH)
        assert float(figure_in(page, "Sharpe")[place]) == pytest.approx(ours, abs=0.011)
        fallen = float(figure_in(page, "Max Drawdown")[place].rstrip("%")) / -100.0
        assert fallen == pytest.approx(max_drawdown(series), abs=6e-5)
    text = text_of(page)
    assert "Stocks: held-out window Account tonight's policy Beside Equal weight Sessions 252" in text
    assert "A note." in text
    assert page.count("<svg") == 14
    assert "5Y (ann.)" not in page, "a window of a year has no five years to speak of"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "evil", "never", "odd"])
def test_a_page_refers_to_nothing_outside_and_runs_nothing(drawn: Callable[[str], Path], name: str) -> None:
    page = drawn(name).read_text(encoding="utf-8")
    assert "://" not in page
    assert re.findall(r"""\b(?:src|href|action)\s*=\s*["']([^"'#]+)""", page) == ["data:,"]
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"url\((?!#)", page)


@pytest.mark.slow
def test_names_cannot_become_markup_and_cash_is_no_benchmark(drawn: Callable[[str], Path]) -> None:
    page = drawn("evil").read_text(encoding="utf-8")
    assert "alert(" in text_of(page)
    assert len(figure_in(page, "Sharpe")) == 1


@pytest.mark.slow
def test_a_page_without_charts_says_why(drawn: Callable[[str], Path]) -> None:
    never, odd = (text_of(drawn(name).read_text(encoding="utf-8")) for name in ("never", "odd"))
    assert "There is no tear sheet: the account never traded: it earned what cash earned and nothing else." in never
    assert "There is no tear sheet: quantstats could not take this series (ValueError" in odd


@pytest.mark.slow
def test_a_sheet_of_the_same_inputs_is_taken_from_the_night_before(drawn: Callable[[str], Path]) -> None:
    before = drawn("plain")
    tonight = before.parent.parent / "next-night" / before.name
    # Without a folder to work in nothing can be drawn: the page must come from the night before.
    write_tear_sheets({tonight: sheet()}, Path(os.devnull) / "no-folder")
    assert tonight.read_bytes() == before.read_bytes()


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (returns_of(29), "there are 29 sessions, and at least 30 are needed"),
        (np.zeros(0), "there are 0 sessions"),
        (np.where(np.arange(40) == 3, np.nan, returns_of(40)), "1 of 40 returns are not finite"),
        (np.zeros(40), "the account never traded"),
        (np.full(40, 0.02), "the account never traded"),
        (np.where(np.arange(40) == 3, -1.0, 0.01), "the account was lost: the worst return is -100%"),
        (np.where(np.arange(40) == 3, 1.5, 0.01), "quantstats would take them for prices"),
        (np.where(np.arange(40) == 3, 1.5, -0.01), ""),
        (returns_of(40), ""),
        (np.abs(returns_of(40)), ""),
    ],
)
def test_series_that_quantstats_would_get_wrong_are_refused(returns: FloatArray, reason: str) -> None:
    found = objection(returns, np.full(returns.size, CASH))
    assert found if reason else not found
    assert reason in found


def test_an_account_that_earned_only_what_cash_did_never_traded() -> None:
    cash = np.linspace(0.0001, 0.0002, 40)
    assert "never traded" in objection(cash.copy(), cash)


def test_a_sheet_survives_its_way_to_the_process() -> None:
    whole = sheet(33)
    again = TearSheet.from_json(whole.as_json())
    assert again.inputs == whole.inputs
    assert again.cash_rate == pytest.approx(1.0001**252 - 1.0)
    assert replace(whole, account="another").inputs != whole.inputs
    assert TearSheet.from_json(replace(whole, benchmark_returns=None).as_json()).benchmark_returns is None


@pytest.mark.slow
def test_the_process_can_open_no_socket() -> None:
    code = (
        "import socket\nfrom wealtharena.reporting.tear_sheet_process import refuse_sockets\nrefuse_sockets()\n"
        "for make in (socket.socket, lambda: socket.create_connection(('127.0.0.1', 9))):\n"
        "    try:\n        make()\n    except OSError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("a tear sheet needs no network") == 2


def equity_rows(**accounts: FloatArray) -> pd.DataFrame:
    days = pd.bdate_range("2026-01-01", periods=40)
    parts = [pd.DataFrame({"strategy": name, "session_date": days, "return": own}) for name, own in accounts.items()]
    return pd.concat(parts, ignore_index=True)


def test_the_held_out_sheet_is_of_tonights_policy_or_else_of_the_champion() -> None:
    policy, champion, rule = (returns_of(40, seed) for seed in (1, 2, 3))
    cash = np.full(40, CASH)
    rows = equity_rows(champion=champion, candidate=policy, equal_weight=rule, cash=cash)
    own = held_out_sheet("stocks", rows, "equal_weight", 252)
    assert own is not None
    assert (own.account, own.benchmark, own.annualisation) == ("tonight's policy", "Equal weight", 252)
    assert np.array_equal(own.returns, policy)
    assert np.array_equal(own.cash_returns, cash)
    assert own.benchmark_returns is not None
    assert np.array_equal(own.benchmark_returns, rule)
    without = held_out_sheet("stocks", rows[rows["strategy"] != "candidate"], "cash", 252)
    assert without is not None
    assert without.account == "champion"
    assert "The best baseline is cash: there is nothing to draw beside the account." in without.notes
    assert held_out_sheet("stocks", equity_rows(cash=cash), "cash", 252) is None


def test_every_recipe_with_a_history_has_a_sheet_beside_its_best_rule() -> None:
    days = pd.bdate_range("2024-01-01", periods=40)
    own, rule = returns_of(40, 1), returns_of(40, 2)
    rows = pd.concat(
        [
            history_rows("stocks@1", list(own), list(own), days),
            history_rows("baseline:equal_weight", list(rule), list(rule), days),
        ]
    )
    table = [
        performance("stocks", "stocks@1", 0.3, best_baseline="equal_weight"),
        performance("stocks-lstm", "stocks-lstm@1", 0.3),
        performance("equal_weight", "baseline:equal_weight", 0.1),
    ]
    sheets = history_sheets("stocks", rows, table, 252)
    assert list(sheets) == ["stocks"], "the other lane has no session yet"
    assert sheets["stocks"].title == "Stocks: walk-forward history"
    assert sheets["stocks"].benchmark_returns is not None
    assert np.array_equal(sheets["stocks"].benchmark_returns, rule)
