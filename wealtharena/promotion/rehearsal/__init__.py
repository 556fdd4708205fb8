"""The nights of a year rehearsed: the gate's own decisions on a market whose answer is known.

Who trained the agent is not known here: accounts and score cards are handed in.
"""

from wealtharena.promotion.rehearsal.markets import NIGHTS, Calendar, as_market
from wealtharena.promotion.rehearsal.nights import Course, rehearse
from wealtharena.promotion.rehearsal.summary import PipelineSummary, WorldOutcome, summarise

__all__ = [
    "NIGHTS",
    "Calendar",
    "Course",
    "PipelineSummary",
    "WorldOutcome",
    "as_market",
    "rehearse",
    "summarise",
]
