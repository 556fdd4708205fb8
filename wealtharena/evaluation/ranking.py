"""Order of agents that never puts one above another that dominates it."""

import math
from collections.abc import Mapping

from wealtharena.evaluation.metrics import Metrics


def rank(metrics: Mapping[str, Metrics]) -> list[str]:
    """Names from best to worst: by Sharpe ratio, then total return, then drawdown, then name.

    Because ties in one figure are settled by the next, whoever dominates another stands before it. An agent without a
    Sharpe ratio (it never moved, or its curve is broken) has shown nothing and comes last.
    """
    return sorted(metrics, key=lambda name: (*_sort_key(metrics[name]), name))


def dominates(one: Metrics, other: Metrics) -> bool:
    """Whether ``one`` is at least as good in Sharpe ratio, return and drawdown, and better in one of them.

    False wherever a figure is NaN: what is unknown can be neither better nor worse.
    """
    pairs = (
        (one.sharpe, other.sharpe),
        (one.total_return, other.total_return),
        (-one.max_drawdown, -other.max_drawdown),
    )
    return all(mine >= theirs for mine, theirs in pairs) and any(mine > theirs for mine, theirs in pairs)


def _sort_key(metrics: Metrics) -> tuple[bool, float, float, float]:
    figures = (-metrics.sharpe, -metrics.total_return, metrics.max_drawdown)
    unknown = any(math.isnan(figure) for figure in figures)
    return (True, 0.0, 0.0, 0.0) if unknown else (False, *figures)
