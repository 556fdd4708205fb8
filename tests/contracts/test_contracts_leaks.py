"""Seeded leaks: each must turn a check red, and its honest counterpart none, or the checks prove nothing."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from leak_checks import (
    History,
    Pipeline,
    earns_on_martingales,
    future_matters,
    history,
    martingale_panel,
    next_open,
    null_market_sharpe,
    revealing_rows,
    scrambled_history_differs,
    truncated_history_differs,
    truncation_changes,
)
from synthetic_bars import synthetic_inputs

from wealtharena.core.panel import MarketPanel
from wealtharena.envs.simulation import run_weights
from wealtharena.execution import TradingRules
from wealtharena.indicators import Indicator, compute_macro_features
from wealtharena.indicators.windows import log_return

TRAIN_ROWS = 120
CUTS = tuple(range(60, 400, 7))


@dataclass(frozen=True)
class Leak:
    """A mistake and what should have been done.

    Attributes:
        leaky, honest: pipelines; both take a history and give one value per bar.
        least_sharpe: what a leaky agent earns on martingales at least (yearly Sharpe ratio); 0: this leak earns nothing
            there, the others must catch it.
    """

    leaky: Pipeline
    honest: Pipeline
    least_sharpe: float


def _log_close(market: History) -> pd.DataFrame:
    return np.log(market.adjusted_close()).ffill()


def _move(market: History) -> pd.DataFrame:
    return _log_close(market).diff(5)


def _centred_window(market: History) -> pd.DataFrame:
    log_close = _log_close(market)
    return log_close - log_close.rolling(21, center=True, min_periods=1).mean()


def _trailing_window(market: History) -> pd.DataFrame:
    log_close = _log_close(market)
    # Not pandas' rolling mean, whose running sums remember what went out of the window.
    return log_close - sum(log_close.shift(lag) for lag in range(21)) / 21.0


def _full_sample_z_score(market: History) -> pd.DataFrame:
    moves = _move(market)
    return (moves - moves.mean()) / moves.std()


def _z_score_of_the_past(market: History) -> pd.DataFrame:
    moves = _move(market)
    return (moves - moves.expanding(20).mean()) / moves.expanding(20).std()


def _scaler_fitted_on_train_and_test(market: History) -> pd.DataFrame:
    moves = _move(market)
    return (moves - moves.min()) / (moves.max() - moves.min())


def _scaler_fitted_on_train(market: History) -> pd.DataFrame:
    moves = _move(market)
    train = moves.iloc[:TRAIN_ROWS]
    scaled = (moves - train.min()) / (train.max() - train.min())
    scaled.iloc[:TRAIN_ROWS] = np.nan
    return scaled


def _backfilled_gaps(market: History) -> pd.DataFrame:
    return np.log(market.adjusted_close().bfill()).diff()


def _carried_forward_gaps(market: History) -> pd.DataFrame:
    return np.log(market.adjusted_close().ffill()).diff()


def _target_of_tomorrow(market: History) -> pd.DataFrame:
    return _log_close(market).diff().shift(-1)


def _target_of_yesterday(market: History) -> pd.DataFrame:
    return _log_close(market).diff().shift(1)


def _weekly(market: History, weeks_back: int) -> pd.DataFrame:
    log_close = _log_close(market)
    weeks = log_close.index.to_period("W")
    weekly = log_close.groupby(weeks).last().diff()
    return weekly.shift(weeks_back).reindex(weeks).set_axis(log_close.index)


def _weekly_bar_labelled_at_start(market: History) -> pd.DataFrame:
    return _weekly(market, 0)


def _weekly_bar_labelled_at_end(market: History) -> pd.DataFrame:
    return _weekly(market, 1)


def _macro_on(market: History, macro: pd.DataFrame) -> pd.DataFrame:
    told = compute_macro_features(macro, market.close.index)
    column = told["macro_SURVEY"] if len(told.columns) else pd.Series(np.float32(0.0), index=market.close.index)
    return pd.DataFrame(dict.fromkeys(market.close.columns, column))


def _macro_joined_on_reference_date(market: History) -> pd.DataFrame:
    return _macro_on(market, market.macro.assign(available_date=market.macro["reference_date"]))


def _macro_joined_after_release(market: History) -> pd.DataFrame:
    return _macro_on(market, market.macro)


def _level_adjusted_for_later_splits(market: History) -> pd.DataFrame:
    return _log_close(market) - np.log(market.splits.cumprod().iloc[-1])


def _change_of_adjusted_prices(market: History) -> pd.DataFrame:
    return _log_close(market).diff()


LEAKS = {
    "centred rolling window": Leak(_centred_window, _trailing_window, 4.0),
    "full-sample z-score": Leak(_full_sample_z_score, _z_score_of_the_past, 0.0),
    "scaler fitted on train and test": Leak(_scaler_fitted_on_train_and_test, _scaler_fitted_on_train, 0.0),
    "backfill of gaps": Leak(_backfilled_gaps, _carried_forward_gaps, 0.0),
    "target shifted by -1": Leak(_target_of_tomorrow, _target_of_yesterday, 10.0),
    "weekly bar labelled at its start": Leak(_weekly_bar_labelled_at_start, _weekly_bar_labelled_at_end, 4.0),
    "macro joined on the reference date": Leak(_macro_joined_on_reference_date, _macro_joined_after_release, 1.0),
    "level adjusted for later splits": Leak(_level_adjusted_for_later_splits, _change_of_adjusted_prices, 0.0),
}
EVERY_LEAK = pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)


@pytest.fixture(scope="module")
def market() -> History:
    return history(5, sessions=330)


@EVERY_LEAK
def test_a_seeded_leak_is_caught_by_truncation_and_its_counterpart_is_not(leak: Leak, market: History) -> None:
    rows = revealing_rows(market)
    assert len(rows) > 200
    assert truncated_history_differs(leak.leaky, market, rows)
    assert not truncated_history_differs(leak.honest, market, rows)


@EVERY_LEAK
def test_a_seeded_leak_is_caught_by_another_future_and_its_counterpart_is_not(leak: Leak, market: History) -> None:
    rows = revealing_rows(market, random_rows=20)[::2]
    assert scrambled_history_differs(leak.leaky, market, rows)
    assert not scrambled_history_differs(leak.honest, market, rows)


@EVERY_LEAK
def test_a_seeded_leak_earns_on_martingales_and_its_counterpart_does_not(leak: Leak) -> None:
    seeds = range(20)
    if leak.least_sharpe:
        assert null_market_sharpe(leak.leaky, seeds) > leak.least_sharpe
    # 20 worlds, 3 years each: the standard error is 0.13.
    assert abs(null_market_sharpe(leak.honest, seeds)) < 0.5


def test_a_few_cuts_would_miss_backfilled_gaps(market: History) -> None:
    """Why there are two hundred cuts, and one beside every gap."""
    full = market.close.notna().all(axis=1).to_numpy()
    quiet = [row for row in range(50, 320, 70) if full[row + 1] and full[row]][:4]
    assert quiet
    assert not truncated_history_differs(_backfilled_gaps, market, quiet)


def same_open(decided: np.ndarray, panel: MarketPanel) -> np.ndarray:
    """A mutant: what is decided after a close fills at the open of the same session."""
    return run_weights(decided[1:], panel, 1, len(panel.dates) - 1, TradingRules.unlimited()).returns


def same_close(decided: np.ndarray, panel: MarketPanel) -> np.ndarray:
    """A mutant: what is decided after a close fills at that close."""
    closes = np.vstack([panel.open[:1], panel.close[:-1]])
    return next_open(decided, replace(panel, open=closes))


def test_the_engine_earns_nothing_on_martingales_at_once_or_delayed() -> None:
    assert not earns_on_martingales(next_open)


@pytest.mark.parametrize("mutant", [same_open, same_close], ids=lambda engine: engine.__name__)
def test_an_engine_that_fills_within_the_session_of_the_decision_is_caught(mutant) -> None:  # type: ignore[no-untyped-def]
    assert earns_on_martingales(mutant)


def test_the_engine_fills_each_order_at_the_open_after_it() -> None:
    panel = martingale_panel(3, sessions=50, assets=2)
    decided = np.zeros((50, 2))
    decided[20, 0] = 1.0
    returns = next_open(decided, panel)
    expected = np.zeros(49)
    expected[20] = panel.close[21, 0] / panel.open[21, 0] - 1.0
    expected[21] = panel.open[22, 0] / panel.close[21, 0] - 1.0
    np.testing.assert_allclose(returns, expected, atol=1e-12)


def _centred_mean(close: np.ndarray) -> np.ndarray:
    log_close = pd.Series(np.log(close))
    return (log_close - log_close.rolling(21, center=True, min_periods=1).mean()).to_numpy()


def _full_sample_score(close: np.ndarray) -> np.ndarray:
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
    [_centred_mean, _full_sample_score, _tomorrows_return, _backfilled_weekly_return],
    ids=lambda f: f.__name__,
)
def test_a_leaky_indicator_is_caught_by_the_checks_of_the_catalogue(leak) -> None:  # type: ignore[no-untyped-def]
    indicator = Indicator("leak", leak, ("close",), 5, "a leak")
    inputs = synthetic_inputs(31)

    assert truncation_changes(indicator, inputs, CUTS)
    assert future_matters(indicator, inputs, CUTS)
