"""Prints how a night or a stage ended."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flows import terminal
from flows.analysis_table import print_analysis
from flows.drift_table import print_drift
from flows.history_table import print_history
from flows.paper_table import print_accounts
from tasks.conclusion import FAILED, AgentRow, NightConclusion, places_by_reason
from tasks.night import Night
from tasks.signals import SignalsReceipt
from tasks.stage import StageResult
from tasks.training import TrainingReceipt
from wealtharena.evaluation.ranking import RankedFigures, rank
from wealtharena.training.selection import describe

_WIDTH_WITH_REASONS = 150
_MAX_NOTES = 12
_NUMBERS = ("return", "Sharpe", "drawdown", "base Sharpe")


def print_conclusion(conclusion: NightConclusion, prefect_url: str, as_json: bool) -> None:
    """The closing table, what went wrong, and the places to look."""
    if conclusion.report or any(row.decision != FAILED for row in conclusion.agents):
        _print_agents(f"Night {conclusion.night}: held-out window, after costs", conclusion.agents)
    _print_failures({**conclusion.failures, **conclusion.problems})
    _print_notes(conclusion.notes)
    terminal.console.print(f"Report   {conclusion.report or 'not written'}", soft_wrap=True)
    terminal.console.print(f"Prefect  {prefect_url}", soft_wrap=True)
    terminal.console.print(f"MLflow   {conclusion.mlflow}  (`wealtharena mlflow` shows it)", soft_wrap=True)
    if as_json:
        terminal.print_json({**asdict(conclusion), "prefect": prefect_url, "succeeded": conclusion.succeeded})


def _print_agents(title: str, agents: tuple[AgentRow, ...]) -> None:
    """The best first; one table where it fits, otherwise the reasons in a second one."""
    order = rank({row.agent: RankedFigures.of(row.sharpe, row.total_return, row.max_drawdown) for row in agents})
    agents = tuple(sorted(agents, key=lambda row: order.index(row.agent)))
    columns = ["agent", "algorithm", "return", "Sharpe", "drawdown", "baseline", "base Sharpe", "decision"]
    rows = [
        [
            row.agent,
            row.algorithm,
            _percent(row.total_return),
            _with_error(row.sharpe, row.sharpe_standard_error),
            _fall(row.max_drawdown),
            row.baseline,
            _number(row.baseline_sharpe),
            row.decision,
        ]
        for row in agents
    ]
    reasons = [row.reason for row in agents]
    if terminal.console.width >= _WIDTH_WITH_REASONS:
        complete = [[*row, reason] for row, reason in zip(rows, reasons, strict=True)]
        terminal.print_table(title, [*columns, "reason"], complete, right=_NUMBERS)
        return
    terminal.print_table(title, columns, rows, right=_NUMBERS)
    terminal.print_table("", ["agent", "reason"], [[row[0], reason] for row, reason in zip(rows, reasons, strict=True)])


def print_stage(night: Night, result: StageResult, as_json: bool) -> None:
    """One line per item; signals as a table."""
    if result.stage == "signals":
        _print_signals(night, result)
    elif result.stage == "backtest":
        _print_figures(night, result)
    elif result.stage == "walk-forward":
        _print_histories(night, result)
    elif result.stage == "paper":
        print_accounts(f"Night {night.night_id}: paper accounts, after costs", result.done.values())
    elif result.stage == "drift":
        for receipt in result.done.values():
            print_drift(receipt)
    elif result.stage == "analyse":
        for receipt in result.done.values():
            print_analysis(receipt)
    else:
        rows = [[item, "done", _described(receipt)] for item, receipt in result.done.items()]
        terminal.print_table(f"{result.stage} of night {night.night_id}", ["item", "", "result"], rows)
    _print_failures({**result.failed, **result.warnings})
    _print_notes(result.notes)
    if as_json:
        done = {item: asdict(receipt) for item, receipt in result.done.items()}
        problems = {"failed": result.failed, "warnings": result.warnings, "notes": result.notes}
        terminal.print_json({"night": night.night_id, "stage": result.stage, "done": done, **problems})


def _print_signals(night: Night, result: StageResult) -> None:
    for agent, receipt in result.done.items():
        signals: SignalsReceipt = receipt
        rows = [[symbol, f"{weight:+.4f}"] for symbol, weight in signals.weights.items() if weight]
        shares = ", ".join(f"{name} {share:.1%}" for name, share in signals.shares.items())
        title = f"{agent}: {signals.model}, for the session after {night.as_of}{' | ' + shares if shares else ''}"
        terminal.print_table(title, ["symbol", "target weight"], rows or [["(all cash)", ""]], right=("target weight",))


def _print_histories(night: Night, result: StageResult) -> None:
    if not night.settings.walk_forward.enabled:
        terminal.console.print("walk_forward.enabled is off: no history is computed")
    for agent, receipt in result.done.items():
        print_history(agent, receipt.table)


def _best_first(figures: Mapping[str, Mapping[str, float | None]]) -> list[tuple[str, Mapping[str, float | None]]]:
    told = {
        name: RankedFigures.of(values["sharpe"], values["total_return"], values["max_drawdown"])
        for name, values in figures.items()
    }
    return [(name, figures[name]) for name in rank(told)]


def _print_figures(night: Night, result: StageResult) -> None:
    rows = [
        [
            agent,
            strategy,
            _percent(figures["total_return"]),
            _with_error(figures["sharpe"], figures["sharpe_standard_error"]),
            _fall(figures["max_drawdown"]),
            _number(figures["annual_turnover"]),
        ]
        for agent, receipt in result.done.items()
        for strategy, figures in _best_first(receipt.figures)
    ]
    columns = ["agent", "strategy", "return", "Sharpe", "drawdown", "turnover p.a."]
    title = f"Night {night.night_id}: held-out window, after costs"
    terminal.print_table(title, columns, rows, right=(*_NUMBERS, "turnover p.a."))


def _described(receipt: Any) -> str:
    if isinstance(receipt, TrainingReceipt):
        return f"{receipt.algorithm}, version {receipt.version}, {describe(receipt.seeds)}, {receipt.seconds:.0f} s"
    for name in ("reason", "path", "data_version"):
        if getattr(receipt, name, ""):
            return f"{name.replace('_', ' ')}: {getattr(receipt, name)}"
    return f"{receipt.symbols} symbols" if hasattr(receipt, "symbols") else ""


def _print_failures(reasons: Mapping[str, str]) -> None:
    """One message, whatever went wrong; places that failed for one and the same reason share a line."""
    lines = [f"{', '.join(places)}: {reason}" for reason, places in places_by_reason(reasons).items()]
    if lines:
        introduction = [f"{len(reasons)} parts failed or need mending"] if len(lines) > 1 else []
        terminal.report_error("\n  ".join(introduction + lines), as_json=False)


def _print_notes(notes: Mapping[str, Sequence[str]]) -> None:
    """Each note once, with all the places that it is about."""
    places: dict[str, list[str]] = {}
    for place, texts in notes.items():
        for text in texts:
            places.setdefault(text, []).append(place)
    for text, about in list(places.items())[:_MAX_NOTES]:
        terminal.console.print(f"Note     {', '.join(about)}: {text}", soft_wrap=True, markup=False)
    if len(places) > _MAX_NOTES:
        terminal.console.print(
            f"Note     … and {len(places) - _MAX_NOTES} more: `wealtharena data status` tells them all"
        )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1%}"


def _fall(drawdown: float | None) -> str:
    """A drawdown as a loss; none is not minus zero."""
    return "–" if drawdown is None else f"{0.0 - drawdown:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


def _with_error(value: float | None, error: float | None) -> str:
    return _number(value) if value is None or error is None else f"{value:+.2f} ± {error:.2f}"
