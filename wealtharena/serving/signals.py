"""What a model wants to hold from the next session on."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from wealtharena.core.errors import DataWindowError, ExecutionError, ModelIntegrityError
from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs.simulation import next_limited, next_targets
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.execution import TradingRules, market_arrays
from wealtharena.serving.model import ServedModel


@dataclass(frozen=True)
class Holdings:
    """State of an account at the last close.

    Attributes:
        weights: (A,) value of each position over equity, in the order of the panel's symbols.
        drawdown: equity over its peak less one, at most 0; after a drawdown stop the peak counts anew.
        stopped: sessions that an account under a drawdown stop still stays in cash; 0 if it trades.
    """

    weights: FloatArray
    drawdown: float = 0.0
    stopped: int = 0


@dataclass(frozen=True, slots=True)
class Signal:
    """One target position.

    Attributes:
        agent, version: the model that asks for it.
        as_of: session after whose close it was decided; it fills at the next opening.
        symbol: instrument.
        target_weight: share of the agent's account, negative for short.
        current_weight: share held at the close.
        last_close: last known adjusted close; NaN before the first bar.
    """

    agent: str
    version: str
    as_of: date
    symbol: str
    target_weight: float
    current_weight: float
    last_close: float


def make_signals(model: ServedModel, panel: MarketPanel, holdings: Holdings | None = None) -> tuple[Signal, ...]:
    """One signal per symbol of ``panel`` after its last close; see ``target_weights_for_next_session``."""
    targets = target_weights_for_next_session(model, panel, holdings)
    held = np.zeros(len(panel.symbols)) if holdings is None else holdings.weights
    closes = market_arrays(panel).close_mark[-1]
    as_of = panel.dates[-1].astype("datetime64[D]").astype(object)
    return tuple(
        Signal(model.card.agent, model.version, as_of, symbol, float(target), float(now), float(close))
        for symbol, target, now, close in zip(panel.symbols, targets, held, closes, strict=True)
    )


def target_weights_for_next_session(
    model: ServedModel, panel: MarketPanel, holdings: Holdings | None = None, rules: TradingRules | None = None
) -> FloatArray:
    """Target weights (A,) that the model decides after the last close of ``panel``, within all limits.

    The observation, the mapping from scores to weights and the limits are the execution kernel's, as in training and
    backtests. Instruments that the model has not seen in training are fine; unobserved ones get 0.

    Args:
        model: a loaded champion or challenger.
        panel: history up to the decision; baselines look back a year.
        holdings: state of the account; all cash by default.
        rules: limits of the account; those that the model was trained under by default.

    Raises:
        DataWindowError: the panel has no session, or fewer than the model observes.
        ModelIntegrityError: the panel lacks a feature that the model observes, or has another number of symbols than
            its network takes.
        ExecutionError: the scores or the holdings are not finite, or not one per symbol.
    """
    if not len(panel.dates):
        raise DataWindowError(f"{model.label}: signals need a panel with at least one session")
    _check_holdings(model, panel, holdings)
    limits = rules or model.card.rules
    state = Holdings(np.zeros(len(panel.symbols))) if holdings is None else holdings
    account = (state.weights, state.drawdown, state.stopped)
    if model.policy is None:
        return next_limited(BASELINES[model.card.baseline](panel, limits)[-1], panel, limits, *account)
    card = model.card
    known = with_features(panel, card.feature_names, model.label)
    return next_targets(model.policy.act, known, limits, *account, window=card.window, actions=card.actions)


def with_features(panel: MarketPanel, feature_names: tuple[str, ...], label: str) -> MarketPanel:
    """``panel`` with exactly these features in this order.

    Raises:
        ModelIntegrityError: it lacks one; ``label`` names the model in the message.
    """
    if panel.feature_names == feature_names:
        return panel
    missing = [name for name in feature_names if name not in panel.feature_names]
    if missing:
        raise ModelIntegrityError(f"{label} observes features that the data lack: {', '.join(missing)}")
    columns = [panel.feature_names.index(name) for name in feature_names]
    return replace(panel, feature_names=feature_names, features=np.ascontiguousarray(panel.features[:, :, columns]))


def _check_holdings(model: ServedModel, panel: MarketPanel, holdings: Holdings | None) -> None:
    if holdings is None:
        return
    if holdings.weights.shape != (len(panel.symbols),) or not np.isfinite(holdings.weights).all():
        raise ExecutionError(
            f"{model.label}: holdings must be one finite weight per symbol ({len(panel.symbols)}), "
            f"got shape {holdings.weights.shape}"
        )
    if not -1.0 <= holdings.drawdown <= 0.0:
        raise ExecutionError(f"{model.label}: drawdown must be in [-1, 0], got {holdings.drawdown}")
    if holdings.stopped < 0:
        raise ExecutionError(f"{model.label}: stopped must be at least 0, got {holdings.stopped}")
