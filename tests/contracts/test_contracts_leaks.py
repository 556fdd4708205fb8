"""Seeded leaks: the checks of the indicator contract must catch each of them, or they prove nothing."""

import numpy as np
import pandas as pd
import pytest
from leak_checks import future_matters, truncation_changes
from synthetic_bars import synthetic_inputs

from wealtharena.indicators import Indicator
from wealtharena.indicators.windows import log_return

CUTS = tuple(range(60, 400, 7))


def _centred_mean(close: np.ndarray) -> np.ndarray:
    log_close = pd.Series(np.log(close))
    return (log_close - log_close.rolling(21, center=True, min_periods=1).mean()).to_numpy()


def _full_sample_z_score(close: np.ndarray) -> np.ndarray:
    returns = np.nan_to_num(log_return(close, 1))
    return (returns - returns.mean()) / returns.std()


def _tomorrows_return(close: np.ndarray) -> np.ndarray:
    return np.append(np.diff(np.log(close)), 0.0)


def _backfilled_weekly_return(close: np.ndarray) -> np.ndarray:
    weekly = pd.Series(log_return(close, 5))
    weekly[np.arange(len(close)) % 5 != 4] = np.nan
    return weekly.bfill().fillna(0.0).to_numpy()


@pytest.mark.parametrize(
    "leak",
    [_centred_mean, _full_sample_z_score, _tomorrows_return, _backfilled_weekly_return],
    ids=lambda f: f.__name__,
)
def test_seeded_leak_is_caught(leak) -> None:  # type: ignore[no-untyped-def]
    indicator = Indicator("leak", leak, ("close",), 5, "a leak")
    inputs = synthetic_inputs(31)

    assert truncation_changes(indicator, inputs, CUTS)
    assert future_matters(indicator, inputs, CUTS)
