"""The checks that every feature, and every engine, must pass, as functions: seeded leaks prove that they bite.

``truncation_changes`` and ``future_matters`` take one indicator; ``truncated_history_differs`` and
``scrambled_history_differs`` a pipeline over a market with holidays, gaps, splits and macro releases;
``null_market_sharpe`` trades what a pipeline tells on martingales; ``earns_on_martingales`` checks the engine.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs.simulation import run_weights
from wealtharena.execution import TradingRules
from wealtharena.indicators import Indicator, evaluate

Inputs = dict[str, np.ndarray]


def truncation_changes(indicator: Indicator, inputs: Inputs, cuts: Iterable[int]) -> bool:
    """Whether any output changes when the bars after it are cut off."""
    whole = evaluate(indicator, inputs)
    parts = ((cut, evaluate(indicator, {name: values[:cut] for name, values in inputs.items()})) for cut in cuts)
    return any(not np.array_equal(part, whole[:cut], equal_nan=True) for cut, part in parts)


def future_matters(indicator: Indicator, inputs: Inputs, cuts: Iterable[int]) -> bool:
    """Whether any output changes when the bars after it are replaced by others."""
    whole = evaluate(indicator, inputs)
    rng = np.random.default_rng(0)
    for cut in cuts:
        factors = rng.uniform(0.1, 10.0, len(whole) - cut)
        scrambled = {name: np.append(values[:cut], values[cut:] * factors) for name, values in inputs.items()}
        if not np.array_equal(evaluate(indicator, scrambled)[:cut], whole[:cut], equal_nan=True):
            return True
    return False


@dataclass(frozen=True)
class History:
    """What a pipeline reads of A symbols.

    Attributes:
        open, close: (T, A) frames by date, as traded; NaN where a bar is missing. Holidays have no row.
        splits: (T, A) new units per old from that session on, 1 where there is none.
        macro: core macro observations.
    """

    open: pd.DataFrame
    close: pd.DataFrame
    splits: pd.DataFrame
    macro: pd.DataFrame

    def known_at(self, row: int) -> "History":
        """What was known at the close of a row: a figure that is released on a day is known from the next one on."""
        out = self.macro["available_date"] < self.close.index[row]
        return History(
            self.open.iloc[: row + 1], self.close.iloc[: row + 1], self.splits.iloc[: row + 1], self.macro[out]
        )

    def with_another_future(self, row: int, rng: np.random.Generator) -> "History":
        """The same up to the close of a row; other prices, splits and figures after it."""
        shape = (len(self.close) - row - 1, self.close.shape[1])
        prices = np.exp(np.cumsum(rng.normal(0.0, 0.1, shape), axis=0))
        later = self.macro["available_date"] >= self.close.index[row]
        news = self.macro["value"] + np.where(later, rng.normal(0.0, 5.0, len(self.macro)), 0.0)
        return History(
            _with_tail(self.open, row, self.open.to_numpy()[row + 1 :] * prices),
            _with_tail(self.close, row, self.close.to_numpy()[row + 1 :] * prices[::-1]),
            _with_tail(self.splits, row, rng.choice([1.0, 1.0, 3.0], shape)),
            self.macro.assign(value=news),
        )

    def adjusted_close(self) -> pd.DataFrame:
        """Close of what one unit of the first row has become: no later split changes it."""
        return self.close * self.splits.cumprod()


Pipeline = Callable[[History], pd.DataFrame]


def history(seed: int, sessions: int = 420, assets: int = 2, gap_share: float = 0.05) -> History:
    """Martingales on weekdays without holidays, with missing closes, splits, and monthly figures that tell of a return.

    The figure of a month is dated its first day, tells the mean return of the first symbol in it, and is out on the
    15th of the next month.
    """
    rng = np.random.default_rng(seed)
    weekdays = pd.bdate_range("2012-01-02", periods=sessions + sessions // 20).as_unit("us")
    dates = weekdays[np.sort(rng.permutation(len(weekdays))[:sessions])]
    overnight, daytime = rng.normal(0.0, 0.004, (sessions, assets)), rng.normal(0.0, 0.009, (sessions, assets))
    log_close = np.cumsum(overnight + daytime, axis=0)
    splits = np.where(rng.random((sessions, assets)) < 3.0 / sessions, 2.0, 1.0)
    units = np.cumprod(splits, axis=0)
    close = pd.DataFrame(50.0 * np.exp(log_close) / units, index=dates)
    opened = pd.DataFrame(50.0 * np.exp(log_close - daytime) / units, index=dates)
    gaps = rng.random((sessions, assets)) < gap_share
    gaps[0] = False
    monthly = pd.Series(np.diff(log_close[:, 0], prepend=0.0), index=dates).groupby(dates.to_period("M")).mean()
    months = monthly.index.to_timestamp().as_unit("us")
    macro = pd.DataFrame(
        {
            "series": "SURVEY",
            "reference_date": months,
            "value": 100.0 * monthly.to_numpy(),
            "available_date": months + pd.DateOffset(months=1, days=14),
        }
    )
    return History(opened.mask(gaps), close.mask(gaps), pd.DataFrame(splits, index=dates), macro)


def revealing_rows(market: History, random_rows: int = 200) -> list[int]:
    """Rows to cut at: random ones, and every row beside a gap, a holiday, a split or a release."""
    dates = market.close.index
    rows = set(np.random.default_rng(0).integers(1, len(dates) - 1, random_rows).tolist())
    holidays = np.busday_count(dates[:-1].to_numpy("datetime64[D]"), dates[1:].to_numpy("datetime64[D]")) > 1
    releases = dates.searchsorted(market.macro["available_date"])
    gaps, splits = market.close.isna().any(axis=1), (market.splits > 1.0).any(axis=1)
    special = [np.flatnonzero(found) for found in (gaps, np.append(holidays, False), splits)]
    for row in np.concatenate([*special, releases]).tolist():
        rows |= {row - 1, row, row + 1}
    return sorted(row for row in rows if 0 < row < len(dates) - 1)


def truncated_history_differs(pipeline: Pipeline, market: History, cuts: Iterable[int]) -> bool:
    """Whether any output changes when everything that was not known at its close is cut off."""
    whole = pipeline(market).to_numpy()
    return any(not _equal(pipeline(market.known_at(cut)).to_numpy(), whole[: cut + 1]) for cut in cuts)


def scrambled_history_differs(pipeline: Pipeline, market: History, cuts: Iterable[int]) -> bool:
    """Whether any output changes when everything after it becomes something else."""
    whole = pipeline(market).to_numpy()
    rng = np.random.default_rng(1)
    return any(
        not _equal(pipeline(market.with_another_future(cut, rng)).to_numpy()[: cut + 1], whole[: cut + 1])
        for cut in cuts
    )


def null_market_sharpe(pipeline: Pipeline, seeds: Iterable[int], sessions: int = 1_500) -> float:
    """Yearly Sharpe ratio of ridge regressions on what a pipeline tells of martingales, each world traded on its own.

    The first half of a world is learnt from; in the second, the sign of the forecast made at a close is traded at the
    next open. A figure near 0 is right; its standard error is about 1 / √(worlds × years traded).
    """
    returns = [_second_half_returns(pipeline, history(seed, sessions, assets=1)) for seed in seeds]
    pooled = np.concatenate(returns)
    return float(np.sqrt(252.0) * pooled.mean() / pooled.std())


Engine = Callable[[np.ndarray, MarketPanel], np.ndarray]
"""Takes the weights (T, A) decided after each close and a panel; returns the account's returns from its second row."""


def next_open(decided: np.ndarray, panel: MarketPanel) -> np.ndarray:
    """The engine as it is: what is decided after a close fills at the next open."""
    return run_weights(decided[:-1], panel, 1, len(panel.dates) - 1, TradingRules.unlimited()).returns


def martingale_panel(seed: int, sessions: int = 2_520, assets: int = 5, bounce: float = 0.0) -> MarketPanel:
    """Free trading in martingales; ``bounce``: noise of a closing price that is gone at the next open."""
    rng = np.random.default_rng(seed)
    overnight, daytime = rng.normal(0.0, 0.005, (sessions, assets)), rng.normal(0.0, 0.01, (sessions, assets))
    # Growth of mean 1 each way, so that neither longs nor shorts earn anything.
    fair = np.cumprod((1.0 + overnight) * (1.0 + daytime), axis=0)
    everything = np.ones((sessions, assets), np.bool_)
    return MarketPanel(
        dates=np.datetime64("2010-01-01") + np.arange(sessions),
        symbols=tuple(f"S{place}" for place in range(assets)),
        feature_names=(),
        features=np.zeros((sessions, assets, 0), np.float32),
        open=fair / (1.0 + daytime),
        close=fair * (1.0 + bounce * rng.normal(0.0, 0.01, (sessions, assets))),
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full((sessions, assets), 1e12),
        volatility=np.full((sessions, assets), 0.011),
        costs=AssetCosts.flat(assets, 0.0),
        annualisation=252,
    )


def earns_on_martingales(engine: Engine) -> bool:
    """Whether following or fading yesterday's return earns, or loses, anything, at once or a session later.

    Ten years of five martingales, with and without a bounce in their closing prices: the standard error of a Sharpe
    ratio is 0.32, and 1.2 is nearly four of them. Decisions that are delayed by a session must earn no less.
    """
    for bounce in (0.0, 0.5):
        panel = martingale_panel(7, bounce=bounce)
        moves = np.diff(np.log(panel.close), axis=0, prepend=np.log(panel.close[:1]))
        for direction in (1.0, -1.0):
            decided = direction * np.sign(moves) / panel.close.shape[1]
            delayed = np.vstack([np.zeros_like(decided[:1]), decided[:-1]])
            if max(abs(_sharpe(engine(weights, panel))) for weights in (decided, delayed)) > 1.2:
                return True
    return False


def _second_half_returns(pipeline: Pipeline, market: History) -> np.ndarray:
    close, opened = market.adjusted_close().ffill(), market.open.where(market.close.notna())
    told = np.nan_to_num(pipeline(market).to_numpy()[:, 0]).clip(-5.0, 5.0)
    clean = np.nan_to_num(np.log(close).diff(5).to_numpy()[:, 0])
    inputs = np.column_stack([told / max(told.std(), 1e-9), clean / clean.std()])
    tomorrow = np.append(np.log(close).diff().to_numpy()[1:, 0], 0.0)
    half = len(inputs) // 2
    learnt = inputs[:half]
    ridge = learnt.T @ learnt + 10.0 * np.eye(2)
    weights = np.linalg.solve(ridge, learnt.T @ tomorrow[:half])
    decided = np.sign(inputs @ weights)[:, None]
    panel = _panel_of(close, (opened * market.splits.cumprod()).fillna(close))
    path = run_weights(decided[half:-1], panel, half + 1, len(panel.dates) - 1, TradingRules.unlimited())
    return path.returns


def _panel_of(close: pd.DataFrame, opened: pd.DataFrame) -> MarketPanel:
    blank = martingale_panel(0, len(close), close.shape[1])
    dates = close.index.to_numpy("datetime64[D]")
    return replace(blank, dates=dates, open=opened.to_numpy(copy=True), close=close.to_numpy(copy=True))


def _with_tail(frame: pd.DataFrame, row: int, tail: np.ndarray) -> pd.DataFrame:
    values = frame.to_numpy(copy=True)
    values[row + 1 :] = tail
    return pd.DataFrame(values, index=frame.index, columns=frame.columns)


def _equal(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.array_equal(left, right, equal_nan=True))


def _sharpe(returns: np.ndarray) -> float:
    return float(np.sqrt(252.0) * returns.mean() / returns.std())
