"""Backtests of served models: an agent on its own market, the meta-agent through the book that it makes of them."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.envs.simulation import next_limited
from wealtharena.evaluation.backtest import BacktestResult, backtest_policy, backtest_weights
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.evaluation.strategies import combined_targets
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules, drawdown_state
from wealtharena.markets import joined_symbol
from wealtharena.serving.model import ServedModel
from wealtharena.serving.signals import Holdings, target_weights_for_next_session, with_features


def backtest_model(
    model: ServedModel, panel: MarketPanel, window: Window, rules: TradingRules, name: str
) -> BacktestResult:
    """Trades a window of a market with a model, policy or baseline, under ``rules``.

    Raises:
        ModelIntegrityError: the panel lacks a feature that the policy observes, or has another number of symbols than
            its network takes.
        DataWindowError: the window is not inside the panel, or has fewer rows before it than the policy observes.
    """
    if model.policy is None:
        return backtest_weights(BASELINES[model.card.baseline](panel, rules), panel, window, rules, name)
    card = model.card
    known = with_features(panel, card.feature_names, model.label)
    return backtest_policy(
        model.policy, known, window, rules, name, observation_window=card.window, actions=card.actions
    )


def backtest_book(
    shares: BacktestResult,
    books: Mapping[str, BacktestResult],
    joined: MarketPanel,
    start: date,
    rules: TradingRules,
    name: str,
) -> BacktestResult:
    """The combined book that an allocation amounts to, traded on the joined market with its true costs.

    Args:
        shares: backtest of the allocation on the strategy panel of ``books``; its targets are the shares of capital.
        books: backtests of the agents, over ``shares``' sessions at least.
        joined: market that holds every symbol of the agents.
        start: first session that is traded.
        rules: limits of the combined account.
        name: of the result.
    """
    allocation = np.nan_to_num(shares.target_weights)
    targets = combined_targets(allocation, shares.dates, books, joined)
    first = first_row(joined, start)
    return backtest_weights(targets, joined, (first, len(joined.dates)), rules, name)


def constant_targets(panel: MarketPanel, shares: FloatArray) -> FloatArray:
    """Targets (T, K) of the same shares on every session of a strategy panel."""
    return np.tile(shares, (len(panel.dates), 1))


def combined_book(
    allocation: Sequence[float] | FloatArray, targets: Mapping[str, Mapping[str, float]]
) -> dict[tuple[str, str], float]:
    """Weight of the whole capital per (agent, symbol): each agent's next targets times its share, agents in name order.

    Args:
        allocation: (K,) shares, agents in name order; what is left is cash.
        targets: weights of each agent's own capital by symbol.
    """
    return {
        (agent, symbol): float(share) * weight
        for share, (agent, weights) in zip(allocation, sorted(targets.items()), strict=True)
        for symbol, weight in weights.items()
    }


def limited_after(wanted: FloatArray, path: BacktestResult) -> FloatArray:
    """What the limits leave of wanted weights (A,) for the session after a backtest that an account went through.

    Raises:
        ExecutionError: not one finite weight per symbol.
    """
    assert path.trading is not None  # noqa: S101 - backtests have it; only results made by hand have not
    panel, rules, account = path.trading.panel, path.trading.rules, holdings_after(path)
    return next_limited(wanted, panel, rules, account.weights, account.drawdown, account.stopped)


def limited_book(book: Mapping[tuple[str, str], float], path: BacktestResult) -> dict[tuple[str, str], float]:
    """What the limits of the combined account leave of its next book, see ``combined_book``.

    Args:
        book: weight per (agent, symbol).
        path: of the combined account so far, see ``backtest_book``.
    """
    places = {symbol: place for place, symbol in enumerate(path.symbols)}
    own = {(agent, symbol): places[joined_symbol(agent, symbol, places)] for agent, symbol in book}
    wanted = np.zeros(len(places))
    for key, place in own.items():
        wanted[place] = book[key]
    limited = limited_after(wanted, path)
    return {key: float(limited[place]) for key, place in own.items()}


def next_targets(model: ServedModel, panel: MarketPanel, path: BacktestResult) -> dict[str, float]:
    """Target weight per symbol for the session after ``panel``, for an account that went through ``path``.

    The limits are those of ``path``, so that a backtest that went on would order the same.
    """
    rules = None if path.trading is None else path.trading.rules
    weights = target_weights_for_next_session(model, panel, holdings_after(path), rules)
    return {symbol: float(weight) for symbol, weight in zip(panel.symbols, weights, strict=True)}


def held_weights(path: BacktestResult) -> dict[str, float]:
    """Weight per symbol at the last close of a backtest."""
    return {symbol: float(weight) for symbol, weight in zip(path.symbols, path.weights[-1], strict=True)}


def last_closes(panel: MarketPanel) -> dict[str, float]:
    """Last known close per symbol; a symbol that never had a bar is left out."""
    known = {symbol: panel.close[np.isfinite(panel.close[:, k]), k] for k, symbol in enumerate(panel.symbols)}
    return {symbol: float(closes[-1]) for symbol, closes in known.items() if len(closes)}


def holdings_after(path: BacktestResult) -> Holdings:
    """State of an account at the end of a backtest."""
    if path.trading is None:
        peak = max(1.0, float(path.equity.max()))
        return Holdings(path.weights[-1], min(0.0, max(-1.0, float(path.equity[-1]) / peak - 1.0)))
    state = drawdown_state(path.equity, path.trading.path.limits, path.trading.rules)
    return Holdings(path.weights[-1], -float(state.drawdowns[-1]), state.stopped)


def first_row(panel: MarketPanel, start: date) -> int:
    """First row on or after a date.

    Raises:
        DataWindowError: the panel ends before it.
    """
    row = int(np.searchsorted(panel.dates, np.datetime64(start, "D")))
    if row >= len(panel.dates):
        raise DataWindowError(f"no session on or after {start}; the panel spans {panel.span()}")
    return row
