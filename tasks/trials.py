"""Candidate, champion and baselines of an agent on the same held-out window, through the same kernel."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tasks.markets import agent_market
from tasks.meta import STAGE as TRAIN_META
from tasks.meta import Books, candidate_books
from tasks.night import Night
from tasks.receipts import finished_or_empty
from tasks.tracking import load_champion
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt, candidate
from wealtharena.agents import fixed_allocation
from wealtharena.agents.specs import META_AGENT
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.backtest import BacktestResult, backtest_baselines, backtest_weights
from wealtharena.execution import TradingRules
from wealtharena.promotion import Kind, ScoreCard, score
from wealtharena.serving.bundle import checkpoint_ref
from wealtharena.serving.model import ServedModel
from wealtharena.serving.trials import backtest_book, backtest_model, constant_targets, first_row
from wealtharena.settings import RiskSettings

CANDIDATE, CHAMPION, FUSION = "candidate", "champion", "weighted_fusion"


@dataclass(frozen=True)
class Trials:
    """Everything that was scored for an agent.

    Attributes:
        results: by strategy: ``candidate``, ``champion``, the baselines, for the meta-agent ``weighted_fusion``.
        candidate: card of tonight's policy; None if it was not trained.
        champion: card of the model in service; None if there is none.
        baselines: cards of the rules that an agent has to beat.
        champion_version: registry number of the champion, ``""`` if there is none.
    """

    results: dict[str, BacktestResult]
    candidate: ScoreCard | None
    champion: ScoreCard | None
    baselines: dict[str, ScoreCard] = field(default_factory=dict)
    champion_version: str = ""


def run_trials(night: Night, agent: str) -> Trials:
    """Backtests of all contenders of an agent over its held-out window."""
    return _meta_trials(night) if agent == META_AGENT else _class_trials(night, agent)


def trained_candidate(night: Night, agent: str) -> ServedModel | None:
    """Tonight's verified policy, or None if the agent was not trained."""
    receipt = candidate_receipts(night).get(agent)
    return None if receipt is None else candidate(receipt)


def candidate_receipts(night: Night) -> dict[str, TrainingReceipt]:
    """Tonight's trainings, the meta-agent's included."""
    return {
        **finished_or_empty(night, TRAIN, TrainingReceipt),
        **finished_or_empty(night, TRAIN_META, TrainingReceipt),
    }


def _class_trials(night: Night, agent: str) -> Trials:
    market = agent_market(night, agent)
    window = market.windows.held_out
    models = {CANDIDATE: trained_candidate(night, agent), CHAMPION: load_champion(night, agent)}
    results = {
        name: backtest_model(model, market.panel, window, market.rules, name)
        for name, model in models.items()
        if model is not None
    }
    baselines = backtest_baselines(market.panel, window, market.rules)
    return _trials(night, agent, models, results, baselines, {})


def _meta_trials(night: Night) -> Trials:
    books = candidate_books(night)
    rules = TradingRules.from_settings(night.settings, META_AGENT)
    window = (first_row(books.strategies, books.held_out_start), len(books.strategies.dates))
    models = {CANDIDATE: trained_candidate(night, META_AGENT), CHAMPION: load_champion(night, META_AGENT)}
    allocations = {
        name: backtest_model(model, books.strategies, window, rules, name)
        for name, model in models.items()
        if model is not None
    }
    rule_based = backtest_baselines(books.strategies, window, rules)
    fusion = constant_targets(books.strategies, _fusion_shares(night, books))
    fused = {FUSION: backtest_weights(fusion, books.strategies, window, rules, FUSION)}
    combined = {
        name: backtest_book(shares, books.paths, books.joined, books.held_out_start, book_rules(night), name)
        for name, shares in {**allocations, **rule_based, **fused}.items()
    }
    return _trials(
        night,
        META_AGENT,
        models,
        {name: combined[name] for name in allocations},
        {name: combined[name] for name in rule_based},
        {name: combined[name] for name in fused},
    )


def _fusion_shares(night: Night, books: Books) -> FloatArray:
    return fixed_allocation(sorted(books.paths), night.settings.meta.fusion_weights)


def book_rules(night: Night) -> TradingRules:
    """The combined account may be short if any of its agents may."""
    own = [TradingRules.from_settings(night.settings, agent) for agent in night.traded]
    meta = TradingRules.from_settings(night.settings, META_AGENT)
    return replace(meta, long_only=all(rules.long_only for rules in own))


def _trials(
    night: Night,
    agent: str,
    models: Mapping[str, ServedModel | None],
    results: dict[str, BacktestResult],
    baselines: dict[str, BacktestResult],
    others: dict[str, BacktestResult],
) -> Trials:
    risk = night.settings.risk_of(agent)
    champion = models[CHAMPION]
    return Trials(
        results={**results, **baselines, **others},
        candidate=_card(risk, models[CANDIDATE], results.get(CANDIDATE)),
        champion=_card(risk, champion, results.get(CHAMPION)),
        baselines={name: score(result, Kind.BASELINE, risk) for name, result in baselines.items()},
        champion_version="" if champion is None else champion.version.removeprefix("v"),
    )


def _card(risk: RiskSettings, model: ServedModel | None, result: BacktestResult | None) -> ScoreCard | None:
    if model is None or result is None:
        return None
    kind = Kind.BASELINE if model.policy is None else Kind.POLICY
    card = score(result, kind, risk, checkpoint_ref(model.folder).bundle_hash)
    return replace(card, name=model.label)
