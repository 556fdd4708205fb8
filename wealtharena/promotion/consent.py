"""A decision that waited for a person, after the answer was no."""

from dataclasses import replace

from wealtharena.promotion.decision import Decision, DecisionOutcome
from wealtharena.promotion.inputs import Champion
from wealtharena.promotion.refresh import staying


def declined(decision: Decision, champion: Champion, by: str, comment: str) -> Decision:
    """The champion stays; checks and evidence remain as they were found."""
    why = f" ({comment})" if comment else ""
    return replace(
        decision,
        outcome=DecisionOutcome.REJECTED,
        serving=staying(champion),
        reason=f"Not approved by {by}{why}; the champion {champion.name} stays. Proposed was: {decision.reason}",
        needs_approval=False,
    )
