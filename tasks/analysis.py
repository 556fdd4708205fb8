"""Stores how robust the night's held-out results are, and where they came from."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.backtest import STAGE as BACKTEST
from tasks.backtest import BacktestReceipt
from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt, load_bars
from tasks.markets import agent_market, class_of, rules_for
from tasks.meta import Books, candidate_books
from tasks.night import Night
from tasks.progress import ProgressEvent, tell
from tasks.receipts import finished, once
from tasks.retries import stage_task
from tasks.tracking import load_champion
from tasks.trials import CANDIDATE, CHAMPION, book_rules, trained_candidate
from wealtharena.agents.specs import META_AGENT
from wealtharena.core import MarketPanel, TableRef
from wealtharena.core.errors import ModelIntegrityError, PipelineError
from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.attribution import attribute
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.evaluation.monte_carlo import (
    WHOLE,
    FrozenPolicy,
    FrozenRule,
    FrozenTargets,
    MarketHistory,
    Robustness,
    Strategy,
    market_history,
    robustness,
)
from wealtharena.evaluation.strategies import combined_targets
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.markets import joined_symbol
from wealtharena.serving.bundle import checkpoint_ref
from wealtharena.serving.model import ServedModel
from wealtharena.serving.signals import with_features
from wealtharena.serving.trials import backtest_model, first_row

STAGE = "analyse"
_QUANTILES_OF = ("total_return", "sharpe", "max_drawdown")


@dataclass(frozen=True)
class AnalysisReceipt:
    """How a result holds up and where it came from.

    Attributes:
        agent: name.
        strategy: whose result it is: ``candidate``, or ``champion`` where nothing was trained.
        total_return: in the held-out window.
        simulations, attribution: table versions with everything.
        quantiles: of total return, Sharpe ratio and drawdown, by ``<method>.<figure>`` and quantile; None where
            undefined.
        loss_probability: share of the resampled accounts that lose, by method.
        break_even: multiple of the costs at which nothing is earned above cash; None if there is none.
        break_even_note: why there is none.
        lag_loss: share of the return above cash that a session's delay costs; None where there was none.
        contributions: to the total return by dimension and name.
        exposures: sensitivity to each factor, and its standard error.
        alpha, alpha_standard_error: return a year that no factor explains; None where undefined.
        notes: what is worth knowing.
    """

    agent: str
    strategy: str
    total_return: float
    simulations: TableRef
    attribution: TableRef
    quantiles: dict[str, dict[str, float | None]]
    loss_probability: dict[str, float]
    break_even: float | None
    break_even_note: str
    lag_loss: float | None
    contributions: dict[str, dict[str, float]]
    exposures: dict[str, tuple[float, float | None]]
    alpha: float | None
    alpha_standard_error: float | None
    notes: tuple[str, ...] = ()


class _Subject(NamedTuple):
    """A strategy and what it trades."""

    strategy: Strategy
    panel: MarketPanel
    window: Window
    rules: TradingRules
    market: tuple[FrozenPolicy | FrozenRule, MarketHistory] | None
    groups: dict[str, str] | None


def agents_to_analyse(night: Night) -> list[str]:
    """Agents of the night that were scored, the meta-agent last; none where the settings switch it off."""
    if not night.settings.analysis.enabled:
        return []
    scored = finished(night, BACKTEST, BacktestReceipt)
    return [name for name in night.chosen if name in scored]


@stage_task("analyse-agent", "analyse {agent}")
def analyse_agent(night: Night, agent: str) -> AnalysisReceipt:
    """Simulates and attributes the held-out result of one agent's new policy, or else of its champion."""
    strategy, model = _model(night, agent)
    ready = finished(night, FEATURES, FeaturesReceipt)
    inputs = {
        "markets": {item: receipt.data_version for item, receipt in sorted(ready.items())},
        "model": checkpoint_ref(model.folder).bundle_hash,
        "analysis": night.settings.analysis.model_dump(mode="json"),
        "seed": night.settings.seed,
        "night": night.night_id,
    }
    receipt = once(night, STAGE, agent, inputs, lambda: _analyse(night, agent, strategy, model), AnalysisReceipt)
    even = "none" if receipt.break_even is None else f"{receipt.break_even:.1f}x"
    tell(ProgressEvent(STAGE, agent, 1, 1, f"break-even cost {even}"))
    return receipt


def _model(night: Night, agent: str) -> tuple[str, ServedModel]:
    """Tonight's policy of the agent's own lane; the champion where there is none, or it is not intact."""
    try:
        candidate = trained_candidate(night, agent)
    except ModelIntegrityError:
        candidate = None
    if candidate is not None:
        return CANDIDATE, candidate
    champion = load_champion(night, agent)
    if champion is None:
        raise PipelineError(f"{agent} has neither a policy of tonight nor a champion to analyse")
    return CHAMPION, champion


def _analyse(night: Night, agent: str, strategy: str, model: ServedModel) -> AnalysisReceipt:
    subject = _book(night, model) if agent == META_AGENT else _class_account(night, agent, model)
    settings = night.settings
    found = robustness(
        subject.strategy,
        subject.panel,
        subject.window,
        subject.rules,
        settings.analysis,
        (settings.seed, *agent.encode()),
        subject.market,
    )
    parts = attribute(found.base, subject.groups)
    exposures = parts.factors.rows().assign(method="factors", session=WHOLE)
    simulations = pd.concat([found.rows(), exposures], ignore_index=True)
    own, part = {"night": night.night_id, "agent": agent}, f"{night.night_id}/{agent}"
    return AnalysisReceipt(
        agent=agent,
        strategy=strategy,
        total_return=parts.total_return,
        simulations=night.warehouse.write("out_analysis__simulations", simulations.assign(**own), part),
        attribution=night.warehouse.write(
            "out_analysis__attribution", parts.rows().assign(strategy=strategy, **own), part
        ),
        quantiles=_quantiles(found),
        loss_probability={item.method: item.loss_probability for item in found.simulations if item.equity is not None},
        break_even=found.break_even.multiple,
        break_even_note=found.break_even.reason,
        lag_loss=found.lag_loss,
        contributions={name: dict(values) for name, values in parts.dimensions.items()},
        exposures={
            name: (exposure.beta, number_or_none(exposure.standard_error))
            for name, exposure in parts.factors.exposures.items()
        },
        alpha=number_or_none(parts.factors.alpha),
        alpha_standard_error=number_or_none(parts.factors.alpha_standard_error),
        notes=_notes(found, settings.analysis.max_lag_loss),
    )


def _class_account(night: Night, agent: str, model: ServedModel) -> _Subject:
    market, asset_class = agent_market(night, agent), class_of(agent)
    panel, window, rules = market.panel, market.windows.held_out, rules_for(night, model)
    strategy: FrozenPolicy | FrozenRule = (
        FrozenRule(BASELINES[model.card.baseline])
        if model.policy is None
        else (FrozenPolicy(model.policy, model.card.window, model.card.actions))
    )
    if model.policy is not None:
        panel = with_features(panel, model.card.feature_names, model.label)
    bars, sectors = load_bars(night, asset_class)
    history = market_history(asset_class, panel, window, bars, night.settings, sectors)
    return _Subject(strategy, panel, window, rules, (strategy, history), None)


def _book(night: Night, model: ServedModel) -> _Subject:
    """The combined book: what its agents and their shares decided once, traded on the joined market.

    Its agents see their own markets, so it fits no resampled one.
    """
    books = candidate_books(night)
    rules = TradingRules.from_settings(night.settings, META_AGENT)
    shares = backtest_model(model, books.strategies, books.window, rules, META_AGENT)
    targets = combined_targets(np.nan_to_num(shares.target_weights), shares.dates, books.paths, books.joined)
    window = (first_row(books.joined, books.held_out_start), len(books.joined.dates))
    return _Subject(FrozenTargets(targets), books.joined, window, book_rules(night), None, _classes(books))


def _classes(books: Books) -> dict[str, str]:
    """Agent of each symbol of the joined market."""
    joined = set(books.joined.symbols)
    return {
        joined_symbol(agent, symbol, joined): agent
        for agent, market in books.markets.items()
        for symbol in market.panel.symbols
    }


def _quantiles(found: Robustness) -> dict[str, dict[str, float | None]]:
    return {
        f"{item.method}.{figure}": {
            f"{level:.2f}": number_or_none(value) for level, value in item.quantiles(figure).items()
        }
        for item in found.simulations
        if item.equity is not None
        for figure in _QUANTILES_OF
    }


def _notes(found: Robustness, max_lag_loss: float) -> tuple[str, ...]:
    if found.lag_loss is None or found.lag_loss <= max_lag_loss:
        return ()
    return (
        f"a session's delay costs {found.lag_loss:.0%} of the return above cash, more than {max_lag_loss:.0%}: the "
        "result may rest on fills that nobody could have had",
    )
