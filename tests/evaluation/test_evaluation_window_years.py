"""Windows are set in trading days: a market that is open all year has more sessions in the same span."""

import dataclasses

import numpy as np

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.evaluation.windows import split_windows
from wealtharena.settings import WindowSettings


def panel(sessions: int, annualisation: int) -> MarketPanel:
    grid = np.ones((sessions, 1))
    return MarketPanel(
        dates=np.datetime64("2020-01-01") + np.arange(sessions),
        symbols=("A",),
        feature_names=(),
        features=np.zeros((sessions, 1, 0), np.float32),
        open=grid,
        close=grid,
        tradable=grid > 0,
        observed=grid > 0,
        delisted=grid < 0,
        dollar_volume=grid,
        volatility=grid,
        costs=AssetCosts.flat(1, 0.0),
        annualisation=annualisation,
    )


def test_a_year_of_trading_days_is_365_sessions_of_a_market_that_never_closes() -> None:
    windows = WindowSettings(held_out_days=252, validation_days=126, embargo_days=0, min_train_days=10)
    crypto = split_windows(panel(1000, 365), windows)
    stocks = split_windows(panel(1000, 252), windows)
    assert crypto.held_out == (1000 - 365, 1000)
    assert crypto.validation == (1000 - 365 - 183, 1000 - 365)
    assert stocks.held_out == (1000 - 252, 1000)
    assert dataclasses.astuple(stocks)[1] == (1000 - 378, 1000 - 252)
