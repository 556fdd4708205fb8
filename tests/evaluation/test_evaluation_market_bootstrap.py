"""Markets made of a real one's sessions in another order: what stays, what moves, and what is never touched."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from wealtharena.core import AssetClass
from wealtharena.core.panel import Float32Array, FloatArray, MarketPanel
from wealtharena.evaluation.baselines import equal_weight
from wealtharena.evaluation.monte_carlo import FrozenPolicy, FrozenRule, MarketHistory, market_history
from wealtharena.evaluation.monte_carlo.market_bootstrap import bootstrap_markets, resampled_panels
from wealtharena.evaluation.monte_carlo.sequence import in_sequence
from wealtharena.execution import Limit, TradingRules
from wealtharena.markets.frames import bars_from_frames, panel_from_frames
from wealtharena.settings import Settings

SESSIONS, FIRST = 460, 400
INDICATORS = ("return_1", "return_21", "rsi_14", "atr_ratio_14_126", "volume_z_63", "momentum_rank")
RULES = TradingRules.unlimited(concentration=2.0)
IN_ORDER = np.arange(FIRST, SESSIONS)
PanelFactory = Callable[..., MarketPanel]


@dataclass(frozen=True)
class Trend:
    """Holds what rose."""

    def act(self, observation: Float32Array) -> FloatArray:
        return np.tanh(observation[:, :, 1].astype(np.float64))


def made_up_bars() -> pd.DataFrame:
    """Three symbols, the third closed now and then, the first with a split in its unadjusted prices."""
    generator = np.random.default_rng(11)
    days = pd.bdate_range("2020-01-01", periods=SESSIONS)
    frames = []
    for place, symbol in enumerate(("AAA", "BBB", "CCC")):
        moves = generator.normal(0.0005, 0.01, (SESSIONS, 2))
        close = 40.0 * np.exp(np.cumsum(moves.sum(axis=1)))
        opening = close * np.exp(-moves[:, 1])
        adjustment = np.where(np.arange(SESSIONS) < 430, 0.5, 1.0) if place == 0 else np.ones(SESSIONS)
        prices = {
            "open": opening,
            "high": np.maximum(opening, close) * 1.002,
            "low": np.minimum(opening, close) * 0.998,
            "close": close,
        }
        frame = pd.DataFrame({name: values / adjustment for name, values in prices.items()})
        frame = frame.assign(
            symbol=symbol, date=days, volume=generator.uniform(1e5, 2e5, SESSIONS) * adjustment, adj_factor=adjustment
        )
        frames.append(frame[generator.random(SESSIONS) > 0.05] if place == 2 else frame)
    return bars_from_frames(pd.concat(frames, ignore_index=True))


@pytest.fixture(scope="module")
def history() -> MarketHistory:
    settings, bars = Settings(), made_up_bars()
    panel = panel_from_frames(AssetClass.STOCKS, bars, settings, INDICATORS)
    return market_history(AssetClass.STOCKS, panel, (FIRST, SESSIONS), bars, settings)


def resampled(history: MarketHistory, *orders: FloatArray) -> list[MarketPanel]:
    return list(resampled_panels(history, np.array(orders, dtype=np.int64), RULES))


def test_the_sessions_in_their_own_order_are_the_real_market(history: MarketHistory) -> None:
    (made,) = resampled(history, IN_ORDER)
    real, rows = history.panel, slice(len(made.dates) - 60, None)
    same = slice(FIRST, SESSIONS)
    assert (made.dates[rows] == real.dates[same]).all()
    # Prices go on in the unit in which they are known at the start, here two for one of the adjusted series.
    unit = np.array([2.0, 1.0, 1.0])
    np.testing.assert_allclose(made.close[rows], real.close[same] * unit, rtol=1e-12)
    np.testing.assert_allclose(made.open[rows], real.open[same] * unit, rtol=1e-12)
    assert (made.observed[rows] == real.observed[same]).all()
    assert (made.tradable[rows] == real.tradable[same]).all()
    np.testing.assert_allclose(made.volatility[rows], real.volatility[same], rtol=1e-9)
    np.testing.assert_allclose(made.dollar_volume[rows], real.dollar_volume[same], rtol=1e-9)
    np.testing.assert_allclose(made.features[rows], real.features[same], atol=1e-5)


def test_what_was_before_the_window_stays(history: MarketHistory) -> None:
    (made,) = resampled(history, IN_ORDER[::-1])
    before = len(made.dates) - 60
    np.testing.assert_allclose(made.features[before - 1], history.panel.features[FIRST - 1], atol=1e-5)
    unit = np.array([2.0, 1.0, 1.0])
    np.testing.assert_allclose(made.close[:before], history.panel.close[FIRST - before : FIRST] * unit, rtol=1e-12)


def test_all_assets_move_as_they_did_together(history: MarketHistory) -> None:
    drawn = np.random.default_rng(1).integers(FIRST, SESSIONS, 60)
    (made,) = resampled(history, drawn)
    moves = np.diff(np.log(made.close[-61:, :2]), axis=0)
    real = np.diff(np.log(history.panel.close[:, :2]), axis=0)[drawn - 1]
    np.testing.assert_allclose(moves, real, atol=1e-12)


def test_an_asset_that_was_closed_is_closed_again(history: MarketHistory) -> None:
    drawn = np.random.default_rng(2).integers(FIRST, SESSIONS, 60)
    (made,) = resampled(history, drawn)
    assert (np.isnan(made.close[-60:]) == np.isnan(history.panel.close[drawn])).all()
    assert np.isnan(made.close[-60:, 2]).any()


def test_what_is_drawn_later_changes_nothing_before(history: MarketHistory) -> None:
    drawn = np.random.default_rng(3).integers(FIRST, SESSIONS, 60)
    other = np.concatenate([drawn[:25], drawn[:24:-1]])
    one, two = resampled(history, drawn, other)
    known = len(one.dates) - 35
    for name in ("features", "open", "close", "observed", "tradable", "volatility", "dollar_volume"):
        np.testing.assert_array_equal(getattr(one, name)[:known], getattr(two, name)[:known], err_msg=name)
    assert not np.array_equal(one.close[known:], two.close[known:])


def test_the_real_market_is_never_touched(history: MarketHistory) -> None:
    before = history.panel.content_hash
    bootstrap_markets(FrozenPolicy(Trend()), history, RULES, 3, 10.0, np.random.default_rng(0))
    fresh = panel_from_frames(AssetClass.STOCKS, made_up_bars(), Settings(), INDICATORS)
    assert history.panel.rows(0, FIRST).content_hash == fresh.rows(0, FIRST).content_hash
    assert fresh.content_hash == before


def test_accounts_side_by_side_are_those_of_each_market_alone(history: MarketHistory) -> None:
    drawn = np.random.default_rng(4).integers(FIRST, SESSIONS, (3, 60))
    panels = resampled(history, *drawn)
    strategy = FrozenPolicy(Trend())
    limits = replace(RULES, max_volatility=0.12, max_cvar=0.015, risk_window=48)
    together = strategy.trade_each(panels, 60, limits)
    for row, panel in enumerate(panels):
        alone = strategy.trade(panel, (len(panel.dates) - 60, len(panel.dates)), limits)
        assert (alone.trading is not None) and (alone.trading.path.limits & int(Limit.MAX_VOLATILITY)).any()
        np.testing.assert_allclose(together[row], alone.equity, rtol=1e-12)


def test_a_rule_trades_resampled_markets_too(history: MarketHistory) -> None:
    simulated = bootstrap_markets(FrozenRule(equal_weight), history, RULES, 4, 10.0, np.random.default_rng(0))
    assert simulated.equity is not None
    assert simulated.equity.shape == (4, 60)
    assert np.unique(simulated.figures["total_return"]).size == 4


def test_equal_seeds_give_equal_markets(history: MarketHistory) -> None:
    one, two = (
        bootstrap_markets(FrozenPolicy(Trend()), history, RULES, 2, 10.0, np.random.default_rng(8)) for _ in range(2)
    )
    assert one.equity is not None
    assert two.equity is not None
    assert (one.equity == two.equity).all()


def test_interest_goes_with_its_night(make_panel: PanelFactory) -> None:
    first = make_panel(np.full((3, 1), 10.0), start="2021-01-01", cash_rate=np.array([0.1, 0.2, 0.3]))
    second = make_panel(np.full((2, 1), 10.0), start="2010-01-01", accrual_days=np.array([0.0, 3.0]))
    joined, ends = in_sequence([first, MarketPanel(**{**vars(second), "cash_rate": np.array([0.4, 0.5])})])
    assert ends.tolist() == [3, 5]
    assert joined.accrual_days is not None
    assert joined.accrual_days.tolist() == [0.0, 1.0, 1.0, 0.0, 3.0]
    assert (np.diff(joined.dates) > np.timedelta64(0, "D")).all()
