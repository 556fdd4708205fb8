"""From the long tables of one asset class to its aligned panel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import CurationError, DataWindowError, SettingsError, unknown_name
from wealtharena.core.panel import BoolArray, DateArray, MarketPanel, last_known
from wealtharena.core.rates import CurrencyRates
from wealtharena.indicators import KEY_COLUMNS
from wealtharena.markets.catalogue import MARKETS
from wealtharena.markets.costs import asset_costs
from wealtharena.markets.events import bar_events
from wealtharena.markets.interest import overnight_of
from wealtharena.markets.spec import MarketSpec
from wealtharena.settings import Settings

MAX_CARRIED_DAYS = 7

_PER_BAR = ("open", "close", "dollar_volume", "volatility")


def assemble_panel(
    asset_class: AssetClass,
    features: pd.DataFrame,
    bars: pd.DataFrame,
    coverage: pd.DataFrame,
    settings: Settings,
    *,
    actions: pd.DataFrame | None = None,
    exchanges: Mapping[str, str] | None = None,
    macro: pd.DataFrame | None = None,
    rates: CurrencyRates | None = None,
) -> MarketPanel:
    """The panel of one asset class, on the union of the sessions on which any of its symbols has a bar.

    Prices are in each instrument's own currency: returns are local-currency returns, as an investor earns who hedges
    the exchange rate; nothing is converted. With ``actions`` they are as stored in ``bars``, and splits and dividends
    are events of the panel; without, they are multiplied by the adjustment factor and contain both.

    Exchanges of one class keep different holidays. On a session without a bar of its own an asset stays ``observed``
    with its last features for up to 7 calendar days (until it is delisted): its market is closed, what is known of it
    has not changed, and the order waits for its next open. Otherwise each foreign holiday would sell it.

    Args:
        asset_class: whose cost and annualisation apply.
        features: result of ``compute_features`` for these bars, columns in any order (storage may change it): the panel
            has the indicators of the spec in its order, then all others by name.
        bars: core bars of the class.
        coverage: ``symbol`` and ``delisted_on`` (last session of a delisted symbol, else NaT).
        settings: for ``settings.costs`` and ``settings.execution.cash_series``.
        actions: corporate actions behind the adjustment factors, empty if there are none; None: not known.
        exchanges: calendar per symbol (``XASX`` …): some have costs of their own, and days of interest.
        macro: core macro observations; without them there is neither interest on cash nor carry.
        rates: whose rate each macro series is, for the carry of currency pairs.

    Raises:
        DataWindowError: there are no bars.
        SettingsError: the class has no spec, or ``settings.costs`` lacks it.
        CurationError: features and bars do not cover the same rows, or a symbol has bars after its delisting.
    """
    if asset_class not in MARKETS:
        raise SettingsError(unknown_name("asset class", str(asset_class), map(str, MARKETS)))
    if asset_class not in settings.costs:
        raise SettingsError(unknown_name("class in costs", str(asset_class), map(str, settings.costs)))
    if not len(bars):
        raise DataWindowError(f"{asset_class} has no bars")
    spec, cost = MARKETS[asset_class], settings.costs[asset_class]
    long = _with_events(_joined(asset_class, features, bars), actions)
    rows, sessions = pd.factorize(long["session_date"], sort=True)
    places, names = pd.factorize(long["symbol"], sort=True)
    dates = sessions.to_numpy("datetime64[D]")
    symbols = tuple(str(name) for name in names)
    shape = (len(dates), len(symbols))

    def grid(values: npt.NDArray[Any], empty: float | bool) -> npt.NDArray[Any]:
        cells = np.full((*shape, *values.shape[1:]), empty, dtype=values.dtype)
        cells[rows, places] = values
        return cells

    feature_names = _in_order_of(spec, features)
    has_bar = grid(np.ones(len(long), dtype=np.bool_), False)
    delisted = _delisted(coverage, dates, symbols, has_bar)
    source = _rows_to_show(dates, has_bar, delisted)
    columns = np.arange(len(symbols))
    observed = grid(long["observed"].to_numpy(np.bool_), False)[source, columns] & (source >= 0)
    matrix = grid(long[list(feature_names)].to_numpy(np.float32), 0.0)[source, columns]
    prices = {name: grid(long[name].to_numpy(np.float64), np.nan) for name in _PER_BAR}
    traded = prices["dollar_volume"] if spec.has_volume else np.full(shape, np.nan)
    fills = grid(long["tradable"].to_numpy(np.bool_), False) & (prices["open"] > 0.0)
    own_exchanges = [(exchanges or {}).get(symbol) for symbol in symbols]
    overnight = overnight_of(
        asset_class, dates, symbols, own_exchanges, macro, rates or CurrencyRates(), settings.execution.cash_series
    )
    return MarketPanel(
        dates=dates,
        symbols=symbols,
        feature_names=feature_names,
        features=np.where(observed[:, :, None], matrix, np.float32(0.0)),
        open=prices["open"],
        close=prices["close"],
        tradable=fills,
        observed=observed,
        delisted=delisted,
        dollar_volume=last_known(traded),
        volatility=last_known(prices["volatility"]),
        costs=asset_costs(cost, own_exchanges),
        annualisation=spec.annualisation,
        dividend=None if actions is None else grid(long["dividend"].to_numpy(np.float64), 0.0),
        split=None if actions is None else grid(long["split"].to_numpy(np.float64), 1.0),
        carry=overnight.carry,
        cash_rate=overnight.cash_rate,
        accrual_days=overnight.accrual_days,
    )


def _in_order_of(spec: MarketSpec, features: pd.DataFrame) -> tuple[str, ...]:
    names = [str(name) for name in features.columns if name not in KEY_COLUMNS]
    place = {name: index for index, name in enumerate(spec.indicators)}
    return tuple(sorted(names, key=lambda name: (place.get(name, len(place)), name)))


def _joined(asset_class: AssetClass, features: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    keys = ["symbol", "session_date"]
    wanted = bars[[*keys, "open", "close", "adj_factor", "tradable"]]
    long = features.merge(wanted, on=keys, how="outer", validate="one_to_one", indicator="side")
    strangers = long[long["side"] != "both"]
    if len(strangers):
        row = strangers.iloc[0]
        raise CurationError(
            f"features and bars of {asset_class} must cover the same rows, "
            f"{row['symbol']} on {row['session_date']:%Y-%m-%d} is in one only"
        )
    return long


def _with_events(long: pd.DataFrame, actions: pd.DataFrame | None) -> pd.DataFrame:
    """Prices as stored with their events, or adjusted prices."""
    if actions is None:
        return long.assign(open=long["open"] * long["adj_factor"], close=long["close"] * long["adj_factor"])
    split, dividend = bar_events(long, actions)
    return long.assign(split=split, dividend=dividend)


def _delisted(coverage: pd.DataFrame, dates: DateArray, symbols: tuple[str, ...], has_bar: BoolArray) -> BoolArray:
    result = np.zeros(has_bar.shape, dtype=np.bool_)
    last_sessions = pd.to_datetime(coverage["delisted_on"])
    for symbol, last_session in zip(coverage["symbol"], last_sessions, strict=True):
        if symbol not in symbols or pd.isna(last_session):
            continue
        column = symbols.index(symbol)
        row = int(np.searchsorted(dates, last_session.to_datetime64().astype("datetime64[D]"), side="right"))
        if has_bar[row:, column].any():
            raise CurationError(f"{symbol} must have no bar after its delisting on {last_session:%Y-%m-%d}")
        if row < len(dates):
            result[row, column] = True
    return result


def _rows_to_show(dates: DateArray, has_bar: BoolArray, delisted: BoolArray) -> npt.NDArray[np.int64]:
    """(T, A) row of the bar whose features are valid on each date, -1 if there is none."""
    own = np.arange(len(dates))[:, None]
    last = np.maximum.accumulate(np.where(has_bar, own, -1), axis=0)
    age = (dates[:, None] - dates[np.maximum(last, 0)]).astype(np.int64)
    gone = np.logical_or.accumulate(delisted, axis=0)
    return np.where((last >= 0) & (age <= MAX_CARRIED_DAYS) & ~gone, last, -1)
