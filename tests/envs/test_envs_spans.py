"""Many accounts of one policy, each over its own span, are so many single passes."""

import numpy as np
import pytest

from wealtharena.core.errors import DataWindowError, ExecutionError
from wealtharena.core.panel import AssetCosts, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.simulation import run_policy
from wealtharena.envs.spans import run_spans
from wealtharena.execution import TradingRules


def lean(observation: Float32Array) -> FloatArray:
    """Leans on the features, and against what is held."""
    features, position = observation[:, :, :-4].astype(np.float64), observation[:, :, -4].astype(np.float64)
    return np.tanh(features.sum(axis=2) - 0.3 * position)


@pytest.fixture(scope="module")
def panel() -> MarketPanel:
    generator = np.random.default_rng(2)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.02, (120, 3)), axis=0))
    everywhere = np.ones(close.shape, dtype=np.bool_)
    return MarketPanel(
        dates=np.datetime64("2020-01-01", "D") + np.arange(120),
        symbols=("A", "B", "C"),
        feature_names=("one", "two"),
        features=generator.normal(size=(120, 3, 2)).astype(np.float32),
        open=np.vstack([close[:1], close[:-1]]),
        close=close,
        tradable=everywhere,
        observed=everywhere,
        delisted=~everywhere,
        dollar_volume=np.full(close.shape, 1e8),
        volatility=np.full(close.shape, 0.02),
        costs=AssetCosts.flat(3, 0.001, borrow=0.02),
        annualisation=252,
    )


@pytest.mark.parametrize("window", [1, 5])
@pytest.mark.parametrize("actions", ["weights", "changes"])
def test_each_account_goes_the_way_of_a_single_pass(panel: MarketPanel, window: int, actions: str) -> None:
    rules = TradingRules.unlimited(max_volatility=0.2, max_var=0.03, risk_window=30)
    starts = np.array([70, 5, 41, 41])
    equity = run_spans(lean, panel, starts, 20, rules, window=window, actions=actions)
    for account, first in enumerate(starts.tolist()):
        alone = run_policy(lean, panel, first, first + 19, rules, window=window, actions=actions)
        assert (equity[account] == alone.equity).all()


@pytest.mark.parametrize("starts", [[0], [101], []])
def test_spans_outside_the_panel_are_refused(panel: MarketPanel, starts: list[int]) -> None:
    with pytest.raises(DataWindowError, match=r"rows in \[1, 100\]"):
        run_spans(lean, panel, np.array(starts, dtype=np.int64), 20, TradingRules.unlimited())


def test_scores_that_are_not_finite_are_refused(panel: MarketPanel) -> None:
    with pytest.raises(ExecutionError, match="finite"):
        run_spans(lambda seen: np.full(seen.shape[:2], np.nan), panel, np.array([5]), 20, TradingRules.unlimited())
