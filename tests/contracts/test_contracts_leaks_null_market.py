"""The whole pipeline on martingales: whatever it computes, nothing may be earned; on a trap, neither.

The trap is a macro series whose figure of a day tells the next day's market return, and is out after that return.
Joined when it was out it is worthless; joined on the day that it is dated it is worth a fortune.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from leak_checks import martingale_panel

from wealtharena.core.panel import MarketPanel
from wealtharena.core.rates import CurrencyRates
from wealtharena.envs.simulation import run_weights
from wealtharena.execution import TradingRules
from wealtharena.indicators import CALENDAR, CROSS_SECTIONS, INDICATORS, compute_features

SEEDS = (1, 2, 3)
SESSIONS, ASSETS = 1_260, 8
RATES = CurrencyRates({"AAA": "TRAP", "BBB": "ZERO"}, frozenset({"ZERO"}))
SYMBOLS = ("AAABBB", "BBBAAA", *(f"S{number}" for number in range(ASSETS - 2)))

Macro = pd.DataFrame


def market(seed: int) -> tuple[MarketPanel, pd.DataFrame, Macro]:
    """Martingales with a shock that all share, as a panel for trading and as bars for the pipeline; and the trap."""
    rng = np.random.default_rng(seed)
    plain = martingale_panel(seed, SESSIONS, ASSETS)
    shared = rng.normal(0.0, 0.01, (SESSIONS, 1))
    growth = np.cumprod(1.0 + shared, axis=0)
    before = growth / (1.0 + shared)
    dates = pd.bdate_range("2015-01-01", periods=SESSIONS).as_unit("us")
    close, opened = plain.close * growth, plain.open * before
    frames = []
    for place, symbol in enumerate(SYMBOLS):
        prices = {"open": opened[:, place], "close": close[:, place]}
        reach = rng.uniform(1.0, 1.01, (2, SESSIONS))
        frame = pd.DataFrame({"symbol": symbol, "session_date": dates, **prices, "adj_factor": 1.0})
        frame["high"] = frame[["open", "close"]].max(axis=1) * reach[0]
        frame["low"] = frame[["open", "close"]].min(axis=1) / reach[1]
        frames.append(frame.assign(volume=np.exp(rng.normal(13.0, 0.4, SESSIONS))))
    told = 0.9 * np.roll(shared[:, 0], -1) / 0.01 + rng.normal(0.0, 1.0, SESSIONS)
    series = {"TRAP": told, "ZERO": np.zeros(SESSIONS)}
    out = dates + pd.offsets.BDay(1)
    macro = [
        pd.DataFrame({"series": name, "reference_date": dates, "value": value, "available_date": out})
        for name, value in series.items()
    ]
    traded = {"open": opened, "close": close, "dates": dates.to_numpy("datetime64[D]"), "symbols": SYMBOLS}
    return MarketPanel(**vars(plain) | traded), pd.concat(frames, ignore_index=True), pd.concat(macro)


def pipeline(bars: pd.DataFrame, macro: Macro) -> pd.DataFrame:
    """Every feature that there is."""
    return compute_features(bars, macro, [*INDICATORS, *CROSS_SECTIONS, *CALENDAR], rates=RATES)


def on_the_day_that_it_is_dated(bars: pd.DataFrame, macro: Macro) -> pd.DataFrame:
    """A leak: sessions use figures of their own day."""
    return pipeline(bars, macro.assign(available_date=macro["reference_date"] - pd.Timedelta(days=1)))


def sharpe(compute: Callable[[pd.DataFrame, Macro], pd.DataFrame]) -> float:
    """Mean over the seeds of the yearly Sharpe ratio of a ridge regression, learnt in the first half of a world."""
    found = []
    for seed in SEEDS:
        panel, bars, macro = market(seed)
        features = compute(bars, macro)
        names = [name for name in features if name in {*INDICATORS, *CROSS_SECTIONS, *CALENDAR} or "macro" in name]
        inputs = features[names].to_numpy(np.float64).reshape(ASSETS, SESSIONS, -1).transpose(1, 0, 2)
        tomorrow = np.vstack([panel.close[1:] / panel.open[1:] - 1.0, np.zeros((1, ASSETS))])
        half, first = SESSIONS // 2, 300
        rows = inputs[first:half].reshape(-1, len(names))
        ridge = rows.T @ rows + 1e3 * np.eye(len(names))
        weights = np.linalg.solve(ridge, rows.T @ tomorrow[first:half].ravel())
        decided = np.sign(inputs @ weights) / ASSETS
        path = run_weights(decided[half:-1], panel, half + 1, SESSIONS - 1, TradingRules.unlimited())
        found.append(np.sqrt(252.0) * path.returns.mean() / path.returns.std())
    return float(np.mean(found))


def test_nothing_is_earned_on_martingales_and_the_trap_does_not_snap() -> None:
    # Three worlds of 2.5 years: the standard error is 0.37.
    assert abs(sharpe(pipeline)) < 1.2


def test_a_figure_that_is_used_before_it_is_out_is_caught() -> None:
    assert sharpe(on_the_day_that_it_is_dated) > 4.0


@pytest.mark.parametrize("seed", SEEDS)
def test_bars_and_panel_are_one_market(seed: int) -> None:
    panel, bars, _ = market(seed)
    for place, symbol in enumerate(panel.symbols):
        own = bars[bars["symbol"] == symbol]
        np.testing.assert_array_equal(own["close"], panel.close[:, place])
        np.testing.assert_array_equal(own["open"], panel.open[:, place])
