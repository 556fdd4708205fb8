"""All metrics of one account in one frozen record."""

from dataclasses import asdict, dataclass

from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.activity import (
    annual_turnover,
    mean_gross,
    mean_net,
    time_in_market,
    total_turnover,
)
from wealtharena.evaluation.metrics.downside import sortino_ratio
from wealtharena.evaluation.metrics.drawdown import calmar_ratio, max_drawdown, max_drawdown_sessions
from wealtharena.evaluation.metrics.growth import annual_return, hit_rate, total_return
from wealtharena.evaluation.metrics.moments import kurtosis, skewness, volatility
from wealtharena.evaluation.metrics.observations import excess_returns, observations
from wealtharena.evaluation.metrics.omega import omega_ratio
from wealtharena.evaluation.metrics.pain import ulcer_index
from wealtharena.evaluation.metrics.profit_factor import profit_factor, session_profits
from wealtharena.evaluation.metrics.sharpe import probabilistic_sharpe, sharpe_ratio, sharpe_standard_error
from wealtharena.evaluation.metrics.tail import conditional_value_at_risk, tail_ratio, value_at_risk


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of one account over one window; NaN where a metric is not defined, never infinite.

    Interest that idle cash earns is no skill: ratios of gain to risk or loss and the hit rate are taken of excess
    returns, those above cash; returns, volatility, drawdowns and tails are the account's own.

    Attributes:
        sessions: number of returns that are not NaN.
        total_return: compound net return, fraction.
        annual_return: geometric net return per year.
        volatility: annual standard deviation.
        sharpe: annual Sharpe ratio of the excess returns; NaN for an account that never moved beside cash.
        sharpe_standard_error: its standard error (Mertens 2002), annual.
        probabilistic_sharpe: probability that the true Sharpe ratio is above 0.
        sortino: annual Sortino ratio of the excess returns against zero.
        calmar: annual excess return over maximum drawdown.
        omega: gains over losses of the excess returns.
        profit_factor: money won over money lost, above cash, session by session.
        max_drawdown: largest fall from a peak, positive fraction.
        max_drawdown_sessions: sessions of the longest stretch below a peak.
        ulcer: root mean square drawdown.
        value_at_risk: historical 95 % value at risk per session, positive = loss.
        conditional_value_at_risk: mean loss at or beyond it.
        tail_ratio: gain at the 95 % quantile over loss at the 5 % quantile.
        hit_rate: share of winning sessions among those with an excess return.
        skewness: population skewness of the returns per session.
        kurtosis: population kurtosis (Normal = 3).
        turnover: traded value over equity, summed over the window.
        annual_turnover: the same per year.
        mean_gross: average gross exposure.
        mean_net: average net exposure, shorts negative.
        time_in_market: share of the sessions with any position.
    """

    sessions: int
    total_return: float
    annual_return: float
    volatility: float
    sharpe: float
    sharpe_standard_error: float
    probabilistic_sharpe: float
    sortino: float
    calmar: float
    omega: float
    profit_factor: float
    max_drawdown: float
    max_drawdown_sessions: float
    ulcer: float
    value_at_risk: float
    conditional_value_at_risk: float
    tail_ratio: float
    hit_rate: float
    skewness: float
    kurtosis: float
    turnover: float
    annual_turnover: float
    mean_gross: float
    mean_net: float
    time_in_market: float

    def as_dict(self) -> dict[str, float]:
        """Name to value, in the order of the attributes."""
        return asdict(self)


def summarise(
    returns: ArrayLike,
    turnover: ArrayLike,
    gross: ArrayLike,
    annualisation: int,
    cash_returns: ArrayLike = 0.0,
    net: ArrayLike = (),
) -> Metrics:
    """Metrics of an account.

    Args:
        returns: (n,) simple net returns per session; NaN = no session.
        turnover: (n,) traded value per session over equity.
        gross: (n,) gross exposure per session.
        annualisation: sessions per year.
        cash_returns: (n,) what cash earned in the same sessions, or one figure for all.
        net: (n,) net exposure per session; empty where it is not known.
    """
    values = observations(returns)
    above = excess_returns(returns, cash_returns)
    excess = observations(above)
    skew, kurt = skewness(excess), kurtosis(excess)
    return Metrics(
        sessions=int(values.size),
        total_return=total_return(values),
        annual_return=annual_return(values, annualisation),
        volatility=volatility(values, annualisation),
        sharpe=sharpe_ratio(excess, annualisation),
        sharpe_standard_error=sharpe_standard_error(excess, annualisation),
        probabilistic_sharpe=probabilistic_sharpe(sharpe_ratio(excess), 0.0, excess.size, skew, kurt),
        sortino=sortino_ratio(excess, annualisation),
        calmar=calmar_ratio(values, annualisation, excess),
        omega=omega_ratio(excess),
        profit_factor=profit_factor(session_profits(returns, above)),
        max_drawdown=max_drawdown(values),
        max_drawdown_sessions=max_drawdown_sessions(values),
        ulcer=ulcer_index(values),
        value_at_risk=value_at_risk(values),
        conditional_value_at_risk=conditional_value_at_risk(values),
        tail_ratio=tail_ratio(values),
        hit_rate=hit_rate(excess),
        skewness=skewness(values),
        kurtosis=kurtosis(values),
        turnover=total_turnover(turnover),
        annual_turnover=annual_turnover(turnover, annualisation),
        mean_gross=mean_gross(gross),
        mean_net=mean_net(net),
        time_in_market=time_in_market(gross),
    )
