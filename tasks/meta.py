"""The meta-agent: an allocator over the agents' books, and the books that it is trained and judged on."""

from dataclasses import dataclass
from datetime import date

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import Market, agent_market
from tasks.night import Night
from tasks.receipts import finished, finished_or_empty
from tasks.retries import stage_task
from tasks.tracking import load_champion
from tasks.training import STAGE as TRAIN
from tasks.training import STAGE_META as STAGE
from tasks.training import TrainingReceipt, candidate, train_once
from wealtharena.agents.lanes import policy_lanes
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core import MarketPanel
from wealtharena.core.errors import PipelineError
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.strategies import strategy_panel
from wealtharena.evaluation.windows import window_dates
from wealtharena.execution import TradingRules
from wealtharena.markets import join_panels
from wealtharena.serving.model import ServedModel
from wealtharena.serving.trials import backtest_model, first_row
from wealtharena.training.allocator import split_strategies

__all__ = ["STAGE", "Books", "candidate_books", "champion_books", "train_meta"]


@dataclass(frozen=True)
class Books:
    """Out-of-sample books of several agents, from their validation windows to ``as_of``.

    Attributes:
        markets, models, paths: per agent.
        strategies: the books as assets of one panel.
        joined: the market that holds all their symbols, over the same span.
        held_out_start: first session that is held out for every agent.
        validation_end: last session that is validation for every agent.
    """

    markets: dict[str, Market]
    models: dict[str, ServedModel]
    paths: dict[str, BacktestResult]
    strategies: MarketPanel
    joined: MarketPanel
    held_out_start: date
    validation_end: date


@stage_task("train-meta-agent", "train meta")
def train_meta(night: Night) -> TrainingReceipt:
    """Trains the allocator on the agents' curves in the validation window, in which none of them was trained."""
    books = candidate_books(night)
    train, validation = split_strategies(books.strategies, books.validation_end, night.settings.windows.embargo_days)
    (lane,) = policy_lanes(night.settings, META_AGENT)
    dates = {"training": _span(train), "validation": _span(validation)}
    return train_once(night, lane, train, validation, TradingRules.from_settings(night.settings, META_AGENT), dates)


def candidate_books(night: Night) -> Books:
    """Books of the night's new agents; for an agent that was not trained, of its champion."""
    trained = finished_or_empty(night, TRAIN, TrainingReceipt)
    models = {
        agent: candidate(trained[agent]) if agent in trained else load_champion(night, agent)
        for agent in _with_market(night)
    }
    return _books(night, models)


def champion_books(night: Night) -> Books:
    """Books of the agents in service."""
    return _books(night, {agent: load_champion(night, agent) for agent in _with_market(night)})


def _with_market(night: Night) -> list[str]:
    ready = finished(night, FEATURES, FeaturesReceipt)
    return [agent for agent in night.traded if str(AGENTS[agent].asset_class) in ready]


def _books(night: Night, found: dict[str, ServedModel | None]) -> Books:
    models = {agent: model for agent, model in found.items() if model is not None}
    if len(models) < 2:
        raise PipelineError(
            f"the meta-agent needs two agents with a policy or champion, got {len(models)}: {list(models)}"
        )
    markets = {agent: agent_market(night, agent) for agent in models}
    paths = {agent: _path(model, markets[agent], agent) for agent, model in models.items()}
    held_out = [window_dates(market.panel, market.windows.held_out)[0] for market in markets.values()]
    validation = [window_dates(market.panel, market.windows.validation) for market in markets.values()]
    joined = join_panels({agent: market.panel for agent, market in markets.items()})
    start = first_row(joined, min(first for first, _ in validation))
    return Books(
        markets=markets,
        models=models,
        paths=paths,
        strategies=strategy_panel(paths, night.settings.meta.rebalance_bps, joined),
        joined=joined.rows(start - 1, len(joined.dates)),
        held_out_start=max(held_out),
        validation_end=min(last for _, last in validation),
    )


def _path(model: ServedModel, market: Market, agent: str) -> BacktestResult:
    span = (market.windows.validation[0], len(market.panel.dates))
    return backtest_model(model, market.panel, span, market.rules, agent)


def _span(panel: MarketPanel) -> tuple[date, date]:
    return window_dates(panel, (0, len(panel.dates)))
