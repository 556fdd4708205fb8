"""A folder of CSV or Parquet files as a vendor: ``market/<class>/<SYMBOL>.csv`` and ``macro/<SERIES>.csv``.

Market files need ``date, open, high, low, close`` and may have ``adj_close``, ``volume``, ``dividend`` and ``split``;
macro files need ``date, value`` and may have ``available_date``. Class folders carry the names of the asset classes;
``forex`` stands for ``currencies``. Exchange and currency follow from class and symbol, Yahoo style.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import ended_alone
from wealtharena.core.errors import VendorRejected
from wealtharena.core.hashing import hash_file, hash_json
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
from wealtharena.settings import FilesSettings
from wealtharena.vendors.file_tables import FileTable, UnparsedCell, read_dated_table

_FOLDER_ALIASES = {"forex": AssetClass.CURRENCIES}
_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class _MarketFile:
    instrument: Instrument
    path: Path


class FilesVendor:
    """``Vendor`` of the files under ``vendors.files.root``; they are read anew at each call, never changed.

    Args:
        stale_sessions: sessions without a bar after which a symbol that ended on its own no longer counts for coverage.
    """

    name = "files"
    is_local = True

    def __init__(self, settings: FilesSettings, stale_sessions: int) -> None:
        self._root = settings.root
        self._stale_sessions = stale_sessions

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        """One instrument per market file of these classes.

        Raises:
            VendorRejected: the folders are missing, or a name in them is unknown or stands twice.
        """
        wanted = set(asset_classes)
        return [file.instrument for file in self._market_files.values() if file.instrument.asset_class in wanted]

    def macro_series(self) -> list[str]:
        """Names of the macro files, sorted."""
        return list(self._macro_files)

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        """The earliest, over the classes, of the last days with bars of ``min_coverage`` of a class's live symbols.

        Raises:
            VendorRejected: a class has no files, or no day up to ``today`` with enough of its symbols.
        """
        return min(self._latest_of_class(asset_class, today, min_coverage) for asset_class in asset_classes)

    def fetch_bars(self, requests: Sequence[FetchRequest]) -> Iterator[FetchResult]:
        """The rows of each symbol's file between the days asked for."""
        files = self._market_files
        for request in requests:
            if request.symbol not in files:
                reason = f"there is no {request.symbol}.csv or .parquet in a class folder of {self._root / 'market'}"
                yield _no_rows(request.symbol, Outcome.UNKNOWN_SYMBOL, reason, BAR_COLUMNS)
                continue
            file = files[request.symbol]
            try:
                table = _read_bars(file.path)
            except VendorRejected as error:
                yield _no_rows(request.symbol, Outcome.REJECTED, str(error), BAR_COLUMNS)
                continue
            yield _result(request, file.path, table, BAR_COLUMNS, _price_basis(file.instrument, table.frame))

    def fetch_macro(self, requests: Sequence[MacroRequest]) -> Iterator[FetchResult]:
        """The rows of each series' file between the days asked for."""
        files = self._macro_files
        for request in requests:
            if request.symbol not in files:
                reason = f"there is no {request.symbol}.csv or .parquet in {self._root / 'macro'}"
                yield _no_rows(request.symbol, Outcome.UNKNOWN_SYMBOL, reason, MACRO_COLUMNS)
                continue
            path = files[request.symbol]
            try:
                table = _read_macro(path)
            except VendorRejected as error:
                yield _no_rows(request.symbol, Outcome.REJECTED, str(error), MACRO_COLUMNS)
                continue
            yield _result(request, path, table, MACRO_COLUMNS, PriceBasis.AS_TRADED)

    @cached_property
    def _market_files(self) -> dict[str, _MarketFile]:
        folder = self._root / "market"
        for needed in (self._root, folder):
            if not needed.is_dir():
                raise VendorRejected(
                    f"vendors.files.root: {needed} must be a folder (with market/<class>/<SYMBOL>.csv), it is not there"
                )
        found: dict[str, _MarketFile] = {}
        for class_folder in sorted(item for item in folder.iterdir() if item.is_dir() and item.name[0] != "."):
            asset_class = _asset_class(class_folder)
            for symbol, path in _data_files(class_folder).items():
                if symbol in found:
                    raise VendorRejected(f"{path}: a symbol must stand once, {symbol} also is {found[symbol].path}")
                found[symbol] = _MarketFile(_instrument(symbol, asset_class), path)
        if not found:
            raise VendorRejected(f"{folder}: there must be at least one <class>/<SYMBOL>.csv or .parquet, got none")
        return dict(sorted(found.items()))

    @cached_property
    def _macro_files(self) -> dict[str, Path]:
        folder = self._root / "macro"
        return _data_files(folder) if folder.is_dir() else {}

    def _latest_of_class(self, asset_class: AssetClass, today: date, min_coverage: float) -> date:
        files = [file for file in self._market_files.values() if file.instrument.asset_class is asset_class]
        if not files:
            raise VendorRejected(f"{self._root / 'market'}: there must be files of every class, none of {asset_class}")
        days: dict[str, pd.DatetimeIndex] = {}
        refused: list[str] = []
        for file in files:
            try:
                days[file.instrument.symbol] = _bar_days(file.path, today)
            except VendorRejected as error:
                days[file.instrument.symbol] = pd.DatetimeIndex([], dtype="datetime64[us]")
                refused.append(str(error))
        last_bars = {symbol: index[-1].date() for symbol, index in days.items() if len(index)}
        exchanges = {file.instrument.symbol: file.instrument.exchange for file in files}
        ended = ended_alone(last_bars, exchanges, self._stale_sessions, today)
        live = [index for symbol, index in days.items() if symbol not in ended]
        counts = pd.concat([index.to_series() for index in live]).groupby(level=0).size()
        covered = counts.index[counts >= min_coverage * len(live)]
        if covered.empty:
            unread = "".join(f"; {reason}" for reason in refused)
            raise VendorRejected(
                f"{self._root / 'market'}: no day up to {today} has bars of {min_coverage:.0%} of the "
                f"{len(live)} live symbols of {asset_class} (vendors.min_coverage){unread}"
            )
        return pd.Timestamp(covered[-1]).date()


def _asset_class(folder: Path) -> AssetClass:
    known = {str(asset_class): asset_class for asset_class in AssetClass} | _FOLDER_ALIASES
    if folder.name not in known:
        raise VendorRejected(f"{folder}: a class folder must be one of {', '.join(sorted(known))}, got {folder.name!r}")
    return known[folder.name]


def _data_files(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(item for item in folder.iterdir() if item.suffix in _SUFFIXES and item.name[0] != "."):
        if path.stem in found:
            raise VendorRejected(f"{path}: a name must stand once, {found[path.stem].name} is there too")
        found[path.stem] = path
    return dict(sorted(found.items()))


def _instrument(symbol: str, asset_class: AssetClass) -> Instrument:
    if asset_class is AssetClass.CRYPTO or symbol.endswith("-USD"):
        return Instrument(symbol, asset_class, "24/7", symbol.rpartition("-")[2] if "-" in symbol else "USD")
    if asset_class is AssetClass.CURRENCIES or symbol.endswith("=X"):
        return Instrument(symbol, asset_class, "24/5", symbol.removesuffix("=X")[-3:])
    if symbol.endswith(".AX"):
        return Instrument(symbol, asset_class, "XASX", "AUD")
    return Instrument(symbol, asset_class, "XNYS", "USD")


def _read_bars(path: Path) -> FileTable:
    optional = ("adj_close", "volume", "dividend", "split")
    table = read_dated_table(path, ("date",), ("date", "open", "high", "low", "close"), optional)
    return FileTable(table.frame.rename(columns={"date": "session_date"}), table.unparsed)


def _read_macro(path: Path) -> FileTable:
    table = read_dated_table(path, ("date", "available_date"), ("date", "value"), ("available_date",))
    return FileTable(table.frame.rename(columns={"date": "reference_date"}), table.unparsed)


def _bar_days(path: Path, today: date) -> pd.DatetimeIndex:
    """Days up to ``today`` on which a file has a close, sorted."""
    frame = _read_bars(path).frame
    known = frame["close"].notna() & (frame["session_date"] <= pd.Timestamp(today))
    return pd.DatetimeIndex(frame.loc[known, "session_date"].drop_duplicates().sort_values())


def _price_basis(instrument: Instrument, frame: pd.DataFrame) -> PriceBasis:
    as_traded = instrument.exchange == "XASX" and bool(frame["adj_close"].isna().all())
    return PriceBasis.AS_TRADED if as_traded else PriceBasis.SPLIT_ADJUSTED


def _result(
    request: FetchRequest | MacroRequest, path: Path, table: FileTable, columns: tuple[str, ...], basis: PriceBasis
) -> FetchResult:
    days = table.frame[columns[0]]
    inside = days.between(pd.Timestamp(request.start), pd.Timestamp(request.end))
    rows = table.frame.loc[inside, list(columns)].reset_index(drop=True)
    if rows.empty:
        held = f"; its rows run from {days.min().date()} to {days.max().date()}" if len(days) else ""
        reason = f"{path}: no row from {request.start} to {request.end}{held}"
        return _no_rows(request.symbol, Outcome.EMPTY, reason, columns)
    unparsed = tuple(cell for cell in table.unparsed if _inside(cell, request))
    return FetchResult(request.symbol, Outcome.ROWS, "", rows, hash_file(path), basis, unparsed, request=str(path))


def _inside(cell: UnparsedCell, request: FetchRequest | MacroRequest) -> bool:
    """Whether an unreadable cell's row lies between the days asked for; rows without a date always do."""
    label = cell[0]
    return label.startswith("line") or request.start <= date.fromisoformat(label[:10]) <= request.end


def _no_rows(symbol: str, outcome: Outcome, reason: str, columns: tuple[str, ...]) -> FetchResult:
    return FetchResult(symbol, outcome, reason, pd.DataFrame(columns=list(columns)), hash_json([symbol, outcome]))
