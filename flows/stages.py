"""The stages of a night in order; the night runs them all, the command line any one of them."""

from collections.abc import Callable

from flows.build_report import build_report
from flows.collect_data import collect_data
from flows.compute_features import compute_features
from flows.fan_out import result_of
from flows.generate_signals import generate_signals
from flows.promote_agents import promote_agents
from flows.run_backtests import run_backtests
from flows.train_agents import train_agents
from flows.train_meta_agent import train_meta_agent
from tasks.night import Night
from tasks.stage import StageResult

STAGES: dict[str, Callable[[Night], StageResult]] = {
    "collect": lambda night: result_of(collect_data(night, return_state=True)),
    "features": lambda night: result_of(compute_features(night, return_state=True)),
    "train": lambda night: result_of(train_agents(night, return_state=True)),
    "train-meta": lambda night: result_of(train_meta_agent(night, return_state=True)),
    "backtest": lambda night: result_of(run_backtests(night, return_state=True)),
    "promote": lambda night: result_of(promote_agents(night, return_state=True)),
    "signals": lambda night: result_of(generate_signals(night, return_state=True)),
    "report": lambda night: result_of(build_report(night, return_state=True)),
}
