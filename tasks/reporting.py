"""Gathers what the warehouse holds of a night and has it rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.collection import STAGE as COLLECT
from tasks.collection import CollectionReceipt
from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.ledger import distinct_trials
from tasks.markets import agent_market, annualisation_of
from tasks.night import Night
from tasks.promotion import STAGE as PROMOTE
from tasks.promotion import DecisionReceipt
from tasks.receipts import failures, finished_or_empty, record
from tasks.retries import stage_task
from tasks.signals import STAGE as SIGNALS
from tasks.signals import SignalsReceipt
from tasks.tear_sheets import make_tear_sheets, sheets_folder
from tasks.tracking import log_report
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from tasks.trials import candidate_receipts
from tasks.walk_forward import STAGE as WALK_FORWARD
from tasks.walk_forward import WalkForwardReceipt
from wealtharena.agents.specs import META_AGENT
from wealtharena.core import TableRef
from wealtharena.core.hashing import hash_json
from wealtharena.evaluation.windows import window_dates
from wealtharena.execution import TradingRules, active_limits
from wealtharena.reporting import AgentReport, ReportData, StageFailure, Window, write_report
from wealtharena.reporting.gather import (
    AgentFacts,
    NightTables,
    gather_agent,
    gather_book,
    gather_coverage,
    gather_quarantine,
    gather_signals,
)
from wealtharena.reporting.pages import PageFacts, Records, gather_pages
from wealtharena.settings import settings_hash
from wealtharena.tracking import current_commit
from wealtharena.training.selection import describe
from wealtharena.vendors import MACRO

STAGE = "report"
DEMO_SOURCES = ("simulator",)
_NIGHT_TABLES = {
    "equity": "out_backtest__daily_equity",
    "weights": "out_backtest__weights",
    "metrics": "out_backtest__metrics",
    "curves": "out_training__curves",
    "simulations": "out_analysis__simulations",
    "attribution": "out_analysis__attribution",
}


@dataclass(frozen=True)
class ReportReceipt:
    """Where the report lies."""

    path: str


@stage_task("write-report", "report")
def write_night_report(night: Night) -> ReportReceipt:
    """Writes the report; anew in every run, since what failed may differ."""
    path = night.settings.home / "reports" / f"{night.night_id}.html"
    receipt = ReportReceipt(str(_write(night, path).resolve()))
    record(night, STAGE, "html", receipt, ReportReceipt)
    log_report(night, path, sheets_folder(path))
    return receipt


def _write(night: Night, path: Path) -> Path:
    tables = _tables(night)
    signals = finished_or_empty(night, SIGNALS, SignalsReceipt)
    meta = signals.get(META_AGENT)
    own = {agent: item for agent, item in signals.items() if agent != META_AGENT}
    features = finished_or_empty(night, FEATURES, FeaturesReceipt)
    settings = night.settings
    data = ReportData(
        night=night.as_of,
        profile=settings.profile,
        source=settings.vendors.source,
        is_demo=settings.vendors.is_demo or settings.vendors.source in DEMO_SOURCES,
        seed=settings.seed,
        settings_hash=settings_hash(settings),
        data_version=hash_json({name: receipt.data_version for name, receipt in features.items()}),
        git_commit=current_commit(),
        agents=_agents(night, path, tables, signals),
        capital=tuple(meta.shares.items()) if meta else (),
        book=gather_book(meta.weights) if meta else (),
        signals=gather_signals(
            {agent: item.weights for agent, item in own.items()},
            {agent: item.held for agent, item in own.items()},
            {agent: item.closes for agent, item in own.items()},
        ),
        coverage=gather_coverage(tables),
        quarantine=gather_quarantine(tables.quarantine),
        failures=tuple(StageFailure(stage, item, text) for (stage, item), text in failures(night).items()),
        lineage=_lineage(night),
        windows=_windows(night),
        bars_collected=_bars_collected(night),
        night_id=night.night_id,
        one_way_cost_bps={
            str(name): settings.costs[name].commission_bps + settings.costs[name].half_spread_bps
            for name in night.settings.run.asset_classes
        },
    )
    return write_report(data, path)


def _agents(
    night: Night, path: Path, tables: NightTables, signals: Mapping[str, SignalsReceipt]
) -> tuple[AgentReport, ...]:
    scored = finished_or_empty(night, BACKTEST, BacktestReceipt)
    decided = finished_or_empty(night, PROMOTE, DecisionReceipt)
    trained = candidate_receipts(night)
    reasons = {item: text for (_, item), text in failures(night).items()}
    groups = dict(zip(tables.coverage["symbol"], tables.coverage["asset_class"], strict=True))
    # Also those that an earlier run of the same night worked on.
    names = [name for name in (*night.traded, META_AGENT) if name in night.chosen or name in scored]
    histories = finished_or_empty(night, WALK_FORWARD, WalkForwardReceipt)
    records = _records(night, names, histories)
    sheets = make_tear_sheets(night, path, tables, records, scored, histories)
    reports = []
    for name in names:
        recipe = night.settings.agents.get(name)
        decision = decided.get(name)
        facts = AgentFacts(
            name=name,
            algorithm=str(recipe.algorithm) if recipe else "PPO",
            champion=signals[name].model if name in signals else "",
            best_baseline=scored[name].best_baseline if name in scored else "",
            decision={**decision.record, "champion_version": decision.champion_version} if decision else None,
            failure=reasons.get(name, "an earlier stage failed"),
            limits=active_limits(TradingRules.from_settings(night.settings, name)),
            trades=_trades(scored.get(name)),
            training=describe(trained[name].seeds) if name in trained else "",
            lanes=night.settings.lanes_of(name)[1:],
        )
        report = gather_agent(facts, tables, groups if name == META_AGENT else None)
        pages = gather_pages(records, _page_facts(night, name, decision, histories.get(name)))
        reports.append(replace(report, pages=pages, tear_sheets=sheets.get(name, ())))
    return tuple(reports)


def _records(night: Night, agents: Sequence[str], histories: Mapping[str, WalkForwardReceipt]) -> Records:
    warehouse, own = night.warehouse, {"agent": list(agents)}
    told = own | {"lane_id": [lane_id for receipt in histories.values() for lane_id in receipt.folds]}
    return Records(
        evidence=warehouse.read_or_empty("out_promotion__evidence", where=own),
        decisions=warehouse.read_or_empty("out_promotion__decisions", where=own),
        trials=distinct_trials(warehouse, agents, night.as_of),
        paper=warehouse.read_or_empty("out_lanes__paper", where=own),
        returns=warehouse.read_or_empty("out_lanes__walk_forward", where=told),
        folds=warehouse.read_or_empty("out_lanes__folds", where=told),
        drift=warehouse.read_or_empty("out_drift__figures", where=own | {"night": night.night_id}),
    )


def _page_facts(
    night: Night, agent: str, decision: DecisionReceipt | None, history: WalkForwardReceipt | None
) -> PageFacts:
    return PageFacts(
        agent=agent,
        night=night.night_id,
        as_of=night.as_of,
        annualisation=annualisation_of(night, agent),
        rules=night.settings.promotion,
        decision=decision.record if decision else None,
        performance=history.table if history else (),
        history_notes=history.notes if history else (),
    )


def _trades(receipt: BacktestReceipt | None) -> int:
    return 0 if receipt is None or receipt.trades is None else receipt.trades.rows


def _tables(night: Night) -> NightTables:
    warehouse = night.warehouse
    own = {"night": night.night_id}
    rows: dict[str, Any] = {name: warehouse.read_or_empty(table, where=own) for name, table in _NIGHT_TABLES.items()}
    groups = {"asset_class": [*map(str, night.settings.run.asset_classes), MACRO]}
    return NightTables(
        **rows,
        coverage=warehouse.read_or_empty("core_market__coverage", where=groups),
        quarantine=warehouse.read_or_empty("core_quality__quarantine", where=groups),
        outcomes=warehouse.read_or_empty("core_quality__outcomes", where={**own, "run_id": _last_collection(night)}),
    )


def _last_collection(night: Night) -> str:
    """The run whose outcomes the core tables stand for; a stage that is run alone did not collect itself."""
    rows = night.warehouse.read_or_empty("out_runs__receipts", where={"night": night.night_id, "stage": COLLECT})
    return str(rows.sort_values("finished_at")["run_id"].iloc[-1]) if len(rows) else night.run_id


def _windows(night: Night) -> tuple[Window, ...]:
    """The cut of the first agent that was trained; those of other classes differ by their holidays only."""
    for lane in finished_or_empty(night, TRAIN, TrainingReceipt):
        market = agent_market(night, lane)
        cuts = {
            "training": market.windows.train,
            "validation": market.windows.validation,
            "held-out": market.windows.held_out,
        }
        return tuple(
            Window(name, *window_dates(market.panel, cut), sessions=cut[1] - cut[0]) for name, cut in cuts.items()
        )
    return ()


def _bars_collected(night: Night) -> int:
    collected = finished_or_empty(night, COLLECT, CollectionReceipt)
    return sum(receipt.core.rows for name, receipt in collected.items() if name != MACRO)


def _lineage(night: Night) -> tuple[TableRef, ...]:
    collected = finished_or_empty(night, COLLECT, CollectionReceipt).values()
    features = finished_or_empty(night, FEATURES, FeaturesReceipt).values()
    refs = [*(item.core for item in collected), *(item.features for item in features)]
    return tuple(sorted(refs, key=lambda ref: ref.name))
