"""Reads one CSV or Parquet file of dated numbers: every cell that is not a number is named, none is guessed."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from wealtharena.core.errors import VendorRejected

MAX_UNPARSED_SHARE = 0.05
_MISSING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "none", "NA", "N/A", "n/a", "<NA>", ".", "-")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[ T].*)?")

UnparsedCell = tuple[str, str, str]


@dataclass(frozen=True)
class FileTable:
    """The rows of a file that could be read.

    Attributes:
        frame: date column as ``datetime64[us]``, the others float64, NaN where the file has none; in file order.
        unparsed: (row label, column, text) of each cell that is neither a number or date nor empty, or an empty date;
            the label is the row's ISO date and line, ``2020-01-08 (line 7)``, or ``line 7`` where the date itself
            cannot be read.
    """

    frame: pd.DataFrame
    unparsed: tuple[UnparsedCell, ...]


def read_dated_table(
    path: Path, date_columns: tuple[str, ...], required: tuple[str, ...], optional: tuple[str, ...]
) -> FileTable:
    """Rows of a file with the columns asked for; header names are matched without case, spaces count as ``_``.

    Args:
        date_columns: those of the columns that hold dates; the first one dates the row and may not be empty.
        required: columns that the header must name; optional: columns that are NaN when it does not.

    Raises:
        VendorRejected: the file cannot be read, lacks a column, or has more than 5 % of cells that are not numbers.
    """
    texts = _read_columns(path, required, optional)
    parsed: dict[str, pd.Series[Any]] = {}
    wrong = {}
    for column, text in texts.items():
        values = _dates(text) if column in date_columns else _numbers(text)
        parsed[column] = values
        wrong[column] = (values.isna() & text.notna()).to_numpy()
    key = date_columns[0]
    wrong[key] = parsed[key].isna().to_numpy()
    frame = pd.DataFrame(parsed)
    unparsed = tuple(_unparsed_cells(texts, wrong, frame[key], key))
    _refuse_rubbish(path, unparsed, frame.size)
    for column in optional:
        if column not in frame:
            frame[column] = pd.Series(dtype="datetime64[us]" if column in date_columns else "float64")
    frame = frame[[*required, *optional]]
    bad_row = np.logical_or.reduce(list(wrong.values()))
    return FileTable(frame[~bad_row].reset_index(drop=True), unparsed)


def _read_columns(path: Path, required: tuple[str, ...], optional: tuple[str, ...]) -> "dict[str, pd.Series[Any]]":
    try:
        table = parquet.read_table(path) if path.suffix == ".parquet" else _read_csv(path)
    except (OSError, UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        raise VendorRejected(f"{path}: the file must be readable as {path.suffix[1:]}, got: {error}") from None
    names = {re.sub(r"\s+", "_", name.strip().lower()): name for name in table.column_names}
    missing = [column for column in required if column not in names]
    if missing:
        raise VendorRejected(
            f"{path}: the header must name {', '.join(required)}; missing {', '.join(missing)}, "
            f"got {', '.join(table.column_names) or 'no header'}"
        )
    found = (column for column in (*required, *optional) if column in names)
    return {column: table.column(names[column]).to_pandas().reset_index(drop=True) for column in found}


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream), [])
    if not header:
        return pa.table({})
    as_text = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=list(_MISSING)
    )
    return arrow_csv.read_csv(path, read_options=arrow_csv.ReadOptions(use_threads=False), convert_options=as_text)


def _numbers(text: "pd.Series[Any]") -> "pd.Series[Any]":
    if text.dtype.kind in "fiu":
        return text.astype("float64")
    return pd.to_numeric(text.astype(object), errors="coerce").astype("float64")


def _dates(text: "pd.Series[Any]") -> "pd.Series[Any]":
    if text.dtype.kind == "M":
        local = text.dt.tz_localize(None) if getattr(text.dtype, "tz", None) is not None else text
        return pd.Series(local.dt.normalize().astype("datetime64[us]"))
    # A time of day after the date is cut: the session's date is the one that is printed.
    as_text = text.astype(object).where(text.notna(), "").astype(str)
    iso = as_text.where(as_text.str.fullmatch(_ISO_DATE.pattern), "")
    return pd.to_datetime(iso.str.slice(0, 10), format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _unparsed_cells(
    texts: "dict[str, pd.Series[Any]]", wrong: dict[str, np.ndarray[Any, Any]], dates: "pd.Series[Any]", key: str
) -> Iterator[UnparsedCell]:
    for row in np.flatnonzero(np.logical_or.reduce(list(wrong.values()))):
        line = f"line {row + 2}"
        label = line if wrong[key][row] else f"{dates.iloc[row].date()} ({line})"
        for column, mask in wrong.items():
            if mask[row]:
                value = texts[column].iloc[row]
                yield label, column, "" if pd.isna(value) else str(value)


def _refuse_rubbish(path: Path, unparsed: tuple[UnparsedCell, ...], cells: int) -> None:
    if len(unparsed) > MAX_UNPARSED_SHARE * cells:
        label, column, value = unparsed[0]
        raise VendorRejected(
            f"{path}: at most {MAX_UNPARSED_SHARE:.0%} of the cells may be unreadable, got {len(unparsed)} of {cells}; "
            f"the first is {label}, column {column}, value {value!r}"
        )
