"""The meta-agent: an allocator over the agents' books, and the books that it is trained and judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from tasks.markets import Market, agent_market, rules_for, with_market
from tasks.night import Night
from tasks.receipts import finished_or_empty
from tasks.retries import stage_task
from tasks.tracking import load_champion
from tasks.training import STAGE as TRAIN
from tasks.training import STAGE_META as STAGE
from tasks.training import TrainingReceipt, candidate, train_once
from wealtharena.agents.lanes import policy_lanes
from wealtharena.agents.specs import META_AGENT
from wealtharena.core import MarketPanel
from wealtharena.core.errors import PipelineError
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.evaluation.strategies import strategy_panel
from wealtharena.evaluation.windows import Window, window_dates
from wealtharena.execution import TradingRules
from wealtharena.markets import join_panels
from wealtharena.serving.model import ServedModel
from wealtharena.serving.trials import backtest_model, combined_book, first_row, limited_after, next_targets
from wealtharena.training.allocator import split_strategies

__all__ = [
    "STAGE",
    "Books",
    "candidate_books",
    "champion_books",
    "next_book",
    "next_shares",
    "rule_shares",
    "train_meta",
]


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

    @property
    def window(self) -> Window:
        """Rows of ``strategies`` that are held out for every agent."""
        return first_row(self.strategies, self.held_out_start), len(self.strategies.dates)


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
        for agent in with_market(night, night.traded)
    }
    return _books(night, models)


def champion_books(night: Night) -> Books:
    """Books of the agents in service."""
    return _books(night, {agent: load_champion(night, agent) for agent in with_market(night, night.traded)})


def next_shares(model: ServedModel, books: Books, rules: TradingRules) -> tuple[list[float], BacktestResult]:
    """Shares of the capital that an allocator decides next, agents in name order, and the path that led there."""
    path = backtest_model(model, books.strategies, books.window, rules, META_AGENT)
    targets = next_targets(model, books.strategies, path)
    return [targets[name] for name in sorted(books.models)], path


def rule_shares(baseline: str, books: Books, rules: TradingRules) -> list[float]:
    """As ``next_shares``, of a fixed rule; where it orders nothing, what it holds."""
    wanted = BASELINES[baseline](books.strategies, rules)
    path = backtest_weights(wanted, books.strategies, books.window, rules, baseline)
    limited = limited_after(wanted[-1], path)
    shares: list[float] = np.where(np.isnan(limited), path.weights[-1], limited).tolist()
    return shares


def next_book(shares: Sequence[float], books: Books) -> dict[tuple[str, str], float]:
    """Weight of the whole capital per (agent, symbol) that some shares of it make of the agents' next targets."""
    own = {
        agent: next_targets(model, books.markets[agent].panel, books.paths[agent])
        for agent, model in books.models.items()
    }
    return combined_book(shares, own)


def _books(night: Night, found: dict[str, ServedModel | None]) -> Books:
    models = {agent: model for agent, model in found.items() if model is not None}
    if len(models) < 2:
        raise PipelineError(
            f"the meta-agent needs two agents with a policy or champion, got {len(models)}: {list(models)}"
        )
    markets = {agent: agent_market(night, agent) for agent in models}
    paths = {agent: _path(night, model, markets[agent]) for agent, model in models.items()}
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


def _path(night: Night, model: ServedModel, market: Market) -> BacktestResult:
    span = (market.windows.validation[0], len(market.panel.dates))
    return backtest_model(model, market.panel, span, rules_for(night, model), model.card.agent)


def _span(panel: MarketPanel) -> tuple[date, date]:
    return window_dates(panel, (0, len(panel.dates)))
