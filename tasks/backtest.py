"""Stores what the held-out window says about candidate, champion and baselines."""

from dataclasses import dataclass, field

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.ledger import Trial, TrialKind, append_trials, held_out_trial
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import champion_version, log_held_out
from tasks.trials import CANDIDATE, CHAMPION, Trials, candidate_receipts, run_trials, strategy_of
from wealtharena.agents.lanes import policy_lanes
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core import TableRef
from wealtharena.evaluation.accounting import account_figures, trade_rows
from wealtharena.evaluation.frames import equity_rows, metric_rows, weight_rows
from wealtharena.evaluation.frames import figures as as_figures
from wealtharena.promotion.score_card import Kind

STAGE = "backtest"

_LANE = "lane"
"""Kind of a strategy that is another recipe of the agent than its own."""


@dataclass(frozen=True)
class BacktestReceipt:
    """What was scored.

    Attributes:
        agent: name.
        equity, weights, metrics: table versions with the results.
        figures: metric by name per strategy; None where undefined.
        baselines: names of the strategies that are baselines.
        best_baseline: the baseline with the highest Sharpe ratio; ``""`` if none moved.
        trades: table version with every trade of candidate and champion.
        monitor: figures of the risk monitor by name, of candidate and champion; None where undefined.
        problems: lanes whose policy of tonight was not scored, each with the reason.
    """

    agent: str
    equity: TableRef
    weights: TableRef
    metrics: TableRef
    figures: dict[str, dict[str, float | None]]
    baselines: tuple[str, ...]
    best_baseline: str
    trades: TableRef | None = None
    monitor: dict[str, dict[str, float | None]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def agents_to_score(night: Night) -> list[str]:
    """Agents with a lane that was trained tonight, or that are in service, the meta-agent last."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    trained = {receipt.agent for receipt in candidate_receipts(night).values()}
    return [
        name
        for name in night.chosen
        if (name == META_AGENT or str(AGENTS[name].asset_class) in ready)
        and (name in trained or champion_version(night, name) is not None)
    ]


@stage_task("backtest-agent", "backtest {agent}")
def backtest_agent(night: Night, agent: str) -> BacktestReceipt:
    """Scores every contender of one agent, and stores curves, weights and figures.

    The champion is the one that is in service when a night is first scored; a repeat of the night keeps to it.
    """
    inputs = {"markets": _data_versions(night), "candidates": _bundles(night, agent), "night": night.night_id}
    receipt = once(night, STAGE, agent, inputs, lambda: _backtest(night, agent), BacktestReceipt)
    own = receipt.figures.get(CANDIDATE) or receipt.figures.get(CHAMPION) or {}
    tell(ProgressEvent(STAGE, agent, 1, 1, f"Sharpe {own.get('sharpe') or float('nan'):+.2f}"))
    return receipt


def _backtest(night: Night, agent: str) -> BacktestReceipt:
    trials = run_trials(night, agent)
    results = trials.results
    lanes = {strategy_of(lane): lane.name for lane in policy_lanes(night.settings, agent)}
    kinds = dict.fromkeys(trials.baselines, "baseline") | {name: _LANE for name in lanes if name != CANDIDATE}
    models = {name: results[name] for name in (CANDIDATE, CHAMPION) if name in results}
    frames = {
        "out_backtest__daily_equity": equity_rows(results),
        "out_backtest__weights": weight_rows(results),
        "out_backtest__metrics": metric_rows(results, {name: kinds.get(name, name) for name in results}),
        "out_backtest__trades": trade_rows(models),
    }
    part = f"{night.night_id}/{agent}"
    equity, weights, metrics, trades = (
        night.warehouse.write(table, frame.assign(night=night.night_id, agent=agent), part)
        for table, frame in frames.items()
    )
    figures = {name: as_figures(result) for name, result in results.items()}
    monitor = {name: account_figures(result) for name, result in models.items()}
    append_trials(night.warehouse, _ledger_rows(night, trials))
    for strategy, lane in lanes.items():
        log_held_out(night, lane, figures.get(strategy, {}), monitor.get(strategy, {}))
    return BacktestReceipt(
        agent=agent,
        equity=equity,
        weights=weights,
        metrics=metrics,
        figures=figures,
        baselines=tuple(trials.baselines),
        best_baseline=_best_baseline(trials),
        trades=trades,
        monitor=monitor,
        problems=tuple(f"{lane}: {reason}" for lane, reason in trials.refused.items()),
    )


def _ledger_rows(night: Night, trials: Trials) -> list[Trial]:
    kinds = {Kind.POLICY: TrialKind.CANDIDATE, Kind.BASELINE: TrialKind.BASELINE}
    return [
        held_out_trial(night, trial.lane, kinds[trial.card.kind], trial.card, trial.seed)
        for trial in trials.lanes.values()
    ]


def _best_baseline(trials: Trials) -> str:
    moved = {name: card.metrics.sharpe for name, card in trials.baselines.items() if card.metrics.turnover > 0.0}
    return max(moved, key=lambda name: moved[name], default="")


def _bundles(night: Night, agent: str) -> dict[str, str]:
    """By lane; a bundle that is refused for another hash than its receipt's is not scored anew until that is mended."""
    trained = candidate_receipts(night)
    return {name: item.checkpoint.bundle_hash for name, item in sorted(trained.items()) if item.agent == agent}


def _data_versions(night: Night) -> dict[str, str]:
    ready = finished(night, FEATURES, FeaturesReceipt)
    return {name: receipt.data_version for name, receipt in sorted(ready.items())}
