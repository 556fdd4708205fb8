"""The truth behind the stand-in: what was really traded and published, and how it changes from night to night."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from threading import RLock
from typing import Self

import numpy as np
import pandas as pd
from stand_in_adjusting import (
    PRICES,
    as_float32,
    as_float32_values,
    coins,
    cut,
    dividend_adjusted,
    rounded,
    split_adjusted,
)
from stand_in_hours import after, epochs, hours_of
from stand_in_macro import DEFAULT_SERIES, MacroSpec, first_releases
from stand_in_paths import Path, make_path

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, Instrument

HORIZON = timedelta(days=7)
"""How far the paths reach beyond the world's last day: bars of sessions that are still open come from there."""
COINGECKO_DAYS = 365
"""Days back from now that CoinGecko's free plans serve."""

DEFAULT_INSTRUMENTS = (
    Instrument("AAPL", AssetClass.STOCKS, "XNYS", "USD", "Technology", "Apple Inc.", "NASDAQ"),
    Instrument("JPM", AssetClass.STOCKS, "XNYS", "USD", "Financials", "JPMorgan Chase & Co.", "NYSE"),
    Instrument("BHP.AX", AssetClass.STOCKS, "XASX", "AUD", "Materials", "BHP Group Limited", "ASX"),
    Instrument("CSL.AX", AssetClass.STOCKS, "XASX", "AUD", "Health Care", "CSL Limited", "ASX"),
    Instrument("BTC-USD", AssetClass.CRYPTO, "24/7", name="Bitcoin", aliases=(("coingecko", "bitcoin"),)),
    Instrument("ETH-USD", AssetClass.CRYPTO, "24/7", name="Ethereum", aliases=(("coingecko", "ethereum"),)),
    Instrument("SPY", AssetClass.ETFS, "XNYS", name="SPDR S&P 500 ETF Trust", venue="NYSE"),
    Instrument("TLT", AssetClass.ETFS, "XNYS", name="iShares 20+ Year Treasury Bond ETF", venue="NASDAQ"),
    Instrument("EURUSD=X", AssetClass.CURRENCIES, "24/5", name="EUR/USD"),
    Instrument("AUDUSD=X", AssetClass.CURRENCIES, "24/5", name="AUD/USD"),
    Instrument("PLD", AssetClass.REITS, "XNYS", "USD", "Real Estate", "Prologis, Inc.", "NYSE"),
    Instrument("O", AssetClass.REITS, "XNYS", "USD", "Real Estate", "Realty Income Corporation", "NYSE"),
    Instrument("GC=F", AssetClass.COMMODITIES, "24/5", name="Gold"),
    Instrument("CL=F", AssetClass.COMMODITIES, "24/5", name="Crude Oil"),
)


@dataclass(frozen=True)
class Listed:
    """An instrument with its truth; the moments are Unix seconds, one per session of ``path``."""

    instrument: Instrument
    path: Path
    opens_at: np.ndarray
    closes_at: np.ndarray


@dataclass(frozen=True)
class _Revision:
    day: date
    columns: tuple[tuple[str, float], ...]
    vendor: str | None


class World:
    """Seeded truth for a list of instruments and macro series, up to and including the day ``end``.

    Two worlds of one seed agree on every day that both have. Safe to change while a stand-in serves it.
    """

    def __init__(
        self,
        seed: int,
        instruments: Sequence[Instrument],
        start: date,
        end: date,
        macro: Sequence[MacroSpec] = DEFAULT_SERIES,
    ) -> None:
        self.seed, self.start, self.end = seed, start, end
        self.version = 0
        """Grows with every change; what was rendered of an older version is out of date."""
        self._instruments = {item.symbol: item for item in instruments}
        self._drawn_from = {item.symbol: item.symbol for item in instruments}
        self._added_splits: dict[str, dict[date, float]] = {}
        self._revisions: dict[str, list[_Revision]] = {}
        self._series = {spec.series: spec for spec in macro}
        self._macro_revisions: dict[str, list[tuple[date, float, date]]] = {}
        self._listed: dict[tuple[str, str | None], Listed] = {}
        self._observations: dict[str, pd.DataFrame] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._lock = RLock()

    @classmethod
    def default(
        cls,
        seed: int = 1,
        instruments: Sequence[Instrument] = DEFAULT_INSTRUMENTS,
        start: date = date(2021, 1, 4),
        end: date = date(2026, 11, 19),
        macro: Sequence[MacroSpec] = DEFAULT_SERIES,
    ) -> Self:
        """A small world over all asset classes."""
        return cls(seed, instruments, start, end, macro)

    @property
    def now(self) -> datetime:
        """The hour after ``end`` has closed everywhere."""
        return after(self.end)

    def symbols(self) -> list[str]:
        """Every symbol that the vendors know now, sorted."""
        return sorted(self._instruments)

    def instrument(self, symbol: str) -> Instrument | None:
        """The instrument of a symbol; None if the vendors do not know it."""
        return self._instruments.get(symbol)

    def symbol_called(self, vendor: str, name: str) -> str:
        """The symbol of what a vendor calls ``name``; ``""`` if it knows no such thing."""
        with self._lock:
            if vendor not in self._names:
                self._names[vendor] = {item.called_by(vendor): symbol for symbol, item in self._instruments.items()}
            return self._names[vendor].get(name, "")

    def series(self) -> list[MacroSpec]:
        """Every macro series, sorted by name."""
        return [self._series[name] for name in sorted(self._series)]

    def listed(self, symbol: str, vendor: str | None = None) -> Listed:
        """An instrument with what was traded, a week beyond ``end``, as one vendor sees it (None: the truth)."""
        with self._lock:
            key = (symbol, vendor)
            if key not in self._listed:
                self._listed[key] = self._list(symbol, vendor)
            return self._listed[key]

    def bars(self, symbol: str) -> pd.DataFrame:
        """Daily bars as traded, ``BAR_COLUMNS`` without ``adj_close``, sessions from ``start`` to ``end``."""
        path = self.listed(symbol).path
        return _frame(path, path.days <= np.datetime64(self.end, "D"))

    def splits(self, symbol: str) -> dict[date, float]:
        """New shares per old, by first session on the new share count, up to ``end``."""
        bars = self.bars(symbol)
        bars = bars[bars["split"] != 1.0]
        return {day.date(): ratio for day, ratio in zip(bars["session_date"], bars["split"], strict=True)}

    def dividends(self, symbol: str) -> dict[date, float]:
        """Cash per share by ex date, on that day's share count, up to ``end``."""
        bars = self.bars(symbol)
        bars = bars[bars["dividend"] != 0.0]
        return {day.date(): cash for day, cash in zip(bars["session_date"], bars["dividend"], strict=True)}

    def macro(self, series: str) -> pd.DataFrame:
        """Every value that was ever published: ``reference_date``, ``value`` (NaN: published as missing), ``released``.

        Sorted by reference date, then by release; releases after ``end`` are left out.
        """
        table = self.published(series)
        return table[table["released"] <= pd.Timestamp(self.end)].reset_index(drop=True)

    def published(self, series: str) -> pd.DataFrame:
        """Like ``macro``, a week beyond ``end``."""
        with self._lock:
            if series not in self._observations:
                spec = self._series[series]
                table = first_releases(spec, self.seed, self.start, self.end + HORIZON)
                added = pd.DataFrame(
                    [
                        (pd.Timestamp(day), value, pd.Timestamp(released))
                        for day, value, released in self._macro_revisions.get(series, [])
                    ],
                    columns=list(table.columns),
                ).astype(table.dtypes.to_dict())
                table = pd.concat([table, added]).drop_duplicates(["reference_date", "released"], keep="last")
                self._observations[series] = table.sort_values(["reference_date", "released"], ignore_index=True)
            return self._observations[series]

    def clean_bars(self, symbol: str, vendor: str) -> pd.DataFrame:
        """What a vendor, healthy, tells of a symbol after ``end`` has closed: ``BAR_COLUMNS``, NaN: it does not tell.

        ``coingecko`` has the last 365 days; its open, high and low can be had from candles only, its close and
        volume (dollars) from the daily points.
        """
        listed = self.listed(symbol, vendor)
        shown = listed.path.days <= np.datetime64(self.end, "D")
        if vendor == "coingecko":
            shown &= listed.path.days >= np.datetime64(self.now.date() - timedelta(days=COINGECKO_DAYS), "D")
        path = cut(listed.path, shown)
        if vendor == "yahoo":
            adjusted = split_adjusted(path)
            table = _frame(as_float32(adjusted))
            table["adj_close"] = as_float32_values(dividend_adjusted(adjusted))
        elif vendor == "rest":
            table = _frame(rounded(split_adjusted(path), 6))
            table["adj_close"] = np.nan
        else:
            table = _frame(path)
            table[["adj_close", "dividend", "split"]] = np.nan
            if vendor == "alpha_vantage" and listed.instrument.asset_class is AssetClass.CRYPTO:
                table["volume"] = coins(path)
            if vendor == "alpha_vantage" and listed.instrument.asset_class is AssetClass.CURRENCIES:
                table["volume"] = np.nan
        return table[list(BAR_COLUMNS)]

    def advance(self, to_day: date) -> None:
        """Lets time pass up to and including ``to_day``."""
        with self._changing():
            self.end = to_day

    def add_split(self, symbol: str, day: date, ratio: float) -> None:
        """``ratio`` new shares per old from the session ``day`` on; from then on adjusted histories are rewritten."""
        with self._changing():
            self._added_splits.setdefault(self._drawn_from[symbol], {})[day] = ratio

    def revise(self, symbol: str, day: date, vendor: str | None = None, **values: float) -> None:
        """Gives a bar other values (as traded, by column of the bar), for one vendor or for all."""
        with self._changing():
            revision = _Revision(day, tuple(sorted(values.items())), vendor)
            self._revisions.setdefault(self._drawn_from[symbol], []).append(revision)

    def revise_macro(self, series: str, reference_date: date, value: float, released: date) -> None:
        """Publishes another value of a reference date on the day ``released``."""
        with self._changing():
            self._macro_revisions.setdefault(series, []).append((reference_date, value, released))

    def rename(self, old: str, new: str) -> None:
        """The vendors know the instrument, with its whole history, as ``new`` from now on, and ``old`` no more."""
        with self._changing():
            instrument = self._instruments.pop(old)
            self._instruments[new] = replace(instrument, symbol=new)
            self._drawn_from[new] = self._drawn_from.pop(old)

    def drop(self, symbol: str) -> None:
        """The vendors do not know the symbol any more."""
        with self._changing():
            del self._instruments[symbol]

    def add(self, instrument: Instrument) -> None:
        """The vendors know a further instrument."""
        with self._changing():
            self._instruments[instrument.symbol] = instrument
            self._drawn_from[instrument.symbol] = instrument.symbol

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._lock = RLock()

    def _changing(self) -> "_Change":
        return _Change(self)

    def _list(self, symbol: str, vendor: str | None) -> Listed:
        instrument = self._instruments[symbol]
        name = self._drawn_from[symbol]
        splits = self._added_splits.get(name, {})
        path = make_path(instrument, name, self.seed, self.start, self.end + HORIZON, splits)
        path = cut(path, _while_listed(instrument, path.days))
        for revision in self._revisions.get(name, []):
            if revision.vendor in {None, vendor}:
                _overwrite(path, revision)
        hours = hours_of(instrument)
        return Listed(
            instrument, path, epochs(path.days, hours.zone, hours.opens), epochs(path.days, hours.zone, hours.closes)
        )


class _Change:
    """Holds the world's lock during a change, and forgets what was derived from the state before."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        self._world._lock.acquire()

    def __exit__(self, *_: object) -> None:
        world = self._world
        world._listed.clear()
        world._observations.clear()
        world._names.clear()
        world.version += 1
        world._lock.release()


def _frame(path: Path, rows: np.ndarray | slice = slice(None)) -> pd.DataFrame:
    table = pd.DataFrame({name: getattr(path, name)[rows] for name in (*PRICES, "volume", "dividend", "split")})
    table.insert(0, "session_date", path.days[rows].astype("datetime64[us]"))
    return table


def _while_listed(instrument: Instrument, days: np.ndarray) -> np.ndarray:
    listed = np.ones(len(days), dtype=bool)
    if instrument.first_day is not None:
        listed &= days >= np.datetime64(instrument.first_day, "D")
    if instrument.last_day is not None:
        listed &= days <= np.datetime64(instrument.last_day, "D")
    return listed


def _overwrite(path: Path, revision: _Revision) -> None:
    at = path.days == np.datetime64(revision.day, "D")
    for name, value in revision.columns:
        getattr(path, name)[at] = value
