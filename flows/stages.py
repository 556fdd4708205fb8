"""The stages of a night in order; the night runs them all, the command line any one of them."""

from collections.abc import Callable
from typing import Any, cast

from prefect import Flow
from prefect.client.schemas.objects import State

from flows.analyse_results import analyse_results
from flows.build_report import build_report
from flows.collect_data import collect_data
from flows.compute_features import compute_features
from flows.fan_out import result_of
from flows.generate_signals import generate_signals
from flows.promote_agents import promote_agents
from flows.run_backtests import run_backtests
from flows.trade_on_paper import trade_on_paper
from flows.train_agents import train_agents
from flows.train_meta_agent import train_meta_agent
from flows.walk_forward import walk_forward
from flows.watch_drift import watch_drift
from tasks.night import Night
from tasks.stage import StageResult

Stage = Callable[[Night], StageResult]


def _stage(flow: Flow[[Night], Any]) -> Stage:
    def run(night: Night) -> StageResult:
        return result_of(cast("State[Any]", flow(night, return_state=True)))

    return run


STAGES: dict[str, Stage] = {
    "collect": _stage(collect_data),
    "features": _stage(compute_features),
    "train": _stage(train_agents),
    "train-meta": _stage(train_meta_agent),
    "walk-forward": _stage(walk_forward),
    "backtest": _stage(run_backtests),
    "analyse": _stage(analyse_results),
    "paper": _stage(trade_on_paper),
    "promote": _stage(promote_agents),
    "signals": _stage(generate_signals),
    "drift": _stage(watch_drift),
    "report": _stage(build_report),
}
