"""From the night's tables to what the report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.market_data import ALL_QUARANTINED
from wealtharena.core.panel import FloatArray
from wealtharena.execution.monitor import FIGURE_OF_LIMIT, LIMIT_NAMES
from wealtharena.reporting.data import (
    NAN,
    AgentReport,
    BookPosition,
    Check,
    ClassCoverage,
    Curve,
    CurveRole,
    LearningCurve,
    LimitRow,
    Performance,
    QuarantineCount,
    RiskReport,
    SignalRow,
    SymbolCoverage,
    Verdict,
    WeightPath,
)
from wealtharena.reporting.robustness import gather_robustness

_AMOUNTS = {
    "commission": ("commission_paid", -1.0),
    "spread": ("spread_paid", -1.0),
    "impact": ("impact_paid", -1.0),
    "borrow and holding": ("carrying_paid", -1.0),
    "delisting": ("delisting_lost", -1.0),
    "interest": ("interest_received", 1.0),
    "dividends": ("dividends_received", 1.0),
}

CANDIDATE, CHAMPION = "candidate", "champion"
# Checks whose figures are 0 and 1.
_YES_OR_NO = {"intact", "scored", "finite"}
_VERDICTS = {
    "promoted": Verdict.PROMOTED,
    "refreshed": Verdict.REFRESHED,
    "rolled_back": Verdict.ROLLED_BACK,
    "rejected": Verdict.KEPT,
    "kept": Verdict.KEPT,
    "baseline_champion": Verdict.BASELINE,
}


@dataclass(frozen=True)
class NightTables:
    """Rows of one night, in the columns of the warehouse.

    Attributes:
        equity, weights, metrics: ``out_backtest__*``.
        curves: ``out_training__curves``.
        coverage, quarantine: ``core_market__coverage`` and ``core_quality__quarantine``.
        outcomes: ``core_quality__outcomes`` of the last run.
        simulations, attribution: ``out_analysis__*``; empty without columns where nothing was analysed.
    """

    equity: pd.DataFrame
    weights: pd.DataFrame
    metrics: pd.DataFrame
    curves: pd.DataFrame
    coverage: pd.DataFrame
    quarantine: pd.DataFrame
    outcomes: pd.DataFrame
    simulations: pd.DataFrame = field(default_factory=pd.DataFrame)
    attribution: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class AgentFacts:
    """What is known of an agent besides its tables.

    Attributes:
        name: canonical name.
        algorithm: that trains it.
        champion: label of the model in service, ``""`` if there is none.
        best_baseline: name of the baseline with the highest Sharpe ratio.
        decision: record of the gate (see ``Decision.as_record``) with ``champion_version``, what is in service after it
            (``""`` if nothing is); None without a decision.
        failure: why there is no decision.
        limits: what each limit of the risk monitor is set to, by name; NaN where it is no number.
        trades: rows of the agent in the table of trades.
        training: how its training went, in words; ``""`` if it was not trained.
        lanes: names of its further recipes.
    """

    name: str
    algorithm: str
    champion: str
    best_baseline: str
    decision: Mapping[str, Any] | None
    failure: str
    limits: Mapping[str, float] = field(default_factory=dict)
    trades: int = 0
    training: str = ""
    lanes: tuple[str, ...] = ()


def gather_agent(facts: AgentFacts, tables: NightTables, groups: Mapping[str, str] | None = None) -> AgentReport:
    """The report of one agent.

    Args:
        facts: of the agent.
        tables: of the whole night.
        groups: adds up the weights of the symbols of a group, for books of many symbols.
    """
    figures = _figures(tables.metrics[tables.metrics["agent"] == facts.name])
    own = CANDIDATE if CANDIDATE in figures else CHAMPION
    decision = facts.decision
    return AgentReport(
        name=facts.name,
        algorithm=facts.algorithm,
        verdict=_verdict(decision) if decision else Verdict.FAILED,
        reason=str(decision["reason"]) if decision else facts.failure,
        champion=facts.champion,
        performance=_performance(figures.get(CANDIDATE)),
        baseline=facts.best_baseline,
        baseline_performance=_performance(figures.get(facts.best_baseline)),
        checks=tuple(_check(check) for check in decision.get("checks", ())) if decision else (),
        curves=_curves(tables.equity[tables.equity["agent"] == facts.name], facts.lanes),
        weights=_weights(tables.weights[tables.weights["agent"] == facts.name], own, groups),
        learning=_learning(tables.curves[tables.curves["agent"] == facts.name]),
        risk=_risk(facts, figures.get(own, {})),
        training=facts.training,
        robustness=gather_robustness(
            *(_of(rows, facts.name) for rows in (tables.simulations, tables.attribution, tables.equity))
        ),
    )


def gather_coverage(tables: NightTables) -> tuple[ClassCoverage, ...]:
    """Every symbol that was asked for, by class; those without rows with the reason."""
    covered = {str(row["symbol"]): row for row in tables.coverage.to_dict("records")}
    classes: dict[str, list[SymbolCoverage]] = {}
    for outcome in tables.outcomes.to_dict("records"):
        symbol = str(outcome["symbol"])
        classes.setdefault(str(outcome["asset_class"]), []).append(_symbol(outcome, covered.get(symbol)))
    return tuple(
        ClassCoverage(name, tuple(sorted(symbols, key=lambda item: item.symbol)))
        for name, symbols in sorted(classes.items())
    )


def gather_quarantine(rows: pd.DataFrame) -> tuple[QuarantineCount, ...]:
    """Findings by rule, the most frequent first, each with one example."""
    counts = []
    for rule, found in rows.groupby("rule", sort=True):
        first = found.iloc[0]
        day = "" if pd.isna(first["session_date"]) else f" {first['session_date'].date()}"
        example = f"{first['symbol']}{day}: {first['column']} {first['value']}, {first['reason']}"
        counts.append(QuarantineCount(str(rule), len(found), found["symbol"].nunique(), example))
    return tuple(sorted(counts, key=lambda item: (-item.rows, item.rule)))


def gather_signals(
    weights: Mapping[str, Mapping[str, float]],
    held: Mapping[str, Mapping[str, float]],
    closes: Mapping[str, Mapping[str, float]],
) -> tuple[SignalRow, ...]:
    """Targets per agent and symbol, beside what is held and the last close; NaN where these are not known."""
    return tuple(
        SignalRow(agent, symbol, weight, held[agent].get(symbol, NAN), closes[agent].get(symbol, NAN))
        for agent, book in weights.items()
        for symbol, weight in sorted(book.items())
    )


def gather_book(weights: Mapping[str, float]) -> tuple[BookPosition, ...]:
    """Positions of the combined book, whose symbols are written ``agent/symbol``; zero weights are left out."""
    return tuple(
        BookPosition(symbol=name.partition("/")[2], agent=name.partition("/")[0], weight=weight)
        for name, weight in sorted(weights.items())
        if weight
    )


def _of(rows: pd.DataFrame, agent: str) -> pd.DataFrame:
    return rows if rows.empty else rows[rows["agent"] == agent]


def _verdict(decision: Mapping[str, Any]) -> Verdict:
    """A refused candidate leaves the champion in service, or nothing if there is none."""
    verdict = _VERDICTS[str(decision["outcome"])]
    return Verdict.VACANT if verdict is Verdict.KEPT and not decision["champion_version"] else verdict


def _figures(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {
        str(strategy): dict(zip(rows["metric"], rows["value"].astype(float), strict=True))
        for strategy, rows in metrics.groupby("strategy")
    }


def _performance(figures: Mapping[str, float] | None) -> Performance | None:
    if figures is None:
        return None
    return Performance(
        total_return=figures.get("total_return", NAN),
        sharpe=figures.get("sharpe", NAN),
        sharpe_standard_error=figures.get("sharpe_standard_error", NAN),
        max_drawdown=0.0 - figures.get("max_drawdown", NAN),  # not -0.0 for an account that never fell
        turnover=figures.get("annual_turnover", NAN),
        volatility=figures.get("volatility", NAN),
    )


def _risk(facts: AgentFacts, figures: Mapping[str, float]) -> RiskReport | None:
    """None where the account was stored without the monitor's figures."""
    bound = {name: figures.get(f"limit_{name}_bound_share") for name in LIMIT_NAMES.values()}
    limits = tuple(
        LimitRow(name, facts.limits.get(name, NAN), figures.get(f"{FIGURE_OF_LIMIT.get(name)}_last", NAN), share)
        for name, share in bound.items()
        if share is not None
    )
    if not limits:
        return None
    # Plus 0.0: what was not paid is not -0.0.
    amounts = tuple((name, sign * figures.get(metric, NAN) + 0.0) for name, (metric, sign) in _AMOUNTS.items())
    return RiskReport(amounts, limits, facts.trades)


def _check(check: Mapping[str, Any]) -> Check:
    value, threshold = (NAN if check.get(key) is None else float(check[key]) for key in ("value", "threshold"))
    name, passed = str(check["name"]), bool(check["passed"])
    return Check(name, passed, value, threshold, ("yes" if passed else "no") if name in _YES_OR_NO else "")


def _curves(equity: pd.DataFrame, lanes: Sequence[str]) -> tuple[Curve, ...]:
    roles = {CANDIDATE: CurveRole.AGENT, CHAMPION: CurveRole.CHAMPION, **dict.fromkeys(lanes, CurveRole.LANE)}
    order = [*roles, *sorted(set(equity["strategy"]) - set(roles))]
    by_strategy = dict(iter(equity.groupby("strategy")))
    return tuple(
        Curve(
            label=name.replace("_", " "),
            role=roles.get(name, CurveRole.BASELINE),
            dates=by_strategy[name]["session_date"].to_numpy().astype("datetime64[D]"),
            equity=by_strategy[name]["equity"].to_numpy(np.float64),
        )
        for name in order
        if name in by_strategy
    )


def _weights(weights: pd.DataFrame, strategy: str, groups: Mapping[str, str] | None) -> WeightPath | None:
    own = weights[weights["strategy"] == strategy]
    if own.empty:
        return None
    columns = own["symbol"] if groups is None else own["symbol"].map(lambda symbol: groups.get(symbol, "other"))
    grid = own.assign(column=columns).pivot_table(
        index="session_date", columns="column", values="weight", aggfunc="sum"
    )
    values: FloatArray = grid.to_numpy(np.float64)
    return WeightPath(grid.index.to_numpy().astype("datetime64[D]"), tuple(map(str, grid.columns)), values)


def _learning(every: pd.DataFrame) -> LearningCurve | None:
    """The curve of the training whose policy was kept."""
    curves = every[every["kept"].astype(bool)]
    returns = curves[curves["metric"] == "episode_return_mean"]
    scores = curves[curves["metric"] == "validation_sharpe"]
    if returns.empty:
        return None
    best = scores.dropna(subset=["value"]).sort_values(["value", "iteration"], ascending=[False, True])
    return LearningCurve(
        env_steps=returns["env_steps"].to_numpy(np.float64),
        training_return=returns["value"].to_numpy(np.float64),
        validation_env_steps=scores["env_steps"].to_numpy(np.float64),
        validation_sharpe=scores["value"].to_numpy(np.float64),
        selected_env_steps=int(best["env_steps"].iloc[0]) if len(best) else None,
    )


def _symbol(outcome: Mapping[Any, Any], coverage: Mapping[Any, Any] | None) -> SymbolCoverage:
    if coverage is None:
        # Macro series have no sessions to be measured against: their observations count.
        rows = int(outcome["rows"])
        return SymbolCoverage(
            symbol=str(outcome["symbol"]),
            outcome=str(outcome["outcome"]),
            reason=str(outcome["reason"]),
            first_session=_day(outcome["first_date"]),
            last_session=_day(outcome["last_date"]),
            observed_sessions=rows,
            expected_sessions=rows,
        )
    observed = int(coverage["observed_sessions"])
    return SymbolCoverage(
        symbol=str(outcome["symbol"]),
        outcome=str(outcome["outcome"]),
        reason=str(outcome["reason"]) or ("" if observed else ALL_QUARANTINED),
        first_session=_day(coverage["first_session"]),
        last_session=_day(coverage["last_session"]),
        observed_sessions=observed,
        expected_sessions=int(coverage["expected_sessions"]),
        delisted_on=_day(coverage["delisted_on"]),
    )


def _day(value: Any) -> Any:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()
