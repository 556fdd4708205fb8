"""Many worlds of a market: how often the whole chain ended with an agent as champion, and whether it should have."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from wealtharena.core.errors import SettingsError
from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.verification import Estimate, verification_market
from wealtharena.promotion.simulation import Rate

SIGNIFICANCE = 0.05
"""Probability below which as many promotions count as no accident where there is nothing to find."""
MOST_WORLDS = 0.5
"""Share of the worlds in which an agent must become champion where there is an edge."""


@dataclass(frozen=True, slots=True)
class WorldOutcome:
    """One world; nights count the sessions traded before them, None for never. Sharpe ratios are annual, of returns
    above cash, 0 for an account that never moved, and but for ``history`` of the sessions after the first night.

    Attributes:
        seed: of world and trainings.
        promoted: night on which the agent became champion.
        confirmed, rolled_back: nights on which it was confirmed, and gave the place back.
        first: name of the first champion.
        reason: of the decision that made the agent champion, else of the first one.
        served: of the account that followed every decision.
        policy: of the agent's own account.
        oracle: of the best that is possible.
        history: of the agent's walk-forward.
    """

    seed: int
    promoted: int | None
    confirmed: int | None
    rolled_back: int | None
    first: str
    reason: str
    served: float
    policy: float
    oracle: float
    history: float


@dataclass(frozen=True, slots=True)
class PipelineSummary:
    """All worlds of a market.

    Attributes:
        market: name in ``VERIFICATION_MARKETS``.
        outcomes: one per world.
        promoted, confirmed: shares of the worlds.
        rolled_back: share of the promotions; None without any.
        median_session: sessions before the takeover, median over the worlds with one; NaN without any.
        served, policy, oracle, history: means over the worlds with their standard errors, see ``WorldOutcome``.
        bound: what was asked, in words.
        kept: whether that was met.
    """

    market: str
    outcomes: tuple[WorldOutcome, ...]
    promoted: Rate
    confirmed: Rate
    rolled_back: Rate | None
    median_session: float
    served: Estimate
    policy: Estimate
    oracle: Estimate
    history: Estimate
    bound: str
    kept: bool

    def as_record(self) -> dict[str, Any]:
        """JSON-safe values."""
        means = {name: getattr(self, name) for name in ("served", "policy", "oracle", "history")}
        rates = {"promoted": self.promoted, "confirmed": self.confirmed, "rolled_back": self.rolled_back}
        return {
            "market": self.market,
            **{name: None if rate is None else _record(rate) for name, rate in rates.items()},
            "median_session": number_or_none(self.median_session),
            **{
                name: {"mean": mean.value, "standard_error": number_or_none(mean.standard_error)}
                for name, mean in means.items()
            },
            "bound": self.bound,
            "kept": self.kept,
            "worlds": [asdict(outcome) for outcome in self.outcomes],
        }


def summarise(market: str, outcomes: Sequence[WorldOutcome], error_per_year: float) -> PipelineSummary:
    """Rates, means and verdict.

    Where there is nothing to find, so many promotions must not be improbable (5 %, one-sided exact binomial test) if
    the gate errs in ``error_per_year`` of the worlds. Where there is an edge, most worlds must see one. A market that
    asks no share of its oracle and has something to find, as M1d, asks nothing here.

    Args:
        market: its name.
        outcomes: of a year of nights each.
        error_per_year: the promise to keep, ``promotion.error_per_year``.

    Raises:
        SettingsError: there is no outcome, or no such market.
    """
    if not outcomes:
        raise SettingsError("outcomes must hold at least one world, got none")
    nights = [outcome.promoted for outcome in outcomes if outcome.promoted is not None]
    promoted = Rate(len(nights), len(outcomes))
    bound, kept = _verdict(market, promoted, error_per_year)
    return PipelineSummary(
        market=market,
        outcomes=tuple(outcomes),
        promoted=promoted,
        confirmed=Rate(sum(outcome.confirmed is not None for outcome in outcomes), len(outcomes)),
        rolled_back=Rate(sum(outcome.rolled_back is not None for outcome in outcomes), len(nights)) if nights else None,
        median_session=float(np.median(nights)) if nights else math.nan,
        served=_mean([outcome.served for outcome in outcomes]),
        policy=_mean([outcome.policy for outcome in outcomes]),
        oracle=_mean([outcome.oracle for outcome in outcomes]),
        history=_mean([outcome.history for outcome in outcomes]),
        bound=bound,
        kept=kept,
    )


def probability_of_as_many(rate: Rate, probability: float) -> float:
    """That of ``rate.worlds`` independent worlds ``rate.count`` or more are hit, each with ``probability``."""
    worlds = rate.worlds
    fewer = sum(math.comb(worlds, k) * probability**k * (1.0 - probability) ** (worlds - k) for k in range(rate.count))
    return max(0.0, 1.0 - fewer)


def _verdict(market: str, promoted: Rate, error_per_year: float) -> tuple[str, bool]:
    target = verification_market(market).target
    if target == "no profit":
        found = probability_of_as_many(promoted, error_per_year)
        return (
            f"at most {error_per_year:.0%} a year: as many have a probability of {found:.2g}, at least "
            f"{SIGNIFICANCE:g} is asked",
            found >= SIGNIFICANCE,
        )
    if target == "share":
        return f"in more than {MOST_WORLDS:.0%} of the worlds", promoted.value > MOST_WORLDS
    return "none", True


def _mean(values: Sequence[float]) -> Estimate:
    """Mean and its standard error; NaN for that of a single world."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(np.mean(values)), error)


def _record(rate: Rate) -> dict[str, Any]:
    return {**asdict(rate), "share": rate.value, "interval": list(rate.interval)}
