"""How a panel's sessions are cut: training, embargo, validation, embargo, held-out up to the last session."""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel
from wealtharena.settings import WindowSettings

TRADING_DAYS_PER_YEAR = 252

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
        windows: lengths in trading days, 252 to the year, so that all classes are cut at about the same dates.
        name: asset class, for the message.

    Raises:
        DataWindowError: fewer sessions than held-out, validation, two embargoes and the shortest training need.
    """
    start = first_observed(panel)
    held_out, validation, embargo, train = (
        sessions_of(days, panel.annualisation)
        for days in (windows.held_out_days, windows.validation_days, windows.embargo_days, windows.min_train_days)
    )
    available, needed = len(panel.dates) - start, train + validation + held_out + 2 * embargo
    if available < needed:
        raise DataWindowError(
            f"{name}: the windows need {needed} sessions ({train} training, {validation} validation, {held_out} "
            f"held-out, 2 x {embargo} embargo), got {available} with observed assets in {panel.span()}"
        )
    held_out_first = len(panel.dates) - held_out
    validation_last = held_out_first - embargo
    validation_first = validation_last - validation
    return Windows(
        train=(start, validation_first - embargo),
        validation=(validation_first, validation_last),
        held_out=(held_out_first, len(panel.dates)),
    )


def first_observed(panel: MarketPanel) -> int:
    """First row on which any asset is observed, where training may begin; the number of rows if none ever is."""
    usable = np.flatnonzero(panel.observed.any(axis=1))
    return int(usable[0]) if usable.size else len(panel.dates)


def window_dates(panel: MarketPanel, window: Window) -> tuple[date, date]:
    """First and last session of a window."""
    first, last = window
    return panel.dates[first].astype(object), panel.dates[last - 1].astype(object)


def sessions_of(trading_days: int, annualisation: int) -> int:
    """The settings count 252 days to the year; a market that trades more often has more sessions in the same span."""
    return math.ceil(trading_days * annualisation / TRADING_DAYS_PER_YEAR)
