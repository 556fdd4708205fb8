"""Closed formulas of the verification markets.

Returns and costs are per session and per unit of position, Sharpe ratios per year of 252 sessions. A position is
decided after the close of ``t``, earns the return of ``t + 1``, and pays its proportional cost when it changes.
"""

import math
from dataclasses import dataclass

from wealtharena.evaluation.verification.markets import (
    AutoregressiveReturns,
    CarryPortfolio,
    ForecastReturns,
    HiddenRegimes,
    Martingale,
    MeanRevertingSpread,
    TrapFeature,
)
from wealtharena.evaluation.verification.worlds import SESSIONS_PER_YEAR

_ROOT_YEAR = math.sqrt(SESSIONS_PER_YEAR)
_MEAN_ABSOLUTE = math.sqrt(2.0 / math.pi)
"""Mean of the absolute value of a standard Normal variable."""


def coin_sharpe(market: Martingale, cost: float) -> float:
    """A position of -1 or 1 by the toss of a coin: it turns over in half of the sessions."""
    return -cost * _ROOT_YEAR / math.hypot(market.volatility, cost)


def linear_sharpe(market: AutoregressiveReturns) -> float:
    """A position proportional to the last return, without costs: to the order of ``phi**4`` the best there is."""
    return _ROOT_YEAR * market.phi / math.sqrt(1.0 + market.phi**2)


def sign_rule_mean(market: AutoregressiveReturns | MeanRevertingSpread, cost: float) -> float:
    """Mean per session of the position with the sign of the expected return."""
    if isinstance(market, MeanRevertingSpread):
        gain = market.reversion * market.deviation * _MEAN_ABSOLUTE
        return gain - 2.0 * cost * math.acos(1.0 - market.reversion) / math.pi
    return market.phi * market.volatility * _MEAN_ABSOLUTE - 2.0 * cost * math.acos(market.phi) / math.pi


def sign_rule_sharpe(market: AutoregressiveReturns, cost: float) -> float:
    """A position of the sign of the last return; ``q`` is the probability of a change of sign."""
    gain = market.phi * market.volatility * _MEAN_ABSOLUTE
    q = math.acos(market.phi) / math.pi
    variance = market.volatility**2 - gain**2 + 4.0 * cost**2 * q * (1.0 - q)
    return _ROOT_YEAR * sign_rule_mean(market, cost) / math.sqrt(variance)


@dataclass(frozen=True, slots=True)
class LinearRule:
    """``x[t] = memory x[t - 1] + gain f[t]``: how a position follows a forecast."""

    memory: float
    gain: float


@dataclass(frozen=True, slots=True)
class RuleMoments:
    """Stationary moments of a position ``x`` that follows a forecast ``f``: E[x f], E[x**2], E[(x[t] - x[t-1])**2]."""

    with_forecast: float
    square: float
    change_square: float


def partial_adjustment(market: ForecastReturns) -> LinearRule:
    """The best rule under quadratic costs. Garleanu and Pedersen (NBER working paper 15205), one asset."""
    scale = market.quadratic_cost / market.volatility**2
    keep = 1.0 - market.discount
    k = market.risk_aversion * keep + scale * market.discount
    a = (-k + math.sqrt(k**2 + 4.0 * market.risk_aversion * scale * keep**2)) / (2.0 * keep)
    aim = markowitz(market).gain / (1.0 + market.fading * a / market.risk_aversion)
    return LinearRule(memory=1.0 - a / scale, gain=a / scale * aim)


def markowitz(market: ForecastReturns) -> LinearRule:
    """The rule that would be best without costs."""
    return LinearRule(memory=0.0, gain=market.strength / (market.risk_aversion * market.volatility**2))


def rule_moments(rule: LinearRule, persistence: float) -> RuleMoments:
    """Stationary moments of a linear rule on a forecast of unit variance with that autocorrelation."""
    with_forecast = rule.gain / (1.0 - rule.memory * persistence)
    square = (rule.gain**2 + 2.0 * rule.memory * rule.gain * persistence * with_forecast) / (1.0 - rule.memory**2)
    change = 2.0 * (square - rule.memory * square - rule.gain * persistence * with_forecast)
    return RuleMoments(with_forecast, square, change)


def rule_utility(market: ForecastReturns, rule: LinearRule) -> float:
    """Mean per session of the gain less quadratic cost less half the risk aversion times the variance of the noise."""
    moments = rule_moments(rule, 1.0 - market.fading)
    risk = 0.5 * market.risk_aversion * market.volatility**2 * moments.square
    return _rule_mean(market, moments) - risk


def rule_sharpe(market: ForecastReturns) -> float:
    """Net Sharpe ratio of the best rule; the variance of its costs, 0.03 % of the whole, is left out."""
    moments = rule_moments(partial_adjustment(market), 1.0 - market.fading)
    forecast_variance = market.strength**2 * (moments.square + moments.with_forecast**2)
    variance = market.volatility**2 * moments.square + forecast_variance
    return _ROOT_YEAR * _rule_mean(market, moments) / math.sqrt(variance)


def spread_mean(market: MeanRevertingSpread, cost: float) -> float:
    """Mean per session of the position ``-X``; ``-k X`` earns ``k`` times as much."""
    turnover = market.deviation * math.sqrt(4.0 * market.reversion / math.pi)
    return market.reversion * market.deviation**2 - cost * turnover


def spread_sharpe(market: MeanRevertingSpread) -> float:
    """The position ``-k X`` without costs."""
    return math.sqrt(SESSIONS_PER_YEAR * market.reversion / (2.0 + market.reversion))


def known_regime_sharpe(market: HiddenRegimes, cost: float) -> float:
    """A position of the sign of today's regime, which nobody sees."""
    gain = market.drift * (2.0 * market.stay - 1.0)
    leave = 1.0 - market.stay
    variance = market.drift**2 + market.volatility**2 - gain**2 + 4.0 * cost**2 * market.stay * leave
    return _ROOT_YEAR * (gain - 2.0 * cost * leave) / math.sqrt(variance)


def carry_sharpe(market: CarryPortfolio, cost: float, adjustment: float = 1.0) -> float:
    """Positions that close ``adjustment`` of their gap to the signals less their mean over the assets in a session."""
    others = market.num_assets - 1
    moments = rule_moments(LinearRule(memory=1.0 - adjustment, gain=adjustment), market.persistence)
    deviation = math.sqrt(others / market.num_assets * moments.change_square)
    turnover = market.num_assets * deviation * _MEAN_ABSOLUTE
    payoff_variance = market.payoff**2 * (moments.square + moments.with_forecast**2)
    variance = others * (market.noise**2 * moments.square + payoff_variance)
    gain = market.payoff * others * moments.with_forecast
    return _ROOT_YEAR * (gain - cost * turnover) / math.sqrt(variance)


def trap_sharpe(market: TrapFeature) -> float:
    """A position of the sign of the feature before its release."""
    r = market.correlation
    return _ROOT_YEAR * r * _MEAN_ABSOLUTE / math.sqrt(1.0 - 2.0 * r**2 / math.pi)


def _rule_mean(market: ForecastReturns, moments: RuleMoments) -> float:
    return market.strength * moments.with_forecast - 0.5 * market.quadratic_cost * moments.change_square
