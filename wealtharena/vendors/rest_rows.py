"""From the JSON of a bar feed to bars: what the settings name must be there, and what is no number is named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from wealtharena.core.market_data import Outcome
from wealtharena.settings import RestSettings
from wealtharena.vendors.bar_results import UnparsedCell, number
from wealtharena.vendors.failures import Failure, FetchFailed, shorten

_UNITS_PER_SECOND = {"unix": 1, "unix_ms": 1_000}


@dataclass(frozen=True, slots=True)
class BarRows:
    """Bars in the order in which they came, with the columns that the settings name, and cells of rows left out."""

    frame: pd.DataFrame
    unparsed: tuple[UnparsedCell, ...]


def read_rows(document: Any, settings: RestSettings) -> BarRows:
    """Bars of a feed's answer. Numbers may come as text; null, an empty text and a field left out are NaN.

    Args:
        document: the answer as JSON.

    Raises:
        FetchFailed: ``REJECTED``: the list of bars or a field is not where the settings say.
    """
    rows = _list_at(document, settings.rows)
    _require_fields(rows, settings.fields)
    bars: list[dict[str, Any]] = []
    unparsed: list[UnparsedCell] = []
    for place, row in enumerate(rows, start=1):
        bar = _bar(row, settings)
        wrong = _unreadable(bar, row, f"row {place}", settings.fields)
        unparsed.extend(wrong)
        if not wrong:
            bars.append(bar)
    return BarRows(pd.DataFrame(bars, columns=list(settings.fields)), tuple(unparsed))


def _list_at(document: Any, path: str) -> list[dict[str, Any]]:
    place = document
    for key in filter(None, path.split(".")):
        place = place.get(key) if isinstance(place, dict) else None
    if not isinstance(place, list):
        where = f"at {path!r}" if path else "as the answer itself"
        raise _rejected(f"vendors.rest.rows: there must be a list of bars {where}, got {_shape(document)}")
    for number_of_row, row in enumerate(place, start=1):
        if not isinstance(row, dict):
            raise _rejected(f"a bar must be an object with named fields, row {number_of_row} is {_shape(row)}")
    return place


def _require_fields(rows: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> None:
    for column, name in fields.items():
        if rows and not any(name in row for row in rows):
            has = ", ".join(rows[0])
            raise _rejected(f"vendors.rest.fields.{column}: a bar must have {name!r}, the first has {has}")


def _bar(row: Mapping[str, Any], settings: RestSettings) -> dict[str, Any]:
    """Cells of one bar by our names; None where one cannot be read."""
    return {
        column: _day(row.get(name), settings.date_format) if column == "session_date" else number(row.get(name))
        for column, name in settings.fields.items()
    }


def _day(cell: Any, date_format: str) -> np.datetime64 | None:
    """The day as it is written, or that of the moment in UTC."""
    try:
        if date_format in _UNITS_PER_SECOND:
            moment = _moment(number(cell), _UNITS_PER_SECOND[date_format])
        else:
            moment = datetime.strptime(str(cell), date_format)  # noqa: DTZ007 (its own date is wanted)
    except (ValueError, OverflowError, OSError):
        return None
    return np.datetime64(moment.date())


def _moment(stamp: float | None, units_per_second: int) -> datetime:
    if stamp is None:
        raise ValueError("no number")
    return datetime.fromtimestamp(stamp / units_per_second, UTC)


def _unreadable(
    bar: Mapping[str, Any], row: Mapping[str, Any], label: str, fields: Mapping[str, str]
) -> list[UnparsedCell]:
    day = bar["session_date"]
    place = label if day is None else f"{day} ({label})"
    return [
        (place, "date" if column == "session_date" else column, shorten(str(row.get(fields[column]))))
        for column, cell in bar.items()
        if cell is None
    ]


def _shape(value: Any) -> str:
    return f"{type(value).__name__} {shorten(str(value))}"


def _rejected(reason: str) -> FetchFailed:
    return FetchFailed(Failure(Outcome.REJECTED, reason))
