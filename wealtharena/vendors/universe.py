"""What is collected: the membership tables of ``config/universe``, with the days on which each symbol was listed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.errors import SettingsError, VendorRejected, unknown_name
from wealtharena.core.market_data import Instrument
from wealtharena.core.rates import CurrencyRates
from wealtharena.vendors.universe_tables import MacroSeries, Rename, read_universe

_LISTED_CLASSES = (AssetClass.STOCKS, AssetClass.ETFS, AssetClass.REITS)
# Longer than any closure of an exchange since 1914.
_LOOK_BACK = timedelta(days=31)


@dataclass(frozen=True)
class Universe:
    """``Catalogue`` of dated membership tables.

    Attributes:
        listings: every spell of every symbol's listing, in table order; ``first_day`` is always known.
        series: macro series in table order, those of interest rates last.
        renames: former names of symbols.
        rates: which of the series are interest rates of currencies.
    """

    listings: tuple[Instrument, ...]
    series: tuple[MacroSeries, ...] = ()
    renames: tuple[Rename, ...] = ()
    rates: CurrencyRates = field(default_factory=CurrencyRates)

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        """Every instrument of these classes, delisted ones too, in symbol order.

        One with several spells is told of by its last one, from the first day of its first.
        """
        spells = _by_symbol(item for item in self.listings if item.asset_class in set(asset_classes))
        return [_whole(spells[symbol]) for symbol in sorted(spells)]

    def macro_series(self) -> list[str]:
        """Names of the macro series, sorted."""
        return sorted(item.symbol for item in self.series)

    def macro(self, symbol: str) -> MacroSeries:
        """What is known of a macro series.

        Raises:
            SettingsError: the table has no such series.
        """
        for item in self.series:
            if item.symbol == symbol:
                return item
        raise SettingsError(unknown_name("macro series", symbol, self.macro_series()))

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        """Last day up to ``today`` that ``min_coverage`` of each class's listed symbols have a session on or after.

        Raises:
            VendorRejected: no symbol of a class is listed on ``today``.
        """
        return min(self._latest_of_class(asset_class, today, min_coverage) for asset_class in asset_classes)

    def members(self, day: date) -> list[Instrument]:
        """Instruments that were listed on ``day``, in symbol order."""
        return sorted((item for item in self.listings if _listed(item, day)), key=lambda item: item.symbol)

    def as_of(self, day: date) -> "Universe":
        """What this universe was at the end of ``day``: later listings are not in it, later delistings not yet known.

        What had been delisted by then stays, with its last day: its history is part of that day's knowledge. Former
        names stay too: like aliases they say under which name a vendor is asked today.
        """
        return Universe(
            tuple(_seen_from(item, day) for item in self.listings if _started(item, day)),
            tuple(item for item in self.series if item.first_day <= day),
            self.renames,
            self.rates,
        )

    def restricted(self, exchanges: Sequence[str], max_symbols: int | None) -> "Universe":
        """The part of the universe that a run is limited to; macro series stay.

        Args:
            exchanges: venues (``ASX``) or calendars (``XASX``); empty for all. Stocks, ETFs and REITs must be listed
                there. The other classes trade elsewhere and stay whole, unless a venue of theirs is named.
            max_symbols: so many symbols per class, the first of the table; None for all.

        Raises:
            SettingsError: an exchange that no table has.
        """
        wanted = {name.upper() for name in exchanges}
        places = {place for item in self.listings for place in _places(item)}
        for name in sorted(wanted - places):
            raise SettingsError(f"run.exchanges: {unknown_name('exchange', name, places)}")
        kept: list[Instrument] = []
        for asset_class in AssetClass:
            own = [item for item in self.listings if item.asset_class is asset_class]
            symbols = _chosen(asset_class, own, wanted, max_symbols)
            kept += [item for item in own if item.symbol in symbols]
        return replace(self, listings=tuple(kept))

    def _latest_of_class(self, asset_class: AssetClass, today: date, min_coverage: float) -> date:
        listed = [item for item in self.members(today) if item.asset_class is asset_class]
        if not listed:
            raise VendorRejected(f"universe: there must be a symbol of {asset_class} that is listed on {today}")
        last = {name: _last_session(name, today) for name in sorted({item.exchange for item in listed})}
        days = sorted((last[item.exchange] for item in listed), reverse=True)
        return next(day for day in days if sum(other >= day for other in days) >= min_coverage * len(days))


def load_universe(folder: Path) -> Universe:
    """The universe of a folder of tables; ``docs/universe.md`` says how they look.

    Raises:
        SettingsError: a table is missing, or breaks a rule: the message names file, line, rule and value.
    """
    return Universe(*read_universe(folder))


def _chosen(
    asset_class: AssetClass, listings: Sequence[Instrument], wanted: set[str], max_symbols: int | None
) -> set[str]:
    """Symbols of one class that stay; where a symbol is listed now, or was last, decides."""
    now = {symbol: _whole(spells) for symbol, spells in _by_symbol(listings).items()}
    filtered = asset_class in _LISTED_CLASSES or any(_places(item) & wanted for item in now.values())
    if wanted and filtered:
        now = {symbol: item for symbol, item in now.items() if _places(item) & wanted}
    return set(list(now)[:max_symbols])


def _by_symbol(listings: Iterable[Instrument]) -> Mapping[str, list[Instrument]]:
    spells: dict[str, list[Instrument]] = defaultdict(list)
    for item in listings:
        spells[item.symbol].append(item)
    return spells


def _whole(spells: Sequence[Instrument]) -> Instrument:
    ordered = sorted(spells, key=lambda item: item.first_day or date.min)
    return replace(ordered[-1], first_day=ordered[0].first_day)


def _places(item: Instrument) -> set[str]:
    return {item.venue.upper(), item.exchange.upper()}


def _started(item: Instrument, day: date) -> bool:
    return item.first_day is None or item.first_day <= day


def _listed(item: Instrument, day: date) -> bool:
    return _started(item, day) and (item.last_day is None or day <= item.last_day)


def _seen_from(item: Instrument, day: date) -> Instrument:
    return item if item.last_day is None or item.last_day <= day else replace(item, last_day=None)


def _last_session(exchange: str, today: date) -> date:
    return pd.Timestamp(exchange_sessions(exchange, today - _LOOK_BACK, today)[-1]).date()
