"""Nights between a panel's sessions, and what cash earns over them, as the kernel counts them."""

import numpy as np

from wealtharena.core.panel import FloatArray, MarketPanel

DAYS_PER_YEAR = 365.0


def nights_of(panel: MarketPanel) -> FloatArray:
    """(T,) days of interest between the close before and the open of each session; 0 before the first."""
    if panel.accrual_days is not None:
        return panel.accrual_days
    days = panel.dates.astype("datetime64[D]").astype(np.int64)
    return np.append(0.0, np.diff(days).astype(np.float64))


def cash_returns_of(panel: MarketPanel) -> FloatArray:
    """(T,) what an account that holds nothing but cash earns in each session."""
    rate = np.zeros(len(panel.dates)) if panel.cash_rate is None else np.nan_to_num(panel.cash_rate)
    earned: FloatArray = nights_of(panel) * (np.append(0.0, rate[:-1]) / DAYS_PER_YEAR)
    return earned
