"""How a panel's sessions are cut: training, embargo, validation, embargo, held-out up to the last session."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel
from wealtharena.settings import WindowSettings

# Rows of a panel: first included, last excluded, as ``MarketPanel.rows`` takes them.
Window = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Windows:
    """Row ranges (first included, last excluded) of the three windows of one panel.

    Attributes:
        train: starts at the first session on which any asset is observed; earlier rows only fill lookbacks.
        validation: for the choice of a checkpoint and for the meta-agent.
        held_out: ends at the panel's last session; read by nothing but the backtest and the promotion gate.
    """

    train: Window
    validation: Window
    held_out: Window


def split_windows(panel: MarketPanel, windows: WindowSettings, name: str = "the panel") -> Windows:
    """Cut ``panel`` from its end backwards; whatever is left at the start is for training.

    Args:
        panel: market of one asset class.
        windows: lengths in sessions.
        name: asset class, for the message.

    Raises:
        DataWindowError: fewer sessions than held-out, validation, two embargoes and the shortest training need.
    """
    usable = np.flatnonzero(panel.observed.any(axis=1))
    start = int(usable[0]) if usable.size else len(panel.dates)
    _require_enough(len(panel.dates) - start, windows, name, panel.span())
    held_out_first = len(panel.dates) - windows.held_out_days
    validation_last = held_out_first - windows.embargo_days
    validation_first = validation_last - windows.validation_days
    return Windows(
        train=(start, validation_first - windows.embargo_days),
        validation=(validation_first, validation_last),
        held_out=(held_out_first, len(panel.dates)),
    )


def window_dates(panel: MarketPanel, window: Window) -> tuple[date, date]:
    """First and last session of a window."""
    first, last = window
    return panel.dates[first].astype(object), panel.dates[last - 1].astype(object)


def _require_enough(available: int, windows: WindowSettings, name: str, span: str) -> None:
    needed = windows.min_train_days + windows.validation_days + windows.held_out_days + 2 * windows.embargo_days
    if available < needed:
        raise DataWindowError(
            f"{name}: the windows need {needed} sessions ({windows.min_train_days} training, "
            f"{windows.validation_days} validation, {windows.held_out_days} held-out, 2 x {windows.embargo_days} "
            f"embargo), got {available} with observed assets in {span}"
        )
