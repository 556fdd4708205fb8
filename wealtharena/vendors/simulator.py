"""The embedded market simulator as a vendor: six correlated asset classes and a few macro series, made from a seed.

What can be learned on it, in formulas, stands in ``wealtharena/vendors/simulated_paths.py`` and ``docs/simulator.md``.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.errors import SettingsError, VendorRejected
from wealtharena.core.hashing import hash_arrays, hash_json
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    MacroRequest,
    Outcome,
    PriceBasis,
)
from wealtharena.core.panel import BoolArray
from wealtharena.settings import SimulatorSettings
from wealtharena.vendors.simulated_events import Event, market_events, random_events, scripted_events
from wealtharena.vendors.simulated_macro import MACRO_SERIES
from wealtharena.vendors.simulated_models import CLASS_MODELS, AssetModel
from wealtharena.vendors.simulated_paths import World, simulate_bars, simulate_conditions, simulate_world

_PREFIXES: dict[AssetClass, str] = {
    AssetClass.STOCKS: "STK",
    AssetClass.CRYPTO: "CRY",
    AssetClass.ETFS: "ETF",
    AssetClass.CURRENCIES: "CUR",
    AssetClass.REITS: "REI",
    AssetClass.COMMODITIES: "COM",
}
_CLASSES = {prefix: asset_class for asset_class, prefix in _PREFIXES.items()}
_SYMBOL = re.compile(r"([A-Z]{3})(\d{2,})\.SIM")
_SECTORS: dict[AssetClass, tuple[str, ...]] = {
    AssetClass.STOCKS: ("materials", "technology", "financials", "health", "energy", "consumer"),
    AssetClass.CRYPTO: ("payments", "platforms"),
    AssetClass.ETFS: ("growth", "value", "energy", "technology", "bonds", "defensive"),
    AssetClass.CURRENCIES: ("majors", "crosses"),
    AssetClass.REITS: ("retail", "industrial", "residential"),
    AssetClass.COMMODITIES: ("energy", "metals", "grains"),
}
# One company of the stocks is delisted after about six years, as in any real universe.
_DELISTED_SYMBOL = (AssetClass.STOCKS, 4)
_DELISTED_AFTER_DAYS = 2_250


class SimulatorVendor:
    """``Vendor`` of simulated bars and macro series; the same settings give the same figures in every process.

    Raises:
        SettingsError: a scripted event names a symbol that the simulator does not have.
    """

    name = "simulator"
    is_local = True

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._last_world: tuple[date, World] | None = None
        strangers = [event.symbol for event in settings.events if event.symbol and not self._parse(event.symbol)]
        if strangers:
            raise SettingsError(
                f"vendors.simulator.events must name symbols that the simulator has, got {', '.join(strangers)}"
            )

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        """``symbols_per_class`` instruments of each class, in symbol order."""
        numbers = range(1, self._settings.symbols_per_class + 1)
        found = [_instrument(asset_class, number) for asset_class in asset_classes for number in numbers]
        return sorted(found, key=lambda instrument: instrument.symbol)

    def macro_series(self) -> list[str]:
        """Names of the simulated macro series."""
        return sorted(MACRO_SERIES)

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        """Last day up to ``today`` on which each class had a session for ``min_coverage`` of its instruments.

        Raises:
            VendorRejected: ``today`` lies before the first simulated session.
        """
        return min(self._latest_of_class(asset_class, today, min_coverage) for asset_class in asset_classes)

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """Simulated bars, without dividends and splits; symbols beyond ``symbols_per_class`` are unknown."""
        for request in requests:
            known = self._parse(request.symbol)
            if known is None:
                reason = f"the simulator has no symbol {request.symbol}"
                yield _no_rows(request.symbol, Outcome.UNKNOWN_SYMBOL, reason, BAR_COLUMNS)
            else:
                bars = self._bars(self._world(request.end), *known).assign(dividend=0.0, split=1.0)
                yield _result(request, bars, BAR_COLUMNS)

    def conditions(self, symbol: str, start: date, end: date) -> pd.DataFrame:
        """What no vendor tells and no bar shows: ``session_date``, ``volatility`` (standard deviation of the day's
        return) and ``half_spread`` (fraction of the price) on each session of a symbol from ``start`` to ``end``.

        Raises:
            VendorRejected: the simulator has no such symbol.
        """
        known = self._parse(symbol)
        if known is None:
            raise VendorRejected(f"the simulator has no symbol {symbol}")
        world, asset = self._world(end), AssetModel(CLASS_MODELS[known[0]], known[1])
        events = self._events(world, known[0], asset)
        frame = simulate_conditions(world, self._settings.seed, asset, _open_days(world, *known), events)
        inside = frame["session_date"].between(pd.Timestamp(start), pd.Timestamp(end))
        return frame[inside].reset_index(drop=True)

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """Simulated macro observations of each series; none is ever revised."""
        for request in requests:
            if request.symbol not in MACRO_SERIES:
                reason = f"the simulator has no series {request.symbol}"
                yield _no_rows(request.symbol, Outcome.UNKNOWN_SYMBOL, reason, MACRO_COLUMNS)
            else:
                frame = MACRO_SERIES[request.symbol](self._world(request.end), self._settings.seed)
                yield _result(request, frame, MACRO_COLUMNS)

    def _world(self, end: date) -> World:
        # Requests of one night have one end as a rule, and the world is the dearest part of a path.
        if self._last_world is None or self._last_world[0] != end:
            first, events = self._settings.start, market_events(self._settings.events)
            world = simulate_world(self._settings.seed, first, max(end, first), events=events)
            self._last_world = (end, world)
        return self._last_world[1]

    def _bars(self, world: World, asset_class: AssetClass, number: int) -> pd.DataFrame:
        settings, asset = self._settings, AssetModel(CLASS_MODELS[asset_class], number)
        events = self._events(world, asset_class, asset)
        return simulate_bars(world, settings.seed, settings.edge, asset, _open_days(world, asset_class, number), events)

    def _events(self, world: World, asset_class: AssetClass, asset: AssetModel) -> list[Event]:
        settings, model = self._settings, asset.model
        scripted = scripted_events(settings.events, asset_class, _symbol(asset_class, asset.index))
        return scripted + random_events(
            settings.seed, model.code, asset.index, settings.events_per_year, model.daily_volatility, world.days
        )

    def _parse(self, symbol: str) -> tuple[AssetClass, int] | None:
        match = _SYMBOL.fullmatch(symbol)
        if match is None or match[1] not in _CLASSES:
            return None
        number = int(match[2])
        known = symbol == _symbol(_CLASSES[match[1]], number) and 1 <= number <= self._settings.symbols_per_class
        return (_CLASSES[match[1]], number) if known else None

    def _latest_of_class(self, asset_class: AssetClass, today: date, min_coverage: float) -> date:
        first = max(self._settings.start, today - timedelta(days=31))
        open_count: dict[date, int] = defaultdict(int)
        instruments = self.instruments([asset_class])
        for instrument in instruments:
            for session in exchange_sessions(instrument.exchange, first, today):
                open_count[session.date()] += 1
        covered = [day for day, count in open_count.items() if count >= min_coverage * len(instruments)]
        if not covered:
            raise VendorRejected(
                f"simulator: {asset_class} has no session from {first} to {today} (vendors.simulator.start is "
                f"{self._settings.start}) for {min_coverage:.0%} of its symbols"
            )
        return max(covered)


def _open_days(world: World, asset_class: AssetClass, number: int) -> BoolArray:
    """(D,) True on the days on which a symbol's exchange is open and the symbol is listed."""
    first, last = world.days[0].item(), world.days[-1].item()
    sessions = exchange_sessions(_instrument(asset_class, number).exchange, first, last)
    open_days: BoolArray = np.isin(world.days, sessions.to_numpy().astype("datetime64[D]"))
    if (asset_class, number) == _DELISTED_SYMBOL:
        open_days[_DELISTED_AFTER_DAYS:] = False
    return open_days


def _instrument(asset_class: AssetClass, number: int) -> Instrument:
    sectors = _SECTORS[asset_class]
    exchange, currency = "XNYS", "USD"
    if asset_class is AssetClass.CRYPTO:
        exchange = "24/7"
    elif asset_class is AssetClass.CURRENCIES:
        exchange = "24/5"
    elif asset_class is AssetClass.STOCKS and number % 2:
        exchange, currency = "XASX", "AUD"
    return Instrument(
        symbol=_symbol(asset_class, number),
        asset_class=asset_class,
        exchange=exchange,
        currency=currency,
        sector=sectors[(number - 1) % len(sectors)],
    )


def _symbol(asset_class: AssetClass, number: int) -> str:
    return f"{_PREFIXES[asset_class]}{number:02d}.SIM"


def _result(request: FetchRequest | MacroRequest, frame: pd.DataFrame, columns: tuple[str, ...]) -> FetchResult:
    inside = frame[columns[0]].between(pd.Timestamp(request.start), pd.Timestamp(request.end))
    rows = frame.loc[inside, list(columns)].reset_index(drop=True)
    if rows.empty:
        reason = f"no simulated rows from {request.start} to {request.end}"
        return _no_rows(request.symbol, Outcome.EMPTY, reason, columns)
    numbers = (rows[column].to_numpy() for column in columns)
    hashed = hash_arrays(part.astype(np.int64) if part.dtype.kind == "M" else part for part in numbers)
    asked = f"{request.symbol} from {request.start} to {request.end}"
    return FetchResult(request.symbol, Outcome.ROWS, "", rows, hashed, PriceBasis.SPLIT_ADJUSTED, request=asked)


def _no_rows(symbol: str, outcome: Outcome, reason: str, columns: tuple[str, ...]) -> FetchResult:
    return FetchResult(symbol, outcome, reason, pd.DataFrame(columns=list(columns)), hash_json([symbol, outcome]))
