"""Shape of the frames on both sides of curation; a breach is an error of the program, never of the data."""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from wealtharena.core.errors import CurationError

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

RAW_NUMBERS = ("open", "high", "low", "close", "adj_close", "volume", "dividend", "split")


def require_raw_bars(frame: pd.DataFrame) -> None:
    """Raises a CurationError unless a frame has symbol, vendor, ``session_date`` at midnight and eight numbers."""
    _require(_raw_bars(), frame, "raw bars")


def require_raw_macro(frame: pd.DataFrame) -> None:
    """Raises a CurationError unless a frame has ``symbol``, ``reference_date``, ``value`` and ``available_date``.

    ``known_at`` may be there too, in UTC.
    """
    _require(_raw_macro(), frame, "raw macro observations")


def require_core_macro(frame: pd.DataFrame) -> None:
    """Raises a CurationError unless observations keep the promises of the core layer."""
    _require(_core_macro(), frame, "core macro observations")


def require_core_bars(frame: pd.DataFrame) -> None:
    """Raises a CurationError unless a frame keeps the promises of the core layer."""
    _require(_core_bars(), frame, "core bars")


def _require(schema: "DataFrameSchema", frame: pd.DataFrame, what: str) -> None:
    from pandera.errors import SchemaError, SchemaErrors

    try:
        schema.validate(frame)
    except (SchemaError, SchemaErrors) as error:
        raise CurationError(f"{what} break their schema: {error}") from None


@cache
def _raw_bars() -> "DataFrameSchema":
    import pandera.pandas as pa

    numbers = {name: pa.Column("float64", nullable=True) for name in RAW_NUMBERS}
    texts = {name: pa.Column(None, nullable=False) for name in ("symbol", "vendor")}
    return pa.DataFrameSchema({**texts, "session_date": _dates(True), **numbers})


@cache
def _raw_macro() -> "DataFrameSchema":
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "symbol": pa.Column(None, nullable=False),
            "reference_date": _dates(True),
            "value": pa.Column("float64", nullable=True),
            "available_date": _dates(True),
            "known_at": pa.Column("datetime64[us, UTC]", nullable=False, required=False),
        }
    )


@cache
def _core_macro() -> "DataFrameSchema":
    import pandera.pandas as pa

    finite = pa.Check(lambda column: np.isfinite(column).all(), name="finite")
    waits = pa.Check(lambda frame: frame["available_date"] >= frame["reference_date"], name="not out before its date")
    return pa.DataFrameSchema(
        {
            "series": pa.Column(None, nullable=False),
            "reference_date": _dates(False),
            "value": pa.Column("float64", finite),
            "available_date": _dates(False),
        },
        checks=waits,
        unique=["series", "reference_date", "available_date"],
        strict=True,
        ordered=True,
    )


@cache
def _core_bars() -> "DataFrameSchema":
    import pandera.pandas as pa

    finite = pa.Check(lambda column: np.isfinite(column).all(), name="finite")
    positive = pa.Check(lambda column: (column > 0.0).all(), name="positive")
    fills = pa.Check(lambda frame: ~frame["tradable"] | (frame["open"] > 0.0), name="tradable only at a positive open")
    return pa.DataFrameSchema(
        {
            "symbol": pa.Column(None, nullable=False),
            "session_date": _dates(False),
            **{name: pa.Column("float64", nullable=True) for name in ("open", "high", "low")},
            "close": pa.Column("float64", finite),
            "volume": pa.Column("float64", nullable=True),
            "adj_factor": pa.Column("float64", [finite, positive]),
            "tradable": pa.Column("bool"),
            "flags": pa.Column(None, nullable=False),
            "vendor": pa.Column(None, nullable=False),
        },
        checks=fills,
        unique=["symbol", "session_date"],
        strict=True,
        ordered=True,
    )


def _dates(nullable: bool) -> "pa.Column":  # type: ignore[name-defined]  # noqa: F821
    import pandera.pandas as pa

    midnight = pa.Check(lambda days: (days.dropna() == days.dropna().dt.normalize()).all(), name="at midnight")
    return pa.Column("datetime64[us]", midnight, nullable=nullable)
