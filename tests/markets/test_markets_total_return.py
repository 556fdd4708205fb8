"""An account on as-traded prices with splits and dividends earns what adjusted prices say."""

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core import AssetClass, MarketPanel
from wealtharena.core.market_data import FetchRequest
from wealtharena.core.panel import AssetCosts, last_known
from wealtharena.curation import CuratedBars, curate_bars, load_known_actions
from wealtharena.envs.simulation import run_weights
from wealtharena.execution import TradingRules
from wealtharena.markets import assemble_panel
from wealtharena.settings import CONFIG_FOLDER, CurationSettings, FilesSettings, Settings
from wealtharena.vendors import FilesVendor

ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_real_data = pytest.mark.skipif(not (ROOT / "market").is_dir(), reason=f"the real data are not at {ROOT}")
PAYING = pytest.mark.parametrize("asset_class", [AssetClass.STOCKS, AssetClass.ETFS, AssetClass.REITS])


def panel_of(bars: pd.DataFrame, actions: pd.DataFrame | None, asset_class: AssetClass) -> MarketPanel:
    """A panel without features or costs, every asset of which can always be traded."""
    features = bars[["symbol", "session_date"]].assign(observed=True, dollar_volume=np.nan, volatility=0.01)
    coverage = pd.DataFrame({"symbol": bars["symbol"].unique(), "delisted_on": pd.NaT})
    panel = assemble_panel(asset_class, features, bars, coverage, Settings(), actions=actions)
    return replace(panel, costs=AssetCosts.flat(len(panel.symbols), 0.0))


def reinvested(panel: MarketPanel, symbol: str) -> np.ndarray:
    """(T,) equity at each close of an account that is always fully in one asset, from its first bar on."""
    own = panel.select((symbol,))
    first = int(np.flatnonzero(np.isfinite(own.close[:, 0]))[0])
    path = run_weights(
        np.ones((len(own.dates) - first - 1, 1)), own, first + 1, len(own.dates) - 1, TradingRules.unlimited()
    )
    return np.concatenate([np.full(first, np.nan), [1.0], path.equity])


def opening_where_it_closed(panel: MarketPanel) -> MarketPanel:
    """Every bar opens at the close before, less what goes ex: the price at which adjusted closes reinvest."""
    before = np.vstack([panel.close[:1], last_known(panel.close)[:-1]])
    has_bar = np.isfinite(panel.close)
    opening = np.where(has_bar, before / panel.split - panel.dividend, np.nan)
    opening = np.where(has_bar & np.isnan(opening), panel.close, opening)
    return replace(panel, open=opening, tradable=has_bar)


def growth(values: np.ndarray) -> np.ndarray:
    """Values over the first known one, held over missing bars."""
    known = last_known(values[:, None])[:, 0]
    return known / known[np.isfinite(known)][0]


@pytest.fixture
def made_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three years of two symbols with quarterly dividends, a split, a consolidation and a demerger, some bars missing;
    adjusted as curation does: each dividend multiplies what is before it by 1 - D / close before."""
    generator = np.random.default_rng(7)
    days = pd.bdate_range("2020-01-01", periods=750).as_unit("us")
    parts = []
    for symbol, price in (("A", 40.0), ("B", 3.0)):
        worth = price * np.exp(np.cumsum(generator.normal(0.0003, 0.02, size=750)))
        paid = np.where(np.arange(750) % 63 == 40, 0.01, 0.0)
        split = np.ones(750)
        if symbol == "A":
            split[[200, 500]] = [4.0, 0.1]
            paid[333] = 0.29
        kept = np.cumprod(1.0 - paid)
        close = worth * kept / np.cumprod(split)
        factor = kept[-1] / kept * np.cumprod(split) / np.prod(split)
        opened = close * np.exp(generator.normal(0.0, 0.01, size=750))
        bars = pd.DataFrame({"symbol": symbol, "session_date": days, "open": opened, "close": close})
        bars = bars.assign(adj_factor=factor, tradable=True)
        parts.append(bars[(generator.random(750) > 0.05) | (paid > 0.0) | (split != 1.0)])
    actions = pd.DataFrame(
        {
            "symbol": "A",
            "ex_date": [days[200], days[333], days[500]],
            "kind": ["split", "demerger", "consolidation"],
            "ratio": [4.0, 0.71, 0.1],
        }
    )
    return pd.concat(parts, ignore_index=True), actions


def test_reinvesting_at_the_price_of_adjusted_closes_earns_what_they_say(
    made_up: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    bars, actions = made_up
    panel, adjusted = (panel_of(bars, known, AssetClass.STOCKS) for known in (actions, None))
    as_traded = opening_where_it_closed(panel)
    for column, symbol in enumerate(panel.symbols):
        wanted = growth(adjusted.close[:, column])
        np.testing.assert_allclose(growth(panel.total_return_close[:, column]), wanted, rtol=1e-12)
        np.testing.assert_allclose(growth(reinvested(as_traded, symbol)), wanted, rtol=1e-9)


def test_reinvesting_at_the_open_differs_by_the_move_over_night_on_the_dividend_alone(
    made_up: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    """What is paid overnight moves on with the price in adjusted closes, and lies in cash in truth."""
    bars, actions = made_up
    panel = panel_of(bars, actions, AssetClass.STOCKS)
    for column, symbol in enumerate(panel.symbols):
        split, dividend = panel.split[:, column], panel.dividend[:, column]
        close, opened = last_known(panel.close)[:, column], panel.open[:, column]
        path = reinvested(panel, symbol)
        for row in np.flatnonzero(dividend[2:] > 0.0) + 2:
            bought = split[row] * (1.0 + dividend[row] / opened[row])
            held = close[row] / close[row - 1]
            assert path[row] / path[row - 1] == pytest.approx(bought * held, rel=1e-12)


def test_dividends_are_cash_and_splits_change_units_not_worth(made_up: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    bars, actions = made_up
    panel = opening_where_it_closed(panel_of(bars, actions, AssetClass.STOCKS)).select(("A",))
    once = np.full((len(panel.dates) - 1, 1), np.nan)
    once[0] = 1.0
    path = run_weights(once, panel, 1, len(panel.dates) - 1, TradingRules.unlimited())
    split_row, paid_row = (int(np.flatnonzero(events != none)[0]) for events, none in (
        (panel.split[:, 0], 1.0), (panel.dividend[:, 0], 0.0)
    ))  # fmt: skip
    units = 1.0 / panel.open[1, 0]
    assert path.summary["dividends"][paid_row - 1] == pytest.approx(units * panel.dividend[paid_row, 0], rel=1e-12)
    assert path.equity_open[split_row - 1] == pytest.approx(path.equity[split_row - 2], rel=1e-12)


@cache
def real(asset_class: AssetClass) -> CuratedBars:
    vendor = FilesVendor(FilesSettings(root=ROOT), stale_sessions=10)
    instruments = vendor.instruments([asset_class])
    results = list(
        vendor.fetch_bars([FetchRequest(item, date(2007, 1, 1), date(2026, 11, 20)) for item in instruments])
    )
    raw = pd.concat([item.frame.assign(symbol=item.symbol, vendor="files") for item in results], ignore_index=True)
    basis = {item.symbol: item.price_basis for item in results}
    known = load_known_actions(CONFIG_FOLDER / CurationSettings().corporate_actions)
    return curate_bars(raw, instruments, basis, CurationSettings(), date(2026, 11, 20), known)


@needs_real_data
@PAYING
def test_on_real_files_events_say_what_adjusted_closes_say(asset_class: AssetClass) -> None:
    """To the rounding of the files' adjusted closes, which are of single precision; exactly where there are none."""
    curated = real(asset_class)
    panel, adjusted = (panel_of(curated.bars, known, asset_class) for known in (curated.actions, None))
    for column, symbol in enumerate(panel.symbols):
        tolerance = 1e-9 if symbol.endswith(".AX") else 1e-5
        wanted = growth(adjusted.close[:, column])
        np.testing.assert_allclose(growth(panel.total_return_close[:, column]), wanted, rtol=tolerance, err_msg=symbol)


@needs_real_data
@PAYING
def test_on_real_files_the_kernels_account_earns_the_total_return(asset_class: AssetClass) -> None:
    curated = real(asset_class)
    panel = panel_of(curated.bars, curated.actions, asset_class)
    as_traded = opening_where_it_closed(panel)
    for column, symbol in enumerate(panel.symbols):
        wanted = growth(panel.total_return_close[:, column])
        np.testing.assert_allclose(growth(reinvested(as_traded, symbol)), wanted, rtol=1e-9, err_msg=symbol)


@needs_real_data
def test_on_real_files_every_dividend_is_one_event() -> None:
    """Quarterly for nineteen years; the noise of adjusted closes is none. XASX files tell no dividends."""
    curated = real(AssetClass.STOCKS)
    panel = panel_of(curated.bars, curated.actions, AssetClass.STOCKS)
    paid = {symbol: panel.dividend[:, column] for column, symbol in enumerate(panel.symbols)}
    assert int((paid["MSFT"] > 0.0).sum()) == 69
    assert int((paid["AMZN"] != 0.0).sum()) == 0
    assert all((values >= 0.0).all() for values in paid.values())
    day = np.flatnonzero(panel.dates == np.datetime64("2023-02-15"))[0]
    assert paid["MSFT"][day] == pytest.approx(0.68, abs=0.002)


@needs_real_data
def test_on_real_files_australian_splits_change_units() -> None:
    curated = real(AssetClass.STOCKS)
    panel = panel_of(curated.bars, curated.actions, AssetClass.STOCKS)
    day = np.flatnonzero(panel.dates == np.datetime64("2007-10-18"))
    csl = panel.symbols.index("CSL.AX")
    assert panel.split[day, csl] == 3.0
    assert panel.close[day - 1, csl] == pytest.approx(103.10)
    assert panel.close[day, csl] == pytest.approx(34.32)
