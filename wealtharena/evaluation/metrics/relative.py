"""All metrics of one account beside another in one frozen record."""

from dataclasses import asdict, dataclass

from numpy.typing import ArrayLike

from wealtharena.evaluation.metrics.active import active_premium, information_ratio, tracking_error
from wealtharena.evaluation.metrics.market_model import alpha, beta
from wealtharena.evaluation.metrics.observations import excess_returns
from wealtharena.evaluation.metrics.pairs import paired_observations


@dataclass(frozen=True, slots=True)
class RelativeMetrics:
    """An account beside its benchmark over the sessions that both have; NaN where undefined, never infinite.

    Attributes:
        sessions: that both have.
        beta: slope of the account's excess returns on the benchmark's.
        alpha: annual excess return that the benchmark does not explain.
        active_premium: annual return less the benchmark's.
        tracking_error: annual standard deviation of the difference.
        information_ratio: active premium over tracking error.
    """

    sessions: int
    beta: float
    alpha: float
    active_premium: float
    tracking_error: float
    information_ratio: float

    def as_dict(self) -> dict[str, float]:
        """Name to value, in the order of the attributes."""
        return asdict(self)


def compare_with(
    returns: ArrayLike, benchmark: ArrayLike, annualisation: int, cash_returns: ArrayLike = 0.0
) -> RelativeMetrics:
    """Metrics of an account relative to a benchmark.

    Args:
        returns: (n,) simple net returns per session; NaN = no session.
        benchmark: (n,) of the same sessions.
        annualisation: sessions per year.
        cash_returns: (n,) what cash earned in them, or one figure for all; only beta and alpha are above it.

    Raises:
        DataWindowError: the two are not equally long.
    """
    own, other = paired_observations(returns, benchmark)
    above, other_above = excess_returns(returns, cash_returns), excess_returns(benchmark, cash_returns)
    return RelativeMetrics(
        sessions=int(own.size),
        beta=beta(above, other_above),
        alpha=alpha(above, other_above, annualisation),
        active_premium=active_premium(own, other, annualisation),
        tracking_error=tracking_error(own, other, annualisation),
        information_ratio=information_ratio(own, other, annualisation),
    )
