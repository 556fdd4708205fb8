"""Which accounts of a night get a tear sheet: each agent's held-out window, and the history of each of its lanes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.evaluation.walk_forward_table import Performance
from wealtharena.reporting.display import display_name
from wealtharena.reporting.tear_sheet import TearSheet

_OWN = {"candidate": "tonight's policy", "champion": "champion"}
_CASH = "cash"


def held_out_sheet(agent: str, equity: pd.DataFrame, baseline: str, annualisation: int) -> TearSheet | None:
    """Tonight's policy, or the champion where there is none, beside the best baseline; None without either.

    Args:
        agent: canonical name.
        equity: its rows of ``out_backtest__daily_equity``.
        baseline: strategy to compare with, ``""`` for none.
        annualisation: sessions per year.
    """
    returns = {str(name): rows.set_index("session_date")["return"] for name, rows in equity.groupby("strategy")}
    own = next((name for name in _OWN if name in returns), None)
    if own is None:
        return None
    account = returns[own].sort_index()
    cash = returns[_CASH].reindex(account.index) if _CASH in returns else 0.0 * account.fillna(0.0)
    beside = returns[baseline].reindex(account.index) if baseline in returns else None
    return TearSheet(
        title=f"{display_name(agent)}: held-out window",
        account=_OWN[own],
        dates=_days(account),
        returns=_floats(account),
        cash_returns=_floats(cash.fillna(0.0)),
        annualisation=annualisation,
        benchmark=display_name(baseline) if beside is not None else "",
        benchmark_returns=None if beside is None else _floats(beside),
        notes=(
            "Sessions that no training, checkpoint selection or tuning has read, at the market's own costs.",
            *_cash_note(baseline),
        ),
    )


def history_sheets(
    agent: str, returns: pd.DataFrame, table: Sequence[Performance], annualisation: int
) -> dict[str, TearSheet]:
    """Every recipe's out-of-sample history beside its best rule, by name of the lane.

    Args:
        agent: canonical name.
        returns: its rows of ``out_lanes__walk_forward``.
        table: figures of the lanes, which name each one's best rule.
        annualisation: sessions per year.
    """
    histories = {str(lane_id): rows.sort_values("session_date") for lane_id, rows in returns.groupby("lane_id")}
    rules = {row.name: row.lane_id for row in table if row.is_baseline}
    return {
        row.name: _history_sheet(agent, row, histories, rules, annualisation)
        for row in table
        if not row.is_baseline and row.lane_id in histories
    }


def _history_sheet(
    agent: str,
    row: Performance,
    histories: Mapping[str, pd.DataFrame],
    rules: Mapping[str, str],
    annualisation: int,
) -> TearSheet:
    own = histories[row.lane_id].set_index("session_date")
    rule = histories.get(rules.get(row.best_baseline, ""))
    beside = None if rule is None else rule.set_index("session_date")["return"].reindex(own.index)
    lane = "" if row.name == agent else f", lane {row.name}"
    return TearSheet(
        title=f"{display_name(agent)}{lane}: walk-forward history",
        account=row.name,
        dates=_days(own["return"]),
        returns=_floats(own["return"]),
        cash_returns=_floats(own["cash_return"]),
        annualisation=annualisation,
        benchmark=display_name(row.best_baseline) if beside is not None else "",
        benchmark_returns=None if beside is None else _floats(beside),
        notes=(
            "Each calendar year is traded by what was trained on the years before it, at the market's own costs.",
            *_cash_note(row.best_baseline),
        ),
    )


def _cash_note(baseline: str) -> tuple[str, ...]:
    return ("The best baseline is cash: there is nothing to draw beside the account.",) if baseline == _CASH else ()


def _days(series: "pd.Series[float]") -> DateArray:
    days: DateArray = series.index.to_numpy().astype("datetime64[D]")
    return days


def _floats(series: "pd.Series[float]") -> FloatArray:
    return np.asarray(series, dtype=np.float64)
