"""Thresholds that contradict one another are refused."""

import pytest
from pydantic import ValidationError

from wealtharena.settings import PromotionSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"confirmed_evidence": 2.0}, "confirmed_evidence must be at least provisional_evidence 3, got 2"),
        ({"max_sessions": 42}, "max_sessions must be above min_sessions 42, got 42"),
        ({"error_per_year": 0.0}, "greater than 0"),
        ({"policy": "naive"}, "two_key"),
        ({"min_sharpe_gain": 0.1}, "min_sharpe_gain"),
    ],
)
def test_it_says_what_is_wrong(values: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PromotionSettings(**values)  # type: ignore[arg-type]
