"""The agents' books as assets: the market that the meta-agent trades, and the book that its choice amounts to."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from wealtharena.agents.specs import STRATEGY_FEATURES
from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, DateArray, Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.metrics import drawdowns
from wealtharena.markets import joined_symbol

_HORIZONS = (5, 21, 63)
_SHORT, _LONG = 21, 63
_MIN_RETURNS = 21
_NO_VOLATILITY = 1e-9
_CLIP = 5.0
_BPS = 1e4


def strategy_panel(
    results: Mapping[str, BacktestResult], rebalance_bps: float, market: MarketPanel | None = None
) -> MarketPanel:
    """Panel in which each agent's net equity curve is one asset, in name order, over the union of their sessions.

    Opens and closes are the equity at the open and at the close. On a day on which an agent's class has no session
    there is no bar and no fill; the last features stand, so that a holiday is no reason to sell. Before its first
    session an agent is not observed. Row ``t`` depends on sessions up to ``t`` only. Features, each 0 while its
    lookback (in the agent's own sessions) is not filled and clipped to +-5:

    - ``return_5``, ``return_21``, ``return_63``: log return over volatility times the root of the horizon;
    - ``volatility_ratio``: log of the 21-session over the 63-session volatility;
    - ``drawdown``: from the peak, <= 0; ``turnover_21``: mean turnover; ``gross``: exposure at the close.

    Args:
        results: backtests of the agents over one window, out of sample.
        rebalance_bps: one-way cost of moving capital between agents.
        market: whose cash rate the capital earns that no agent has; without it, none.

    Raises:
        DataWindowError: there is no result, or one without sessions.
    """
    names = tuple(sorted(results))
    if not names or any(len(result.dates) == 0 for result in results.values()):
        raise DataWindowError(f"a strategy panel needs at least one agent with sessions, got {list(names)}")
    dates = np.unique(np.concatenate([results[name].dates.astype("datetime64[D]") for name in names]))
    positions = [np.searchsorted(dates, results[name].dates.astype("datetime64[D]")) for name in names]
    shape = (len(dates), len(names))
    features = np.zeros((*shape, len(STRATEGY_FEATURES)), dtype=np.float32)
    opening, closing, volatility = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    observed = np.zeros(shape, dtype=np.bool_)
    for k, (name, rows) in enumerate(zip(names, positions, strict=True)):
        result = results[name]
        opening[rows, k], closing[rows, k] = result.equity_open, result.equity
        own_volatility = _volatility(_log_returns(result), _LONG, _MIN_RETURNS).to_numpy()
        last_known = np.searchsorted(rows, np.arange(rows[0], len(dates)), side="right") - 1
        features[rows[0] :, k] = _features(result)[last_known]
        volatility[rows[0] :, k] = own_volatility[last_known]
        observed[rows[0] :, k] = True
    return MarketPanel(
        dates=dates,
        symbols=names,
        feature_names=STRATEGY_FEATURES,
        features=features,
        open=opening,
        close=closing,
        tradable=np.nan_to_num(opening) > 0.0,
        observed=observed,
        delisted=np.zeros(shape, dtype=np.bool_),
        dollar_volume=np.full(shape, np.nan),
        volatility=volatility,
        costs=AssetCosts.flat(len(names), rebalance_bps / _BPS),
        annualisation=_annualisation(dates),
        cash_rate=None if market is None else market.cash_rate_on(dates),
    )


def combined_targets(
    allocation: FloatArray, dates: DateArray, results: Mapping[str, BacktestResult], panel: MarketPanel
) -> FloatArray:
    """Target weights (T, A) of the whole capital, one row per row of ``panel``, as ``backtest_weights`` takes them.

    An agent's last decided targets stand on days on which its class has no session, times its share of the day. Before
    its first session, and in symbols that no agent trades, the target is 0. The last row is 0: what is decided after
    the panel's last close fills beyond it.

    Args:
        allocation: (S, K) shares asked for at the open of ``dates``, agents in name order as in ``strategy_panel``;
            what is left is cash. The last share stands where ``panel`` has more dates; before the first it is 0.
        dates: (S,) increasing.
        results: backtests of the K agents.
        panel: the joined market that holds every symbol of the agents.

    Raises:
        DataWindowError: the allocation has not one row per date and one column per agent, or the panel lacks a symbol.
    """
    names = sorted(results)
    if allocation.shape != (len(dates), len(names)):
        raise DataWindowError(f"allocation must be ({len(dates)}, {len(names)}), got {allocation.shape}")
    days = panel.dates.astype("datetime64[D]")
    shares = _carried(allocation, dates, days)
    asked = np.zeros(panel.observed.shape)
    for k, name in enumerate(names):
        result = results[name]
        targets = _carried(pd.DataFrame(result.target_weights).ffill().fillna(0.0).to_numpy(), result.dates, days)
        asked[:, _columns(name, result.symbols, panel.symbols)] += targets * shares[:, [k]]
    # What is asked for at the open of t + 1 was decided after the close of t.
    return np.vstack([asked[1:], np.zeros((1, len(panel.symbols)))])


def _columns(agent: str, symbols: tuple[str, ...], joined: tuple[str, ...]) -> list[int]:
    """Places of an agent's symbols in a joined panel."""
    places = {symbol: place for place, symbol in enumerate(joined)}
    names = [joined_symbol(agent, symbol, places) for symbol in symbols]
    missing = [name for name in names if name not in places]
    if missing:
        raise DataWindowError(f"the joined panel lacks symbols of {agent}: {', '.join(missing)}")
    return [places[name] for name in names]


def _carried(values: FloatArray, dates: DateArray, days: DateArray) -> FloatArray:
    """(len(days), K): the row of the last of ``dates`` up to each day; 0 before the first."""
    last_known = np.searchsorted(dates.astype("datetime64[D]"), days, side="right") - 1
    carried: FloatArray = np.where((last_known >= 0)[:, None], values[np.maximum(last_known, 0)], 0.0)
    return carried


def _annualisation(dates: DateArray) -> int:
    """365 if any date is a Saturday or Sunday, else 252."""
    return 252 if bool(np.is_busday(dates).all()) else 365


def _features(result: BacktestResult) -> Float32Array:
    """(T, F) features on the agent's own sessions."""
    returns = _log_returns(result)
    volatility = _volatility(returns, _LONG, _MIN_RETURNS)
    columns = [returns.rolling(n).sum() / (volatility * np.sqrt(n)) for n in _HORIZONS]
    columns.append(np.log(_volatility(returns, _SHORT, _SHORT) / _volatility(returns, _LONG, _LONG)))
    columns.append(pd.Series(-drawdowns(result.returns)))
    columns.append(pd.Series(result.turnover).rolling(_SHORT).mean())
    columns.append(pd.Series(result.gross))
    stacked = np.column_stack([column.to_numpy() for column in columns])
    clipped: Float32Array = np.clip(np.nan_to_num(stacked), -_CLIP, _CLIP).astype(np.float32)
    return clipped


def _log_returns(result: BacktestResult) -> "pd.Series[float]":
    """(T,) log returns; NaN where everything was lost."""
    growth = 1.0 + result.returns
    return pd.Series(np.log(np.where(growth > 0.0, growth, np.nan)))


def _volatility(returns: "pd.Series[float]", window: int, least: int) -> "pd.Series[float]":
    """(T,) trailing standard deviation per session; NaN until filled and where an account does not move."""
    volatility = returns.rolling(window, min_periods=least).std()
    return volatility.where(volatility > _NO_VOLATILITY)
