"""Learning controls: does a training learn what there is to learn, and nothing that is not there?

An agent is trained on a market with a known answer and scored beside its oracle on histories that neither has seen.
How it is trained is handed in: nothing here knows an algorithm.
"""

from wealtharena.evaluation.learning.controls import LearningControl, learning_control
from wealtharena.evaluation.learning.leak import LEAKED_FEATURE, LEAKY_MARKETS, with_leak
from wealtharena.evaluation.learning.protocol import Learnt, Lesson, SeedOutcome, Trainer, learn_and_compare
from wealtharena.evaluation.learning.summary import STANDSTILL, LearningSummary, summarise

__all__ = [
    "LEAKED_FEATURE",
    "LEAKY_MARKETS",
    "STANDSTILL",
    "LearningControl",
    "LearningSummary",
    "Learnt",
    "Lesson",
    "SeedOutcome",
    "Trainer",
    "learn_and_compare",
    "learning_control",
    "summarise",
    "with_leak",
]
