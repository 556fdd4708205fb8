"""The risk monitor: how often each limit bound, where an account stands against its limits, what it paid and earned."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.execution.accounts import INITIAL_EQUITY, IntArray, Limit
from wealtharena.execution.portfolio import TradedPath
from wealtharena.execution.rules import TradingRules

LIMIT_NAMES: dict[Limit, str] = {
    Limit.LONG_ONLY: "long_only",
    Limit.MAX_WEIGHT: "max_weight",
    Limit.EFFECTIVE_POSITIONS: "min_effective_positions",
    Limit.MAX_NET: "max_net",
    Limit.MAX_GROSS: "max_gross",
    Limit.MAX_VOLATILITY: "max_volatility",
    Limit.MAX_VAR: "max_var",
    Limit.MAX_CVAR: "max_cvar",
    Limit.MAX_TURNOVER: "max_turnover",
    Limit.DRAWDOWN_STOP: "drawdown_stop",
    Limit.LOCKED: "locked",
    Limit.UNFILLED: "unfilled",
    Limit.PARTICIPATION: "max_participation",
}
"""Names as in the settings, in the order in which limits are applied; the last three are the market's."""

FIGURE_OF_LIMIT = {
    "max_weight": "largest_weight",
    "min_effective_positions": "effective_positions",
    "max_net": "net",
    "max_gross": "gross",
    "max_volatility": "volatility",
    "max_var": "value_at_risk",
    "max_cvar": "expected_shortfall",
    "max_turnover": "turnover",
    "drawdown_stop": "drawdown",
}
"""Which of the last session's figures a limit is held against."""

_ALWAYS_ON = ("max_weight", "max_gross", "locked", "unfilled", "max_participation")
_PAID = {"commission": "commission_paid", "spread": "spread_paid", "impact": "impact_paid", "carrying": "carrying_paid"}
_RECEIVED = {"interest": "interest_received", "dividends": "dividends_received", "delisting": "delisting_lost"}


class MonitoredPath(TradedPath, Protocol):
    """What the monitor looks at; ``wealtharena.envs.SimulationPath`` has it."""

    @property
    def weights(self) -> FloatArray:
        """(T, A) held at the close."""


@dataclass(frozen=True, slots=True)
class DrawdownState:
    """How an account stands towards its drawdown stop.

    Attributes:
        drawdowns: (T,) fall from the peak that the stop counts from, in [0, 1].
        stopped: sessions that a stopped account still stays in cash, as the kernel counts them; 0 if it trades.
    """

    drawdowns: FloatArray
    stopped: int


def monitor(path: MonitoredPath, rules: TradingRules, annualisation: int) -> dict[str, float]:
    """Figures of one account by name, flat, for tables and experiment tracking.

    ``limit_<name>_bound_share``: share of the sessions in which a limit bound, see ``bound_shares``.
    ``<figure>_last``: see ``last_figures``.
    ``commission_paid``, ``spread_paid``, ``impact_paid``, ``carrying_paid`` (borrow and holding less carry),
    ``interest_received``, ``dividends_received``, ``delisting_lost``: sums in units of the initial equity.

    Args:
        rules: rules that the path was traded under.
        annualisation: sessions per year.
    """
    shares = bound_shares(path.summary["limits"], rules)
    figures = last_figures(path, rules, annualisation)
    amounts = {name: float(path.summary[column].sum()) for column, name in (_PAID | _RECEIVED).items()}
    return {
        **{f"limit_{name}_bound_share": share for name, share in shares.items()},
        **{f"{name}_last": value for name, value in figures.items()},
        **amounts,
    }


def bound_shares(limits: IntArray, rules: TradingRules) -> dict[str, float]:
    """Share of sessions in which each limit that ``rules`` have on bound, by name; NaN where there is no session.

    Args:
        limits: ``Limit`` flags, of any shape.
    """
    names = active_limits(rules)
    if limits.size == 0:
        return dict.fromkeys(names, math.nan)
    flags = {name: int(limit) for limit, name in LIMIT_NAMES.items() if name in names}
    return {name: float(np.mean((limits & flag) != 0)) for name, flag in flags.items()}


def active_limits(rules: TradingRules) -> dict[str, float]:
    """Limits that can bind, with their thresholds; NaN where they have none (``long_only``, the market's)."""
    return {name: _threshold(name, rules) for name in LIMIT_NAMES.values() if name in _ALWAYS_ON or _is_on(name, rules)}


def last_figures(path: MonitoredPath, rules: TradingRules, annualisation: int) -> dict[str, float]:
    """How an account stands after the last session: exposures at the close, risk of the last targets.

    ``gross``, ``net``, ``largest_weight`` over equity; ``effective_positions``: as ``min_effective_positions`` counts
    them, NaN without positions; ``turnover``; ``volatility`` a year, ``value_at_risk`` and ``expected_shortfall`` a
    day, NaN where no limit asks for them; ``drawdown``, at least 0.
    """
    weights, record = path.weights[-1], path.summary[-1]
    squares = float((weights**2).sum())
    measured = any(limit is not None for limit in (rules.max_volatility, rules.max_var, rules.max_cvar))
    known = 1.0 if measured else math.nan
    return {
        "gross": float(np.abs(weights).sum()),
        "net": float(weights.sum()),
        "largest_weight": float(np.abs(weights).max(initial=0.0)),
        "effective_positions": rules.max_gross**2 / squares if squares > 0.0 else math.nan,
        "turnover": float(record["turnover"]),
        "volatility": known * float(record["volatility"]) * math.sqrt(annualisation),
        "value_at_risk": known * float(record["value_at_risk"]),
        "expected_shortfall": known * float(record["expected_shortfall"]),
        "drawdown": float(drawdown_state(path.equity, path.summary["limits"], rules).drawdowns[-1]),
    }


def drawdown_state(equity: FloatArray, limits: IntArray, rules: TradingRules) -> DrawdownState:
    """Drawdowns as the stop counts them: the peak counts anew when a stopped account trades again.

    Args:
        equity: (T,) at the close, from an initial equity of 1.
        limits: (T,) ``Limit`` flags.
        rules: rules that the account traded under.
    """
    in_cash = (limits & int(Limit.DRAWDOWN_STOP)) != 0
    drawdowns = np.zeros(len(equity))
    peak, before, sessions = INITIAL_EQUITY, INITIAL_EQUITY, 0
    for t, now in enumerate(equity.tolist()):
        if sessions and not in_cash[t]:
            peak = before
        sessions = sessions + 1 if in_cash[t] else 0
        peak, before = max(peak, now), now
        drawdowns[t] = min(1.0, 1.0 - now / peak) if peak > 0.0 else 1.0
    return DrawdownState(drawdowns, rules.reentry_sessions - sessions + 1 if sessions else 0)


def _is_on(name: str, rules: TradingRules) -> bool:
    value = getattr(rules, name)
    if value is None or value is False:
        return False
    return bool(name != "min_effective_positions" or value > 1.0)


def _threshold(name: str, rules: TradingRules) -> float:
    return float(getattr(rules, name)) if name in FIGURE_OF_LIMIT else math.nan
