"""Lets every lane trade on paper from the night that it exists: what it earns from then on is evidence nobody chose."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import numpy as np

from tasks.markets import agent_panel, with_market
from tasks.meta import STAGE as TRAIN_META
from tasks.meta import Books, champion_books, next_book, next_shares, rule_shares
from tasks.night import Night
from tasks.paper_accounts import (
    CHAMPION_LANE,
    Recorded,
    record_orders,
    record_sessions,
    recorded_accounts,
    replacing,
)
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished_up_to, record
from tasks.retries import stage_task
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt, candidate
from tasks.trials import book_rules
from wealtharena.agents.lanes import Lane, baseline_lane, policy_lanes
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core import MarketPanel
from wealtharena.core.errors import WealthArenaError
from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.baselines import BASELINES, baselines_of
from wealtharena.execution import TradingRules
from wealtharena.markets import join_panels
from wealtharena.serving.bundle import checkpoint_ref
from wealtharena.serving.model import ServedModel
from wealtharena.serving.paper import (
    Orders,
    PaperSessions,
    as_ordered,
    figures,
    new_sessions,
    next_orders,
    replay,
    unknown_symbols,
)
from wealtharena.serving.signals import target_weights_for_next_session
from wealtharena.serving.trials import next_targets

STAGE = "paper"

Decide = Callable[[BacktestResult | None], Mapping[str, float]]
"""Target weights after the market's last close, for an account that went through a replay; None: all cash."""


@dataclass(frozen=True)
class PaperAccount:
    """One account; figures are None where undefined.

    Attributes:
        lane: name of the lane, or ``champion``.
        lane_id: see ``Lane``.
        since: first session; None if there is none yet.
        sessions: traded so far.
        total_return, sharpe, sharpe_standard_error, max_drawdown: see ``PaperFigures``.
        last_orders: session after whose close the newest orders were decided.
        new_sessions: that this night added.
    """

    lane: str
    lane_id: str
    since: date | None
    sessions: int
    total_return: float | None
    sharpe: float | None
    sharpe_standard_error: float | None
    max_drawdown: float | None
    last_orders: date
    new_sessions: int


@dataclass(frozen=True)
class PaperReceipt:
    """The paper accounts of an agent's market.

    Attributes:
        agent: name.
        accounts: the champion's first, then the policies', then the rules'.
        notes: accounts that were not continued, and recorded sessions that the data contradict by now.
        problems: lanes that could not decide, each with the reason.
    """

    agent: str
    accounts: tuple[PaperAccount, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Trader:
    """Who trades an account, and under which limits; one without ``decide`` gets its orders elsewhere."""

    lane: Lane
    rules: TradingRules
    decide: Decide | None
    bundle_hash: str = ""


@stage_task("trade-on-paper", "paper {agent}")
def trade_agent(night: Night, agent: str) -> PaperReceipt:
    """Takes every account of an agent's market to the night's last session, and records what its lane decides there."""
    panel = agent_panel(night, agent)
    return _trade(night, agent, panel, *_traders(night, agent, panel))


@stage_task("trade-book-on-paper", "paper meta")
def trade_meta(night: Night) -> PaperReceipt:
    """As ``trade_agent``, for the combined book: the allocator's lanes and rules spread capital over the champions."""
    panel = _joined_market(night)
    rules = book_rules(night)
    traders = [_champion(META_AGENT, rules)]
    refused: dict[str, str] = {}
    try:
        books = champion_books(night)
    except WealthArenaError as error:
        return _trade(night, META_AGENT, panel, traders, refused, (f"only the champion's account goes on: {error}",))
    limits = TradingRules.from_settings(night.settings, META_AGENT)
    for lane in policy_lanes(night.settings, META_AGENT):
        model, reason = _policy_or_reason(night, lane)
        if reason:
            refused[lane.name] = reason
        if model is not None:
            own = partial(_allocator_shares, model, books, limits)
            bundle = checkpoint_ref(model.folder).bundle_hash
            traders.append(_Trader(lane, rules, _book_decision(own, books, panel, rules), bundle))
    for name in baselines_of(None):
        own = partial(rule_shares, name, books, limits)
        traders.append(_Trader(baseline_lane(META_AGENT, name), rules, _book_decision(own, books, panel, rules)))
    return _trade(night, META_AGENT, panel, traders, refused)


def newest_policy(night: Night, lane: Lane) -> ServedModel | None:
    """The verified policy of a lane's latest training up to this night; None if it was never trained."""
    stage = TRAIN if AGENTS[lane.agent].asset_class is not None else TRAIN_META
    trained = finished_up_to(night, stage, lane.name, TrainingReceipt)
    own = [receipt for receipt in trained if receipt.lane_id == lane.lane_id]
    return candidate(own[-1]) if own else None


def _traders(night: Night, agent: str, panel: MarketPanel) -> tuple[list[_Trader], dict[str, str]]:
    """Everyone who trades an agent's market on paper, and the reasons of those who can not decide, by lane."""
    own = TradingRules.from_settings(night.settings, agent)
    traders = [_champion(agent, own)]
    refused: dict[str, str] = {}
    for lane in policy_lanes(night.settings, agent):
        rules = TradingRules.from_settings(night.settings, lane.name)
        model, reason = _policy_or_reason(night, lane)
        if reason:
            refused[lane.name] = reason
        traders.append(
            _Trader(lane, rules, None)
            if model is None
            else _Trader(lane, rules, _policy_decision(model, panel, rules), checkpoint_ref(model.folder).bundle_hash)
        )
    rules_of_thumb = [
        _Trader(baseline_lane(agent, name), own, _rule_decision(name, panel, own))
        for name in baselines_of(AGENTS[agent].asset_class)
    ]
    return [*traders, *rules_of_thumb], refused


def _policy_or_reason(night: Night, lane: Lane) -> tuple[ServedModel | None, str]:
    """The lane's newest policy, and why it is refused if it is."""
    try:
        return newest_policy(night, lane), ""
    except WealthArenaError as error:
        return None, str(error)


def _joined_market(night: Night) -> MarketPanel:
    """The markets of all agents as one, with symbols as in the combined book: ``agent/symbol``."""
    panels = {}
    for agent in with_market(night, night.traded):
        panel = agent_panel(night, agent)
        panels[agent] = replace(panel, symbols=tuple(f"{agent}/{symbol}" for symbol in panel.symbols))
    return join_panels(panels)


def _allocator_shares(model: ServedModel, books: Books, rules: TradingRules) -> list[float]:
    shares, _ = next_shares(model, books, rules)
    return shares


def _book_decision(shares: Callable[[], list[float]], books: Books, panel: MarketPanel, rules: TradingRules) -> Decide:
    def decide(path: BacktestResult | None) -> Mapping[str, float]:
        book = {f"{agent}/{symbol}": weight for (agent, symbol), weight in next_book(shares(), books).items()}
        wanted = np.array([book.get(symbol, 0.0) for symbol in panel.symbols])
        return next_orders(wanted, panel, rules, path)

    return decide


def _champion(agent: str, rules: TradingRules) -> _Trader:
    """The signals stage decides for it, within the limits of whoever is in service."""
    return _Trader(Lane(CHAMPION_LANE, agent, CHAMPION_LANE), as_ordered(rules), None)


def _policy_decision(model: ServedModel, panel: MarketPanel, rules: TradingRules) -> Decide:
    def decide(path: BacktestResult | None) -> Mapping[str, float]:
        if path is not None:
            return next_targets(model, panel, path)
        weights = target_weights_for_next_session(model, panel, None, rules)
        return dict(zip(panel.symbols, weights.tolist(), strict=True))

    return decide


def _rule_decision(name: str, panel: MarketPanel, rules: TradingRules) -> Decide:
    return lambda path: next_orders(BASELINES[name](panel, rules)[-1], panel, rules, path)


@dataclass(frozen=True)
class _Step:
    """What a night makes of one account."""

    sessions: PaperSessions
    added: PaperSessions
    known: tuple[Orders, ...]
    decided: Orders | None
    notes: tuple[str, ...] = ()
    problem: str = ""


def _trade(
    night: Night,
    agent: str,
    panel: MarketPanel,
    traders: Sequence[_Trader],
    refused: Mapping[str, str],
    notes: tuple[str, ...] = (),
) -> PaperReceipt:
    """Sessions first, orders second: a run that is killed in between, or before, catches up when it is repeated."""
    recorded = recorded_accounts(night.warehouse, agent)
    steps = {item.lane.lane_id: _step(item, recorded.get(item.lane.lane_id, Recorded()), panel) for item in traders}
    record_sessions(
        night, agent, {key: step.added for key, step in steps.items()}, {key: step.known for key, step in steps.items()}
    )
    decided = {key: step.decided for key, step in steps.items() if step.decided is not None}
    record_orders(night, agent, decided)
    accounts = [
        _account(item.lane, step, panel.annualisation)
        for item in traders
        if (step := steps[item.lane.lane_id]).known or step.decided is not None
    ]
    problems = {**refused} | {item.lane.name: text for item in traders if (text := steps[item.lane.lane_id].problem)}
    receipt = PaperReceipt(
        agent=agent,
        accounts=tuple(accounts),
        notes=(*notes, *_notes({item.lane.name: steps[item.lane.lane_id].notes for item in traders})),
        problems=tuple(f"{lane}: {text}" for lane, text in problems.items()),
    )
    record(night, STAGE, agent, receipt, PaperReceipt)
    tell(ProgressEvent(STAGE, agent, 1, 1, f"{len(accounts)} accounts"))
    return receipt


def _notes(by_lane: Mapping[str, Sequence[str]]) -> list[str]:
    """Each note once, with all the lanes that it is about."""
    lanes: dict[str, list[str]] = {}
    for lane, texts in by_lane.items():
        for text in texts:
            lanes.setdefault(text, []).append(lane)
    return [f"{', '.join(names)}: {text}" for text, names in lanes.items()]


def _step(trader: _Trader, known: Recorded, panel: MarketPanel) -> _Step:
    as_of: date = panel.dates[-1].astype(object)
    reason = known.why_not(as_of)
    if reason:
        return _Step(known.sessions, PaperSessions.none(), known.orders, None, (f"not continued: {reason}",))
    orders = tuple(item for item in known.orders if item.as_of < as_of)
    path = replay(orders, panel, trader.rules, trader.lane.name)
    added, contradicted = new_sessions(known.sessions, path)
    notes = []
    if contradicted:
        notes.append(f"the data contradict {contradicted} recorded sessions by now; they stand")
    if gone := unknown_symbols(orders, panel):
        notes.append(f"orders of symbols that the market does not have any more count as cash: {', '.join(gone)}")
    sessions = known.sessions.followed_by(added)
    if trader.decide is None:
        return _Step(sessions, added, known.orders, None, tuple(notes))
    try:
        decided = replacing(known, Orders(as_of, trader.decide(path), trader.bundle_hash))
    except WealthArenaError as error:
        return _Step(sessions, added, known.orders, None, tuple(notes), str(error))
    return _Step(sessions, added, known.orders, decided, tuple(notes))


def _account(lane: Lane, step: _Step, annualisation: int) -> PaperAccount:
    did = figures(step.sessions, annualisation)
    newest = step.decided or step.known[-1]
    return PaperAccount(
        lane=lane.name,
        lane_id=lane.lane_id,
        since=step.sessions.dates[0].astype(object) if did.sessions else None,
        sessions=did.sessions,
        total_return=number_or_none(did.total_return),
        sharpe=number_or_none(did.sharpe),
        sharpe_standard_error=number_or_none(did.sharpe_standard_error),
        max_drawdown=number_or_none(did.max_drawdown),
        last_orders=newest.as_of,
        new_sessions=len(step.added.dates),
    )
