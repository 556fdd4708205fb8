"""The lanes, the champion and the baselines of an agent on the same held-out window, through the same kernel."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tasks.markets import agent_market, rules_for
from tasks.meta import STAGE as TRAIN_META
from tasks.meta import Books, candidate_books
from tasks.night import Night
from tasks.receipts import finished_or_empty
from tasks.tracking import load_champion
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt, candidate
from wealtharena.agents import fixed_allocation
from wealtharena.agents.lanes import Lane, baseline_lane, policy_lanes
from wealtharena.agents.specs import AGENTS, META_AGENT
from wealtharena.core import MarketPanel
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_weights
from wealtharena.evaluation.baselines import baselines_of
from wealtharena.execution import TradingRules
from wealtharena.promotion.score_card import Kind, ScoreCard, score
from wealtharena.serving.bundle import checkpoint_ref
from wealtharena.serving.model import ServedModel
from wealtharena.serving.trials import backtest_book, backtest_model, constant_targets

CANDIDATE, CHAMPION, FUSION = "candidate", "champion", "weighted_fusion"


@dataclass(frozen=True)
class LaneTrial:
    """A lane's policy of tonight, or a baseline, on the held-out window.

    Attributes:
        lane: the recipe or rule.
        seed: of the training; 0 for a rule.
        card: at the market's own costs.
        card_double_cost: what it is worth where trading costs twice as much.
    """

    lane: Lane
    seed: int
    card: ScoreCard
    card_double_cost: ScoreCard


@dataclass(frozen=True)
class Trials:
    """Everything that was scored for an agent.

    Attributes:
        results: by strategy: ``candidate`` (of the agent's own lane), ``champion``, the other lanes by their names, the
            baselines, for the meta-agent ``weighted_fusion``.
        candidate: card of tonight's policy of the agent's own lane; None if it was not trained, or is refused.
        champion: card of the model in service; None if there is none.
        baselines: cards of the rules that an agent has to beat.
        champion_version: registry number of the champion, ``""`` if there is none.
        lanes: what was trained tonight and the baselines, by lane_id.
        refused: why a lane's policy of tonight could not be loaded, by lane_id.
    """

    results: dict[str, BacktestResult]
    candidate: ScoreCard | None
    champion: ScoreCard | None
    baselines: dict[str, ScoreCard] = field(default_factory=dict)
    champion_version: str = ""
    lanes: dict[str, LaneTrial] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def run_trials(night: Night, agent: str) -> Trials:
    """Backtests of all contenders of an agent over its held-out window."""
    return _meta_trials(night) if agent == META_AGENT else _class_trials(night, agent)


def trained_candidate(night: Night, lane: str) -> ServedModel | None:
    """Tonight's verified policy of a lane, or None if it was not trained."""
    receipt = candidate_receipts(night).get(lane)
    return None if receipt is None else candidate(receipt)


def candidate_receipts(night: Night) -> dict[str, TrainingReceipt]:
    """Tonight's trainings by lane, the meta-agent's included."""
    return {
        **finished_or_empty(night, TRAIN, TrainingReceipt),
        **finished_or_empty(night, TRAIN_META, TrainingReceipt),
    }


@dataclass(frozen=True)
class _Contenders:
    """Who is scored: models by strategy, and why a lane's policy is not among them, by lane_id."""

    models: dict[str, ServedModel]
    refused: dict[str, str]


class _Scored(NamedTuple):
    """Results by strategy at one level of costs."""

    models: dict[str, BacktestResult]
    baselines: dict[str, BacktestResult]
    others: dict[str, BacktestResult]


def _contenders(night: Night, agent: str) -> _Contenders:
    models: dict[str, ServedModel] = {}
    refused: dict[str, str] = {}
    for lane in policy_lanes(night.settings, agent):
        try:
            model = trained_candidate(night, lane.name)
        except ModelIntegrityError as error:
            refused[lane.lane_id] = str(error)
            continue
        if model is not None:
            models[strategy_of(lane)] = model
    champion = load_champion(night, agent)
    return _Contenders(models if champion is None else {**models, CHAMPION: champion}, refused)


def strategy_of(lane: Lane) -> str:
    """Under which name a lane's policy of tonight is in the tables: the agent's own is the ``candidate``."""
    return CANDIDATE if lane.name == lane.agent else lane.name


def _class_trials(night: Night, agent: str) -> Trials:
    market = agent_market(night, agent)
    window = market.windows.held_out
    found = _contenders(night, agent)
    names = baselines_of(AGENTS[agent].asset_class)

    def scored(panel: MarketPanel) -> _Scored:
        results = {
            name: backtest_model(model, panel, window, rules_for(night, model), name)
            for name, model in found.models.items()
        }
        return _Scored(results, backtest_baselines(panel, window, market.rules, names), {})

    return _trials(night, agent, found, scored(market.panel), scored(_at_double_cost(market.panel)))


def _meta_trials(night: Night) -> Trials:
    books = candidate_books(night)
    rules = TradingRules.from_settings(night.settings, META_AGENT)
    window = books.window
    found = _contenders(night, META_AGENT)

    def scored(strategies: MarketPanel, joined: MarketPanel) -> _Scored:
        fusion = constant_targets(strategies, _fusion_shares(night, books))
        shares = _Scored(
            {name: backtest_model(model, strategies, window, rules, name) for name, model in found.models.items()},
            backtest_baselines(strategies, window, rules, baselines_of(None)),
            {FUSION: backtest_weights(fusion, strategies, window, rules, FUSION)},
        )
        return _Scored(
            *(
                {
                    name: backtest_book(item, books.paths, joined, books.held_out_start, book_rules(night), name)
                    for name, item in group.items()
                }
                for group in shares
            )
        )

    double = scored(_at_double_cost(books.strategies), _at_double_cost(books.joined))
    return _trials(night, META_AGENT, found, scored(books.strategies, books.joined), double)


def _at_double_cost(panel: MarketPanel) -> MarketPanel:
    return replace(panel, costs=panel.costs.times(2.0))


def _fusion_shares(night: Night, books: Books) -> FloatArray:
    return fixed_allocation(sorted(books.paths), night.settings.meta.fusion_weights)


def book_rules(night: Night) -> TradingRules:
    """The combined account may be short if any of its agents may."""
    own = [TradingRules.from_settings(night.settings, agent) for agent in night.traded]
    meta = TradingRules.from_settings(night.settings, META_AGENT)
    return replace(meta, long_only=all(rules.long_only for rules in own))


def _trials(night: Night, agent: str, found: _Contenders, usual: _Scored, double: _Scored) -> Trials:
    champion = found.models.get(CHAMPION)
    baselines = {name: _baseline_card(night, agent, result) for name, result in usual.baselines.items()}
    lanes = [
        LaneTrial(
            lane, model.card.seed, _card(night, model, usual.models[name]), _card(night, model, double.models[name])
        )
        for lane in policy_lanes(night.settings, agent)
        if (model := found.models.get(name := strategy_of(lane))) is not None
    ]
    lanes += [
        LaneTrial(baseline_lane(agent, name), 0, card, _baseline_card(night, agent, double.baselines[name]))
        for name, card in baselines.items()
    ]
    cards = {trial.lane.lane_id: trial for trial in lanes}
    own = cards.get(policy_lanes(night.settings, agent)[0].lane_id)
    return Trials(
        results={**usual.models, **usual.baselines, **usual.others},
        candidate=None if own is None else own.card,
        champion=None if champion is None else _card(night, champion, usual.models[CHAMPION]),
        baselines=baselines,
        champion_version="" if champion is None else champion.version.removeprefix("v"),
        lanes=cards,
        refused=found.refused,
    )


def _baseline_card(night: Night, agent: str, result: BacktestResult) -> ScoreCard:
    return score(result, Kind.BASELINE, night.settings.risk_of(agent))


def _card(night: Night, model: ServedModel, result: BacktestResult) -> ScoreCard:
    kind = Kind.BASELINE if model.policy is None else Kind.POLICY
    lane = model.card.lane if model.card.lane in night.settings.lanes_of(model.card.agent) else model.card.agent
    card = score(result, kind, night.settings.risk_of(lane), checkpoint_ref(model.folder).bundle_hash)
    return replace(card, name=model.label)
