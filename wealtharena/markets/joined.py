"""One panel over several asset classes: the market of the combined book."""

from collections import Counter
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, DateArray, FloatArray, MarketPanel, last_known


def join_panels(panels: Mapping[str, MarketPanel]) -> MarketPanel:
    """All assets of all panels on the union of their dates, without features.

    On a date that is not a session of an asset's own panel it has no bar, is not observed and not tradable; its dollar
    volume, volatility, carry and cash rate stay at what was last known. A delisting on such a date cannot happen, as
    each panel puts it on a session of its own. Several panels have one count of days: interest and carry count calendar
    days, which over a week is the same.

    Args:
        panels: panel per class; the order does not matter.

    Returns:
        (T, A, 0) panel; symbols sorted, ``<class>:<symbol>`` where two classes have the same. ``annualisation`` is the
        largest of the panels', as the union of dates has the sessions of all.

    Raises:
        DataWindowError: there is no panel.
    """
    if not panels:
        raise DataWindowError("a joined panel needs at least one panel, got none")
    dates = np.unique(np.concatenate([panel.dates for panel in panels.values()]))
    symbols, order = _sorted_symbols(panels)

    def stacked(name: str, empty: float | bool) -> npt.NDArray[Any]:
        parts = []
        for key in sorted(panels):
            values = getattr(panels[key], name)
            cells = np.full((len(dates), len(panels[key].symbols)), empty, dtype=type(empty))
            if values is not None:
                cells[np.searchsorted(dates, panels[key].dates)] = values
            parts.append(cells)
        return np.ascontiguousarray(np.concatenate(parts, axis=1)[:, order])

    def stacked_if_any(name: str, empty: float) -> npt.NDArray[Any] | None:
        return stacked(name, empty) if any(getattr(panel, name) is not None for panel in panels.values()) else None

    carry = stacked_if_any("carry", np.nan)
    costs = AssetCosts.joined([panels[key].costs for key in sorted(panels)]).select(order)
    return MarketPanel(
        dates=dates,
        symbols=symbols,
        feature_names=(),
        features=np.zeros((len(dates), len(symbols), 0), dtype=np.float32),
        open=stacked("open", np.nan),
        close=stacked("close", np.nan),
        tradable=stacked("tradable", False),
        observed=stacked("observed", False),
        delisted=stacked("delisted", False),
        dollar_volume=last_known(stacked("dollar_volume", np.nan)),
        volatility=last_known(stacked("volatility", np.nan)),
        costs=costs,
        annualisation=max(panel.annualisation for panel in panels.values()),
        dividend=stacked_if_any("dividend", 0.0),
        split=stacked_if_any("split", 1.0),
        carry=None if carry is None else last_known(carry),
        cash_rate=_cash_rate(panels, dates),
        accrual_days=next(iter(panels.values())).accrual_days if len(panels) == 1 else None,
    )


def joined_symbol(key: str, symbol: str, joined: Container[str]) -> str:
    """How a joined panel with the symbols ``joined`` calls a symbol of the panel ``key``."""
    return name if (name := f"{key}:{symbol}") in joined else symbol


def _cash_rate(panels: Mapping[str, MarketPanel], dates: DateArray) -> FloatArray | None:
    """(T,) what any of the panels knows on each date; the first in the order of their names."""
    if all(panel.cash_rate is None for panel in panels.values()):
        return None
    joined = np.full(len(dates), np.nan)
    for _, panel in sorted(panels.items()):
        joined = np.where(np.isnan(joined), panel.cash_rate_on(dates), joined)
    return joined


def _sorted_symbols(panels: Mapping[str, MarketPanel]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Names in order, and the place of each in the panels laid side by side in the order of their keys."""
    pairs = [(key, symbol) for key in sorted(panels) for symbol in panels[key].symbols]
    count = Counter(symbol for _, symbol in pairs)
    names = [f"{key}:{symbol}" if count[symbol] > 1 else symbol for key, symbol in pairs]
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    return tuple(names[place] for place in order), order
