"""The promotion gate: who is champion after a night, and why."""

from wealtharena.promotion.decision import Check, Decision, DecisionOutcome, Evidence
from wealtharena.promotion.gate import decide
from wealtharena.promotion.score_card import Kind, ScoreCard, score

__all__ = ["Check", "Decision", "DecisionOutcome", "Evidence", "Kind", "ScoreCard", "decide", "score"]
