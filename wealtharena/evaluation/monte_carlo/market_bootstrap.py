"""What a strategy would have done in markets that did not happen: sessions of the real one in another order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import Float32Array, MarketPanel
from wealtharena.evaluation.monte_carlo.bars import BarMoves, bar_moves, rearranged_bars
from wealtharena.evaluation.monte_carlo.blocks import IntArray, draw_rows
from wealtharena.evaluation.monte_carlo.figures import path_figures, returns_of
from wealtharena.evaluation.monte_carlo.simulation import Simulation
from wealtharena.evaluation.monte_carlo.strategies import MarketStrategy
from wealtharena.evaluation.nights import cash_returns_of, nights_of
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.indicators import CALENDAR, CROSS_SECTIONS, INDICATORS, compute_features
from wealtharena.markets import assemble_panel
from wealtharena.settings import Settings

METHOD = "market_bootstrap"
_SLACK = 64
_SIDE_BY_SIDE = 16


@dataclass(frozen=True)
class MarketHistory:
    """A market whose sessions of one window can be put in another order.

    Attributes:
        panel: real market, with the features that the strategy sees.
        window: rows that are drawn from, and in whose place the drawn ones are put.
        moves: of the bars behind the panel.
        asset_class: of the panel.
        settings: that it was assembled with.
        sectors: sector per symbol.
    """

    panel: MarketPanel
    window: Window
    moves: BarMoves
    asset_class: AssetClass
    settings: Settings
    sectors: Mapping[str, str]


def market_history(
    asset_class: AssetClass,
    panel: MarketPanel,
    window: Window,
    bars: pd.DataFrame,
    settings: Settings,
    sectors: Mapping[str, str] | None = None,
) -> MarketHistory:
    """The history of a class from its panel and its core bars."""
    return MarketHistory(
        panel, window, bar_moves(bars, panel, window[0] - 1), asset_class, settings, dict(sectors or {})
    )


def bootstrap_markets(
    strategy: MarketStrategy,
    history: MarketHistory,
    rules: TradingRules,
    num_paths: int,
    mean_block: float,
    generator: np.random.Generator,
) -> Simulation:
    """N accounts of a frozen strategy, each in a market of its own that the window's sessions were drawn for.

    Args:
        num_paths: N.
        mean_block: see ``draw_rows``; all assets are drawn together.
    """
    first, last = history.window
    drawn = first + draw_rows(last - first, last - first, num_paths, mean_block, generator)
    equity, cash = [], []
    for start in range(0, num_paths, _SIDE_BY_SIDE):
        panels = list(resampled_panels(history, drawn[start : start + _SIDE_BY_SIDE], rules))
        equity.append(strategy.trade_each(panels, last - first, rules))
        cash += [cash_returns_of(panel)[first - last :] for panel in panels]
    curves = np.vstack(equity)
    figures = path_figures(returns_of(curves), np.array(cash), history.panel.annualisation)
    return Simulation(METHOD, "held-out", figures, curves)


def resampled_panels(history: MarketHistory, drawn: IntArray, rules: TradingRules) -> Iterator[MarketPanel]:
    """For each row of ``drawn`` (N, T) a panel: true sessions before the window, then one for each drawn row of it.

    Prices go on from the last true close by the moves of the drawn sessions, all assets together. Indicators, mean
    traded value and volatility are computed anew by the project's own code. What is not made of bars goes with its
    session: macro and carry features, interest and days of interest; calendar features stay with the date. Splits and
    dividends are contained in the prices, and nothing is delisted.
    """
    for rows in drawn:
        yield _resampled(history, rows, max(rules.risk_window, _lookback(history.panel)) + _SLACK)


def _resampled(history: MarketHistory, drawn: IntArray, lookback: int) -> MarketPanel:
    first = history.window[0]
    start = max(0, first - lookback)
    bars = rearranged_bars(history.moves, start, first, drawn)
    wanted = tuple(name for name in history.panel.feature_names if _is_made_of_bars(name))
    features = compute_features(bars, None, wanted, sectors=history.sectors, include_macro=False)
    symbols = pd.unique(bars["symbol"])
    present = pd.DataFrame({"symbol": symbols, "delisted_on": pd.Series([pd.NaT] * len(symbols))})
    made = assemble_panel(history.asset_class, features, bars, present, history.settings)
    return _completed(history.panel, made, start, np.concatenate([np.arange(start, first), drawn]))


def _completed(real: MarketPanel, made: MarketPanel, start: int, order: IntArray) -> MarketPanel:
    """The panel with every symbol and session of the real one, and with what bars do not tell.

    Args:
        made: panel of the new bars; it lacks symbols that have none.
        start: row of the real panel at which the new one begins.
        order: (T,) row of the real panel that each session was drawn from.
    """
    dates = real.dates[start : start + len(order)]
    place = np.ix_(np.searchsorted(dates, made.dates), np.searchsorted(real.symbols, made.symbols))
    shape = (len(dates), len(real.symbols))

    def grid(name: str, empty: float | bool) -> Any:
        values = getattr(made, name)
        cells = np.full(shape, empty, dtype=values.dtype)
        cells[place] = values
        return cells

    observed = grid("observed", False)
    nights = nights_of(real)[order]
    # What a night pays was known at the close before it.
    known = np.append(order[1:] - 1, order[-1])
    return replace(
        real,
        dates=dates,
        features=np.where(observed[:, :, None], _features(real, made, start, order, place), np.float32(0.0)),
        open=grid("open", np.nan),
        close=grid("close", np.nan),
        tradable=grid("tradable", False),
        observed=observed,
        delisted=np.zeros(shape, dtype=np.bool_),
        dollar_volume=grid("dollar_volume", np.nan),
        volatility=grid("volatility", np.nan),
        dividend=None,
        split=None,
        carry=None if real.carry is None else real.carry[known],
        cash_rate=None if real.cash_rate is None else real.cash_rate[known],
        accrual_days=nights,
    )


def _features(
    real: MarketPanel, made: MarketPanel, start: int, order: IntArray, place: tuple[Any, ...]
) -> Float32Array:
    features = real.features[order]
    for column, name in enumerate(real.feature_names):
        if name in CALENDAR:
            features[:, :, column] = real.features[start : start + len(order), :, column]
        elif name in made.feature_names:
            features[:, :, column][place] = made.features[:, :, made.feature_names.index(name)]
    return features


def _is_made_of_bars(name: str) -> bool:
    base = CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name
    return base in INDICATORS and "carry" not in INDICATORS[base].inputs


def _lookback(panel: MarketPanel) -> int:
    """Sessions that an indicator, or a rule that looks back a year, has to see before the window."""
    bases = (CROSS_SECTIONS[name].base if name in CROSS_SECTIONS else name for name in panel.feature_names)
    lookbacks = [INDICATORS[name].lookback_bars for name in bases if name in INDICATORS]
    return max([panel.annualisation, *lookbacks])
