"""The promotion gate: who is champion after a night, and why."""

from wealtharena.promotion.consent import declined
from wealtharena.promotion.decision import CHANGES, Check, Decision, DecisionOutcome, Serving, Standing
from wealtharena.promotion.gate import decide
from wealtharena.promotion.inputs import Champion, GateInputs, LaneInputs, Record, TrialCount
from wealtharena.promotion.score_card import Kind, ScoreCard, score
from wealtharena.promotion.spending import Look
from wealtharena.promotion.states import State

__all__ = [
    "CHANGES",
    "Champion",
    "Check",
    "Decision",
    "DecisionOutcome",
    "GateInputs",
    "Kind",
    "LaneInputs",
    "Look",
    "Record",
    "ScoreCard",
    "Serving",
    "Standing",
    "State",
    "TrialCount",
    "decide",
    "declined",
    "score",
]
