"""What the meta-agent learns from: a market whose assets are the agents' books."""

from datetime import date

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel

# The agents' validation window is all the allocator may learn from: two thirds to train on, a third to choose by.
_TRAIN_SHARE = 2 / 3
_MIN_SESSIONS = 40


def split_strategies(panel: MarketPanel, last: date, embargo_days: int) -> tuple[MarketPanel, MarketPanel]:
    """Training and validation part of a strategy panel up to ``last``, with ``embargo_days`` sessions between them.

    The validation part begins with one row that is only seen, as ``TrainingJob`` asks.

    Raises:
        DataWindowError: one of the parts would have fewer than 40 sessions.
    """
    rows = int(np.searchsorted(panel.dates, np.datetime64(last, "D"), side="right"))
    train_end = int(rows * _TRAIN_SHARE)
    validation_start = train_end + embargo_days
    if min(train_end, rows - validation_start) < _MIN_SESSIONS:
        raise DataWindowError(
            f"the meta-agent needs {_MIN_SESSIONS} sessions to train on and to choose by, got {train_end} and "
            f"{rows - validation_start} up to {last}; lengthen windows.validation_days"
        )
    return panel.rows(0, train_end), panel.rows(validation_start - 1, rows)
