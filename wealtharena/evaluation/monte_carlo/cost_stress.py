"""What a strategy earns when trading costs more or less than assumed, and at which cost it earns nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wealtharena.core.panel import AssetCosts, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.monte_carlo.figures import path_figures
from wealtharena.evaluation.monte_carlo.simulation import Simulation
from wealtharena.evaluation.newey_west import long_run_standard_error

METHOD_COST, METHOD_SLIPPAGE = "cost", "slippage"
HIGHEST_MULTIPLE = 32.0
"""Break-even costs above this multiple are not looked for: no broker is that dear."""
_BPS = 1e4
_PRECISION = 1e-3

TradeAt = Callable[[MarketPanel], BacktestResult]


@dataclass(frozen=True)
class Stress:
    """One account under changed conditions, beside the same account as it was backtested.

    Attributes:
        method, scenario: what was changed.
        result: the backtest.
        excess_return: mean return above cash, a year.
        difference: of it to the unchanged account's, over the same sessions.
        standard_error: of ``difference``, with autocorrelation; NaN below two sessions.
    """

    method: str
    scenario: str
    result: BacktestResult
    excess_return: float
    difference: float
    standard_error: float

    def simulation(self) -> Simulation:
        """Figures of the one account."""
        result = self.result
        figures = path_figures(result.returns[None], result.cash_returns, result.annualisation)
        effect = {"difference": np.array([self.difference]), "standard_error": np.array([self.standard_error])}
        return Simulation(self.method, self.scenario, figures | effect)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The cost at which nothing is earned above cash.

    Attributes:
        multiple: of the assumed costs; None where there is none.
        reason: why there is none.
    """

    multiple: float | None
    reason: str = ""


def stress(method: str, scenario: str, result: BacktestResult, base: BacktestResult) -> Stress:
    """A changed account beside the unchanged one; both over the same sessions."""
    paired = (result.excess_returns - base.excess_returns) * result.annualisation
    return Stress(
        method=method,
        scenario=scenario,
        result=result,
        excess_return=_excess_return(result),
        difference=float(paired.mean()),
        standard_error=long_run_standard_error(paired),
    )


def cost_stress(
    trade: TradeAt, panel: MarketPanel, base: BacktestResult, multiples: Sequence[float]
) -> tuple[Stress, ...]:
    """The strategy with all trading and holding costs multiplied; it sees what happens and decides anew."""
    return tuple(stress(METHOD_COST, f"{multiple:g}x", trade(at_cost(panel, multiple)), base) for multiple in multiples)


def slippage_stress(
    trade: TradeAt, panel: MarketPanel, base: BacktestResult, slippage_bps: Sequence[float]
) -> tuple[Stress, ...]:
    """The strategy with every fill worse by so many basis points, on top of its costs."""
    return tuple(
        stress(METHOD_SLIPPAGE, f"+{bps:g} bp", trade(replace(panel, costs=_slipped(panel.costs, bps))), base)
        for bps in slippage_bps
    )


def at_cost(panel: MarketPanel, multiple: float) -> MarketPanel:
    """The market with all trading and holding costs ``multiple`` times as high."""
    return replace(panel, costs=panel.costs.times(multiple))


def break_even_cost(trade: TradeAt, panel: MarketPanel, stresses: Sequence[Stress]) -> BreakEven:
    """Multiple of the costs at which the mean return above cash, and with it the Sharpe ratio, changes its sign.

    The bracket is taken from the stresses, then halved with new simulations down to a thousandth; where decisions make
    the curve cross zero more than once it is the lowest crossing that the bracket shows.

    Args:
        stresses: of ``cost_stress``, of the same strategy.
    """

    def excess(multiple: float) -> float:
        return _excess_return(trade(at_cost(panel, multiple)))

    known = {float(item.scenario.removesuffix("x")): item.excess_return for item in stresses}
    known[0.0] = excess(0.0)
    if known[0.0] <= 0.0:
        return BreakEven(None, "it earns no more than cash even free of cost")
    highest = max(known)
    while known[highest] > 0.0 and highest < HIGHEST_MULTIPLE:
        highest = min(max(2.0 * highest, 1.0), HIGHEST_MULTIPLE)
        known[highest] = excess(highest)
    losing = [multiple for multiple, value in known.items() if value <= 0.0]
    if not losing:
        return BreakEven(None, f"it earns more than cash at {highest:g} times the cost")
    high = min(losing)
    low = max(multiple for multiple in known if multiple < high)
    while high - low > _PRECISION * max(high, 1.0):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    return BreakEven(0.5 * (low + high))


def _excess_return(result: BacktestResult) -> float:
    return float(result.excess_returns.mean()) * result.annualisation


def _slipped(costs: AssetCosts, bps: float) -> AssetCosts:
    half_spread: FloatArray = costs.half_spread + bps / _BPS
    return replace(costs, half_spread=half_spread)
