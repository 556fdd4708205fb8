"""Worlds in which the gate is tried: who is truly better there, and what history is worth."""

from dataclasses import dataclass

CANDIDATE_LANES = 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of simulated year.

    Attributes:
        name: for the command line.
        meaning: for people.
        gain: true annual Sharpe ratio of the first lane above the champion's; the other lanes equal the champion.
        everyone: whether the gain is every lane's.
        correlation: of each lane's returns with the champion's.
        crashes: challengers earn a little on 99 % of days and lose 6 standard deviations on the rest.
        history_counts: False where the first key opens by itself: a history that was tuned until it looked good.
        history_years: length of the history.
    """

    name: str
    meaning: str
    gain: float = 0.0
    everyone: bool = False
    correlation: float = 0.8
    crashes: bool = False
    history_counts: bool = True
    history_years: int = 10

    @property
    def has_edge(self) -> bool:
        """Whether a takeover by the first lane is right."""
        return self.gain > 0.0


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("null", "no lane is better"),
        Scenario("null-crash", "no lane is better; lanes crash now and then", crashes=True),
        Scenario("worthless", "no lane is better, every history looks proven", history_counts=False),
        Scenario("worthless-crash", "the same; lanes crash now and then", crashes=True, history_counts=False),
        Scenario(
            "worthless-worse", "every lane is worse by 1, every history looks proven", -1.0, True, history_counts=False
        ),
        Scenario("gain-0.5", "one of four lanes is better by 0.5", 0.5),
        Scenario("gain-1", "one of four lanes is better by 1", 1.0),
        Scenario("gain-1-short", "the same with a history of five years", 1.0, history_years=5),
        Scenario("gain-2", "one of four lanes is better by 2", 2.0),
    )
}
