"""Several histories of the same assets as one panel, so that their accounts can trade side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.monte_carlo.blocks import IntArray
from wealtharena.evaluation.nights import nights_of

_PER_SESSION = (
    "features", "open", "close", "tradable", "observed", "delisted", "dollar_volume", "volatility", "dividend",
    "split", "carry", "cash_rate",
)  # fmt: skip


def in_sequence(panels: Sequence[MarketPanel]) -> tuple[MarketPanel, IntArray]:
    """The panels one after another, and the row after the last of each, (N,).

    Dates of the result mean nothing but order; nights have the days of interest that they have in their own panel. An
    account must begin far enough behind the start of its panel that it looks back at no other.

    Args:
        panels: of the same symbols and features, at least one; what one has (dividends …) all have.
    """
    first = panels[0]
    arrays: dict[str, Any] = {
        name: None if getattr(first, name) is None else np.concatenate([getattr(panel, name) for panel in panels])
        for name in _PER_SESSION
    }
    ends: IntArray = np.cumsum([len(panel.dates) for panel in panels], dtype=np.int64)
    return MarketPanel(
        dates=np.datetime64(0, "D") + np.arange(int(ends[-1])),
        symbols=first.symbols,
        feature_names=first.feature_names,
        costs=first.costs,
        annualisation=first.annualisation,
        accrual_days=np.concatenate([nights_of(panel) for panel in panels]),
        **arrays,
    ), ends
