"""Reads the tables of ``config/universe`` and holds them to their rules, with file and line in every complaint."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_names
from wealtharena.core.errors import SettingsError
from wealtharena.core.market_data import Instrument
from wealtharena.core.rates import CurrencyRates

MARKET_COLUMNS = ("symbol", "name", "exchange", "venue", "currency", "sector", "first_day", "last_day", "aliases")
MACRO_COLUMNS = ("series", "name", "vendor", "frequency", "lag_days", "published", "with_vintages", "first_day")
RATE_COLUMNS = ("currency", *MACRO_COLUMNS)
COMPANY_COLUMNS = ("code", "name", "sector", "industry_group")
RENAME_COLUMNS = ("symbol", "former", "last_day", "vendors")
FREQUENCIES = ("daily", "weekly", "monthly", "quarterly")
VENDORS_WITH_ALIASES = ("alpha_vantage", "coingecko", "files", "rest", "yahoo")
MACRO, RATES, COMPANIES, RENAMES = "macro", "rates", "asx_companies", "renames"


@dataclass(frozen=True, slots=True)
class MacroSeries:
    """One macro series.

    Attributes:
        symbol: its name at the vendor.
        vendor: that publishes it.
        frequency: ``daily``, ``weekly``, ``monthly`` or ``quarterly``.
        lag_days: days from a reference date to the day on which its figure is out at the latest in an ordinary month;
            used where the vendor does not tell the release day.
        with_vintages: the vendor tells every value that was ever published, with its release day.
        first_day: first reference date.
    """

    symbol: str
    name: str
    vendor: str
    frequency: str
    lag_days: int
    with_vintages: bool
    first_day: date


@dataclass(frozen=True, slots=True)
class Rename:
    """A name that a symbol had before.

    Attributes:
        symbol: its name today, under which all of its history is kept.
        former: its name until ``last_day``; whoever bears it later is someone else.
        vendors: vendors that still file those days under the former name; the others moved them to the new one.
    """

    symbol: str
    former: str
    last_day: date
    vendors: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Row:
    """One line of a table."""

    path: Path
    line: int
    cells: dict[str, str]

    def refuse(self, column: str, rule: str) -> SettingsError:
        return SettingsError(f"{self.path}, line {self.line}: {column} must {rule}, got {self.cells[column]!r}")

    def text(self, column: str) -> str:
        if not self.cells[column]:
            raise self.refuse(column, "not be empty")
        return self.cells[column]

    def one_of(self, column: str, known: Iterable[str]) -> str:
        if self.cells[column] not in known:
            raise self.refuse(column, f"be one of {', '.join(sorted(known))}")
        return self.cells[column]

    def day(self, column: str) -> date:
        try:
            return date.fromisoformat(self.cells[column])
        except ValueError:
            raise self.refuse(column, "be an ISO date (2014-06-25)") from None

    def count(self, column: str) -> int:
        if not self.cells[column].isdecimal():
            raise self.refuse(column, "be a whole number that is not negative")
        return int(self.cells[column])

    def names(self, column: str, known: Iterable[str]) -> tuple[str, ...]:
        names = tuple(name.strip() for name in self.cells[column].split(";") if name.strip())
        if not set(names) <= set(known):
            raise self.refuse(column, f"name only {', '.join(sorted(known))}, joined by ;")
        return names


def read_universe(
    folder: Path,
) -> tuple[tuple[Instrument, ...], tuple[MacroSeries, ...], tuple[Rename, ...], CurrencyRates]:
    """Listings, macro series and former names of a folder, each in table order, and the series of interest rates.

    Raises:
        SettingsError: a table is missing, or breaks a rule.
    """
    if not folder.is_dir():
        raise SettingsError(f"vendors.universe: {folder} must be a folder of membership tables, it is not there")
    classes = {str(asset_class): asset_class for asset_class in AssetClass}
    for path in sorted(folder.glob("*.csv")):
        if path.stem not in (*classes, MACRO, RATES, COMPANIES, RENAMES):
            raise SettingsError(f"{path}: a table must be of a class ({', '.join(sorted(classes))}), got {path.stem!r}")
    sectors = {row.text("code"): row.text("sector") for row in _unique(_rows(folder, COMPANIES, COMPANY_COLUMNS))}
    listings: list[tuple[_Row, Instrument]] = []
    for name, asset_class in classes.items():
        listings += [(row, _listing(row, asset_class, sectors)) for row in _rows(folder, name, MARKET_COLUMNS)]
    if not listings:
        raise SettingsError(f"{folder}: there must be a table of a class ({', '.join(sorted(classes))}), got none")
    _check_spells(listings)
    series = tuple(_series(row) for row in _unique(_rows(folder, MACRO, MACRO_COLUMNS)))
    carry_only, rates = _rates(_unique(_rows(folder, RATES, RATE_COLUMNS)), {item.symbol for item in series})
    renames = [(row, _rename(row)) for row in _rows(folder, RENAMES, RENAME_COLUMNS)]
    _check_renames(renames, [item for _, item in listings])
    return tuple(item for _, item in listings), series + carry_only, tuple(item for _, item in renames), rates


def _rows(folder: Path, name: str, columns: tuple[str, ...]) -> Iterator[_Row]:
    """Rows of one table, none if it is not there; lines that begin with # are remarks."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the table must be readable, got: {error}") from None
    header: list[str] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or not line.strip():
            continue
        cells = [cell.strip() for cell in next(csv.reader([line]))]
        if not header:
            header = cells
            if tuple(header) != columns:
                raise SettingsError(f"{path}, line {number}: the columns must be {','.join(columns)}, got {line!r}")
        elif len(cells) != len(columns):
            raise SettingsError(f"{path}, line {number}: a row must have {len(columns)} cells, got {len(cells)}")
        else:
            yield _Row(path, number, dict(zip(columns, cells, strict=True)))


def _unique(rows: Iterator[_Row]) -> Iterator[_Row]:
    """The rows, none of which may have the first cell of another."""
    lines: dict[str, int] = {}
    for row in rows:
        column = next(iter(row.cells))
        key = row.text(column)
        if key in lines:
            raise row.refuse(column, f"stand once (also on line {lines[key]})")
        lines[key] = row.line
        yield row


def _listing(row: _Row, asset_class: AssetClass, sectors: dict[str, str]) -> Instrument:
    first_day = row.day("first_day")
    last_day = row.day("last_day") if row.cells["last_day"] else None
    if last_day is not None and last_day < first_day:
        raise row.refuse("last_day", f"not lie before first_day {first_day}")
    return Instrument(
        symbol=row.text("symbol"),
        asset_class=asset_class,
        exchange=row.one_of("exchange", exchange_names()),
        currency=row.text("currency"),
        sector=row.cells["sector"] or sectors.get(row.text("symbol").removesuffix(".AX"), ""),
        name=row.text("name"),
        venue=row.text("venue"),
        first_day=first_day,
        last_day=last_day,
        aliases=_aliases(row),
    )


def _aliases(row: _Row) -> tuple[tuple[str, str], ...]:
    aliases: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in row.cells["aliases"].split(";"))):
        vendor, equals, name = (text.strip() for text in part.partition("="))
        if not equals or not name or vendor not in VENDORS_WITH_ALIASES or vendor in aliases:
            rule = f"look like vendor=name;vendor=name, each of {', '.join(VENDORS_WITH_ALIASES)} at most once"
            raise row.refuse("aliases", rule)
        aliases[vendor] = name
    return tuple(aliases.items())


def _check_spells(listings: list[tuple[_Row, Instrument]]) -> None:
    """Refuses a symbol in two classes, and spells of one symbol that overlap."""
    earlier: dict[str, list[tuple[_Row, Instrument]]] = {}
    for row, item in listings:
        for other_row, other in earlier.get(item.symbol, []):
            place = f"line {other_row.line} of {other_row.path.name}"
            if other.asset_class is not item.asset_class:
                raise row.refuse("symbol", f"be of one class (also on {place})")
            if _overlap(item, other):
                raise row.refuse("first_day", f"not fall into the listing of {item.symbol} on {place}, nor the reverse")
        earlier.setdefault(item.symbol, []).append((row, item))


def _overlap(one: Instrument, other: Instrument) -> bool:
    starts, ends = (one.first_day, other.first_day), (one.last_day or date.max, other.last_day or date.max)
    return max(day or date.min for day in starts) <= min(ends)


def _series(row: _Row) -> MacroSeries:
    return MacroSeries(
        symbol=row.text("series"),
        name=row.text("name"),
        vendor=row.text("vendor"),
        frequency=row.one_of("frequency", FREQUENCIES),
        lag_days=row.count("lag_days"),
        with_vintages=row.one_of("with_vintages", ("yes", "no")) == "yes",
        first_day=row.day("first_day"),
    )


def _rates(rows: Iterable[_Row], macro: set[str]) -> tuple[tuple[MacroSeries, ...], CurrencyRates]:
    """Series that only rates are taken from, and the series of each currency."""
    series_of: dict[str, str] = {}
    described: dict[str, MacroSeries] = {}
    for row in rows:
        name = row.text("series")
        if name in macro and row.cells["name"]:
            raise row.refuse("name", f"be empty: {name} is described in {MACRO}.csv")
        if name not in macro and name not in described:
            described[name] = _series(row)
        series_of[row.text("currency")] = name
    return tuple(described.values()), CurrencyRates(series_of, frozenset(described))


def _rename(row: _Row) -> Rename:
    vendors = row.names("vendors", VENDORS_WITH_ALIASES)
    return Rename(row.text("symbol"), row.text("former"), row.day("last_day"), vendors)


def _check_renames(renames: list[tuple[_Row, Rename]], listings: list[Instrument]) -> None:
    """Refuses former names of symbols that no table has, and tables that list a company under both of its names."""
    symbols = {item.symbol for item in listings}
    for row, rename in renames:
        if rename.symbol not in symbols:
            raise row.refuse("symbol", "stand in the table of a class")
        for item in listings:
            if item.symbol == rename.former and (item.first_day or date.min) <= rename.last_day:
                rule = f"not be listed on its own up to {rename.last_day}: those days belong to {rename.symbol}"
                raise row.refuse("former", rule)
