"""Target weights for the next session: each champion's, and the combined book over them."""

from dataclasses import dataclass, field

import pyarrow as pa

from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import agent_market, rules_for
from tasks.meta import Books, champion_books, next_book, next_shares
from tasks.night import Night
from tasks.paper_accounts import record_champion_orders
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import champion_version, load_champion
from tasks.trials import book_rules
from wealtharena.agents import fixed_allocation
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core import MarketPanel, TableRef
from wealtharena.core.errors import PipelineError
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.execution import TradingRules
from wealtharena.serving.model import ServedModel
from wealtharena.serving.paper import Orders
from wealtharena.serving.trials import (
    backtest_book,
    backtest_model,
    constant_targets,
    held_weights,
    last_closes,
    limited_after,
    limited_book,
    next_targets,
)

STAGE = "signals"
TABLE = "out_portfolio__signals"


@dataclass(frozen=True)
class SignalsReceipt:
    """Target weights of one model.

    Attributes:
        agent: name.
        model: label of the champion.
        weights: target weight per symbol; for the meta-agent per ``agent/symbol`` of the combined book.
        table: where they are stored.
        held: weight per symbol at the last close, for an account that followed the champion; class agents only.
        closes: last known close per symbol; class agents only.
        shares: share of the capital per agent; the meta-agent only.
        notes: why the champion's paper account does not follow.
    """

    agent: str
    model: str
    weights: dict[str, float]
    table: TableRef
    held: dict[str, float] = field(default_factory=dict)
    closes: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def agents_to_signal(night: Night) -> list[str]:
    """Agents with features and a champion."""
    ready = finished(night, FEATURES, FeaturesReceipt)
    return [
        name
        for name in night.agents
        if str(AGENTS[name].asset_class) in ready and champion_version(night, name) is not None
    ]


@stage_task("signal-agent", "signal {agent}")
def signal_agent(night: Night, agent: str) -> SignalsReceipt:
    """The champion's targets, for an account that followed it through the held-out window."""
    model = _champion(night, agent)
    data = finished(night, FEATURES, FeaturesReceipt)[str(AGENTS[agent].asset_class)].data_version
    inputs = {"night": night.night_id, "model": _identity(night, agent), "data": data}
    receipt = once(night, STAGE, agent, inputs, lambda: _signal(night, agent, model), SignalsReceipt)
    tell(ProgressEvent(STAGE, agent, 1, 1, receipt.model))
    return receipt


@stage_task("signal-meta", "signal meta")
def signal_meta(night: Night) -> SignalsReceipt:
    """The combined book: the meta-champion's shares times each champion's targets; without one, the fixed fusion."""
    champions = {agent: _identity(night, agent) for agent in (*night.traded, META_AGENT)}
    data = {name: item.data_version for name, item in finished(night, FEATURES, FeaturesReceipt).items()}
    inputs = {"night": night.night_id, "models": champions, "data": data}
    receipt = once(night, STAGE, META_AGENT, inputs, lambda: _signal_meta(night), SignalsReceipt)
    tell(ProgressEvent(STAGE, META_AGENT, 1, 1, receipt.model))
    return receipt


def _signal(night: Night, agent: str, model: ServedModel) -> SignalsReceipt:
    market = agent_market(night, agent)
    path = backtest_model(model, market.panel, market.windows.held_out, rules_for(night, model), agent)
    weights = next_targets(model, market.panel, path)
    notes = _hindsight(night, agent, model) or record_champion_orders(
        night, agent, _orders(market.panel, weights, _identity(night, agent))
    )
    table = _store(night, agent, model.label, weights)
    held, closes = held_weights(path), last_closes(market.panel)
    return SignalsReceipt(agent, model.label, weights, table, held, closes, notes=notes)


def _hindsight(night: Night, agent: str, model: ServedModel) -> tuple[str, ...]:
    """The champion of today may decide about a past date, but could not have done so then: it orders nothing."""
    version = champion_version(night, agent)
    made = "" if version is None else version.tags.get("night", "")[: len("2026-11-20")]
    if made <= night.as_of.isoformat():
        return ()
    learned = max((days[1] for days in model.card.windows.values()), default=None)
    known = f" and has learned from sessions up to {learned}" if learned else ""
    return (
        f"{model.label} is the champion of today, made on {made}{known}: nobody had these signals after {night.as_of}",
    )


def _signal_meta(night: Night) -> SignalsReceipt:
    books = champion_books(night)
    label, shares, path = _allocation(night, books)
    account = backtest_book(path, books.paths, books.joined, books.held_out_start, book_rules(night), META_AGENT)
    book = limited_book(next_book(shares, books), account)
    weights = {f"{agent}/{symbol}": weight for (agent, symbol), weight in sorted(book.items())}
    orders = _orders(books.joined, weights, _identity(night, META_AGENT))
    models = {**books.models, META_AGENT: load_champion(night, META_AGENT)}
    late = [note for agent, model in models.items() if model for note in _hindsight(night, agent, model)]
    notes = tuple(late) or record_champion_orders(night, META_AGENT, orders)
    table = _store(night, META_AGENT, label, weights)
    by_agent = dict(zip(sorted(books.models), shares, strict=True))
    return SignalsReceipt(META_AGENT, label, weights, table, shares=by_agent, notes=notes)


def _allocation(night: Night, books: Books) -> tuple[str, list[float], BacktestResult]:
    """Whose shares of the capital they are, the shares for the next session, agents in name order, and the path that
    led there."""
    rules = TradingRules.from_settings(night.settings, META_AGENT)
    meta = load_champion(night, META_AGENT)
    if meta is None:
        fused = fixed_allocation(sorted(books.models), night.settings.meta.fusion_weights)
        wanted = constant_targets(books.strategies, fused)
        path = backtest_weights(wanted, books.strategies, books.window, rules, META_AGENT)
        return "weighted fusion", limited_after(fused, path).tolist(), path
    return meta.label, *next_shares(meta, books, rules)


def _store(night: Night, agent: str, label: str, weights: dict[str, float]) -> TableRef:
    rows = [
        {"night": night.night_id, "as_of": night.as_of, "agent": agent, "model_version": label}
        | {"symbol": symbol, "target_weight": weight}
        for symbol, weight in sorted(weights.items())
    ]
    return night.warehouse.write(TABLE, pa.Table.from_pylist(rows), f"{night.night_id}/{agent}")


def _orders(panel: MarketPanel, weights: dict[str, float], bundle_hash: str) -> Orders:
    """What is published, as orders after the market's last close."""
    return Orders(panel.dates[-1].astype(object), weights, bundle_hash)


def _champion(night: Night, agent: str) -> ServedModel:
    model = load_champion(night, agent)
    if model is None:
        raise PipelineError(f"{agent} has no champion; run `wealtharena promote` first")
    return model


def _identity(night: Night, agent: str) -> str:
    version = champion_version(night, agent)
    return "" if version is None else version.bundle_hash
