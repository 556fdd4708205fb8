"""What the night shows in the Prefect UI: coverage, results, decisions, and where the report is."""

from collections import Counter, defaultdict

from pandas import DataFrame
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.collection import STAGE as COLLECT
from tasks.collection import CollectionReceipt
from tasks.night import Night
from tasks.promotion import STAGE as PROMOTE
from tasks.promotion import DecisionReceipt
from tasks.receipts import finished_or_empty
from tasks.reporting import STAGE as REPORT
from tasks.reporting import ReportReceipt


def data_coverage(night: Night) -> None:
    """Symbols per class and every missing one with its reason."""
    rows = [
        {
            "class": name,
            "symbols": receipt.symbols,
            "missing": len(receipt.missing),
            "why": "; ".join(f"{symbol}: {reason}" for symbol, reason in sorted(receipt.missing.items())),
            "notes": "; ".join(receipt.notes),
        }
        for name, receipt in finished_or_empty(night, COLLECT, CollectionReceipt).items()
    ]
    create_table_artifact(rows, key="data-coverage", description=f"Data coverage of night {night.night_id}")


def data_quality(night: Night) -> None:
    """How the collection of the symbols ended, and what curation withheld or found to disagree, by class."""
    warehouse = night.warehouse
    ended = _count(warehouse.read_or_empty("core_quality__outcomes", where={"run_id": night.run_id}), "outcome")
    withheld = _count(warehouse.read_or_empty("core_quality__quarantine"), "rule")
    differing = _count(warehouse.read_or_empty("core_quality__disagreements"), "column")
    rows = [
        {"class": name, "outcomes": ended[name], "quarantined": withheld[name], "vendors disagree": differing[name]}
        for name in finished_or_empty(night, COLLECT, CollectionReceipt)
    ]
    create_table_artifact(rows, key="data-quality", description=f"Data quality of night {night.night_id}")


def _count(rows: DataFrame, column: str) -> defaultdict[str, str]:
    """Per class the values of a column with their number, the most frequent first."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for group, value in zip(rows["asset_class"], rows[column], strict=True):
        counts[group][value] += 1
    texts = {group: ", ".join(f"{value} {n}" for value, n in own.most_common()) for group, own in counts.items()}
    return defaultdict(str, texts)


def agent_table(night: Night) -> None:
    """Held-out figures of every contender, and which limits bound how often."""
    rows = [
        {"agent": agent, "strategy": strategy}
        | {name: _number(figures[name]) for name in ("total_return", "sharpe", "max_drawdown", "turnover")}
        | {"limits that bound": _bound(receipt.monitor.get(strategy, {}))}
        for agent, receipt in finished_or_empty(night, BACKTEST, BacktestReceipt).items()
        for strategy, figures in receipt.figures.items()
    ]
    create_table_artifact(rows, key="agent-table", description=f"Held-out results of night {night.night_id}")


def decision_summary(night: Night) -> None:
    """Outcome and reason per agent, and where every lane stands."""
    decisions = finished_or_empty(night, PROMOTE, DecisionReceipt)
    lines = [f"# Decisions of night {night.night_id}", ""]
    if not decisions:
        lines.append("No candidate was decided about.")
    else:
        lines += ["| agent | outcome | champion | state | decided by | reason |", "|---|---|---|---|---|---|"]
        lines += [_decision_row(receipt) for receipt in decisions.values()]
        lines += [
            "",
            "## Lanes",
            "",
            "| agent | lane | state | sessions | log E | p of history |",
            "|---|---|---|---|---|---|",
        ]
        lines += [row for receipt in decisions.values() for row in _lane_rows(receipt)]
    create_markdown_artifact(
        "\n".join(lines), key="decision-summary", description="What the promotion gate decided, and why"
    )


def _decision_row(receipt: DecisionReceipt) -> str:
    serving = receipt.record["serving"]
    champion = f"version {receipt.champion_version} ({serving['lane_id']})" if receipt.champion_version else "none"
    cells = (receipt.agent, receipt.outcome, champion, serving["state"] or "", receipt.decided_by, receipt.reason)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _lane_rows(receipt: DecisionReceipt) -> list[str]:
    return [
        f"| {receipt.agent} | {lane['lane_id']} | {lane['state']} | {lane['sessions']} | {_number(lane['log_e'])} "
        f"| {_number(lane['p_value'])} |"
        for lane in receipt.record["lanes"]
    ]


def report_link(night: Night) -> None:
    """Where the report lies."""
    for receipt in finished_or_empty(night, REPORT, ReportReceipt).values():
        create_link_artifact(f"file://{receipt.path}", key="report-link", link_text=f"Report of night {night.night_id}")


def _bound(monitor: dict[str, float | None]) -> str:
    """Limits with the share of sessions in which they bound, the most frequent first."""
    shares = {
        name.removeprefix("limit_").removesuffix("_bound_share"): share
        for name, share in monitor.items()
        if name.endswith("_bound_share") and share
    }
    return ", ".join(f"{name} {share:.0%}" for name, share in sorted(shares.items(), key=lambda item: -(item[1] or 0)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
