"""One series per symbol from the bars of several vendors: the first one's, and stand-ins where it has none."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.market_data import BAR_COLUMNS, Instrument, PriceBasis
from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.curation.quarantine import Quarantine
from wealtharena.curation.units import in_major_units

DISAGREEMENT_COLUMNS = (
    "symbol",
    "session_date",
    "column",
    "vendor",
    "value",
    "other_vendor",
    "other_value",
    "relative_difference",
)
MARK_COLUMNS = ("stand_in_vendor", "minor_unit", "as_traded")
MERGED_COLUMNS = ("symbol", *BAR_COLUMNS, "vendor", *MARK_COLUMNS)

_PRICES = ("open", "high", "low", "close")
# Common sessions on each side of a gap whose closes are compared.
_NEAR = 5


@dataclass(frozen=True)
class Merged:
    """One series per symbol and the account of how it came about.

    Attributes:
        bars: ``MERGED_COLUMNS`` by symbol and date. ``vendor`` is where the row comes from; the marks say whether that
            is a stand-in, whether the vendor quoted hundredths, and whether the row is a stand-in's after the end of
            an adjusted series, whose splits nobody has told. A stand-in's ``adj_close`` is NaN: it means nothing
            beside another vendor's.
        disagreements: ``DISAGREEMENT_COLUMNS``; both values on the basis of ``vendor``, the first of the order.
        price_basis: basis of each symbol's series, that of its first vendor.
        quarantine: ``QUARANTINE_COLUMNS``: rows that could not stand in, rows that were stood in for, odd currencies.
    """

    bars: pd.DataFrame
    disagreements: pd.DataFrame
    price_basis: dict[str, PriceBasis]
    quarantine: pd.DataFrame


@dataclass(frozen=True)
class _Series:
    """One vendor's rows of one symbol, in date order."""

    vendor: str
    rows: pd.DataFrame

    @property
    def days(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.rows["session_date"])

    @property
    def adjusted(self) -> bool:
        return bool(self.rows["price_basis"].iloc[-1] == PriceBasis.SPLIT_ADJUSTED)

    @property
    def tells_splits(self) -> bool:
        return bool(self.rows["split"].notna().any())

    @property
    def splits(self) -> "pd.Series[float]":
        """Ratio by ex-date of the splits that the vendor tells."""
        ratios = pd.Series(self.rows["split"].to_numpy(np.float64), index=self.days)
        return ratios[np.isfinite(ratios) & (ratios > 0.0) & (ratios != 1.0)]


def merge_vendors(
    visible: pd.DataFrame, instruments: Sequence[Instrument], order: Sequence[str], tolerance: float
) -> Merged:
    """The first vendor's series of each symbol, its missing sessions taken from the next vendors on its basis.

    A session is missing where the first vendor of the order that has the symbol sent no close, from its first row on.
    A stand-in's row is brought to the first vendor's basis by the splits that are told, and only if the closes of the
    common sessions around the gap (five on each side) confirm that factor, or a factor of 1, within ``tolerance``;
    otherwise it is not used and recorded under ``stand_in_basis``. Prices are never averaged.

    Args:
        visible: ``vendor``, ``symbol``, ``BAR_COLUMNS``, ``price_basis``, ``currency``; one row per vendor,
            symbol and session. Rows of vendors that are not in ``order`` are left out.
        order: vendors, the preferred one first.
        tolerance: relative difference of two prices up to which vendors agree.
    """
    quarantine = Quarantine("session_date")
    ranks = {vendor: rank for rank, vendor in enumerate(order)}
    rows = visible[visible["vendor"].isin(ranks)].reset_index(drop=True)
    rows = in_major_units(rows, {item.symbol: item for item in instruments}, quarantine)
    rows = rows.assign(stand_in_vendor=False, as_traded=False)
    usable = _has_close(rows)
    rank = rows["vendor"].map(ranks).to_numpy().astype(np.int64)
    first = _first_ranks(rows["symbol"], rank, usable)
    reason = "the vendor has no close of this symbol at all; the next vendor's bars stand in"
    quarantine.add(rows[rank < first], "no_close", "close", reason)
    shared = rows["symbol"].isin(rows.loc[(rank > first) & usable, "symbol"].unique()).to_numpy(np.bool_)
    parts, differences = [rows[~shared & (rank == first)]], []
    for _, own in rows[shared & (rank >= first)].groupby("symbol", sort=True):
        series = [
            _Series(vendor, own[own["vendor"] == vendor].sort_values("session_date", kind="stable"))
            for vendor in order
            if (own["vendor"] == vendor).any()
        ]
        part, difference = _merge_symbol(series, tolerance, quarantine)
        parts.append(part)
        differences.append(difference)
    bars = pd.concat(parts)[list(MERGED_COLUMNS)].sort_values(["symbol", "session_date"], kind="stable")
    basis = rows[rank == first].groupby("symbol")["price_basis"].last()
    return Merged(
        bars.reset_index(drop=True),
        _disagreement_frame(differences),
        {str(symbol): PriceBasis(value) for symbol, value in basis.items()},
        quarantine.frame(),
    )


def _first_ranks(symbols: "pd.Series[str]", rank: NDArray[np.int64], usable: BoolArray) -> NDArray[np.int64]:
    """Per row the rank of the first vendor that has a close of its symbol; of the first vendor if none has."""
    per_row = pd.DataFrame({"symbol": symbols, "any": rank, "usable": np.where(usable, rank, np.nan)})
    best = per_row.groupby("symbol")[["usable", "any"]].transform("min")
    first: NDArray[np.int64] = best["usable"].fillna(best["any"]).to_numpy().astype(np.int64)
    return first


def _merge_symbol(
    series: Sequence[_Series], tolerance: float, quarantine: Quarantine
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merged rows and disagreements of a symbol that several vendors have; the first of ``series`` is preferred."""
    primary, merged = series[0], series[0].rows
    differences = []
    for stand_in in series[1:]:
        factor = _factor_to(primary, stand_in)
        differences.append(_differences(primary, stand_in, factor, tolerance))
        used = _stand_ins(primary, stand_in, factor, merged, tolerance, quarantine)
        empty = merged["session_date"].isin(used["session_date"]).to_numpy(np.bool_)
        reason = f"{primary.vendor} has no close; the bar of {stand_in.vendor} stands in"
        quarantine.add(merged[empty], "no_close", "close", reason)
        merged = pd.concat([merged[~empty], used])
    return merged, pd.concat(differences)


def _factor_to(primary: _Series, stand_in: _Series) -> FloatArray:
    """What each price of the stand-in is multiplied by to be on the primary's basis, by the splits that are told."""
    splits = primary.splits
    told = stand_in.splits
    # Two vendors may date one split differently: it must not count twice.
    later = told[told.index > primary.days[-1]] if primary.tells_splits else told
    splits = pd.concat([splits, later]).sort_index()
    days = stand_in.days
    factor: FloatArray = _adjustment(primary, splits, days) / _adjustment(stand_in, splits, days)
    return factor


def _adjustment(series: _Series, splits: "pd.Series[float]", days: pd.DatetimeIndex) -> FloatArray:
    """Price of a series over the price as traded: the shares of a day over those at the end of the series."""
    if not series.adjusted:
        return np.ones(len(days))
    shares = np.append(1.0, np.cumprod(splits.to_numpy(np.float64)))
    at_end = shares[splits.index.searchsorted(series.days[-1], side="right")]
    adjustment: FloatArray = shares[splits.index.searchsorted(days, side="right")] / at_end
    return adjustment


def _differences(primary: _Series, stand_in: _Series, factor: FloatArray, tolerance: float) -> pd.DataFrame:
    """Prices of common sessions that differ by more than ``tolerance``, both on the primary's basis."""
    ours = primary.rows.set_index("session_date")[list(_PRICES)]
    theirs = (stand_in.rows[list(_PRICES)].mul(factor, axis=0)).set_index(stand_in.days)
    common = ours.index.intersection(theirs.index)
    parts = []
    for column in _PRICES:
        value, other = ours.loc[common, column], theirs.loc[common, column]
        difference = (other - value).abs() / value.abs().where(value != 0.0)
        far = difference > tolerance
        part = pd.DataFrame({"session_date": common[far], "value": value[far].array, "other_value": other[far].array})
        parts.append(part.assign(column=column, relative_difference=difference[far].array))
    names = {"symbol": str(primary.rows["symbol"].iloc[0]), "vendor": primary.vendor, "other_vendor": stand_in.vendor}
    return pd.concat(parts).assign(**names)[list(DISAGREEMENT_COLUMNS)]


def _stand_ins(
    primary: _Series,
    stand_in: _Series,
    factor: FloatArray,
    merged: pd.DataFrame,
    tolerance: float,
    quarantine: Quarantine,
) -> pd.DataFrame:
    """The stand-in's rows for sessions without a close so far, on the primary's basis, as far as that is proved."""
    present = merged.loc[_has_close(merged), "session_date"]
    usable = _has_close(stand_in.rows)
    wanted = usable & (stand_in.days >= primary.days[0]) & ~stand_in.days.isin(present)
    ratio = _ratios(primary, stand_in)
    near, of_factor = (_median_near(values, stand_in.days[wanted]) for values in (ratio, ratio / factor))
    explained = np.abs(of_factor - 1.0) <= tolerance
    applied = np.where(explained, factor[wanted], 1.0)
    accepted = explained | (np.abs(near - 1.0) <= tolerance)
    rows = stand_in.rows[wanted]
    _record_refused(rows[~accepted], near[~accepted], factor[wanted][~accepted], primary, quarantine)
    tail = (rows["session_date"] > primary.days[-1]).to_numpy(np.bool_)
    untold = primary.adjusted and not stand_in.adjusted and not stand_in.tells_splits
    rows = rows.assign(stand_in_vendor=True, adj_close=np.nan, as_traded=tail & untold)
    priced = [*_PRICES, "dividend"]
    rows[priced] = rows[priced].mul(applied, axis=0)
    return rows.assign(volume=rows["volume"] / applied)[accepted]


def _ratios(primary: _Series, stand_in: _Series) -> "pd.Series[float]":
    """Close of the primary over that of the stand-in per session of the stand-in; NaN where one of them has none."""
    ours = pd.Series(primary.rows["close"].to_numpy(np.float64), index=primary.days).reindex(stand_in.days)
    theirs = stand_in.rows["close"].to_numpy(np.float64)
    ratio: pd.Series[float] = (ours / theirs).where((ours > 0.0) & (theirs > 0.0))
    return ratio


def _median_near(values: "pd.Series[float]", days: pd.DatetimeIndex) -> FloatArray:
    """Median of the known values on the nearest sessions before and after each day; NaN where there are none."""
    known = values.dropna()
    known = known[np.isfinite(known)]
    if known.empty or not len(days):
        return np.full(len(days), np.nan)
    places = known.index.searchsorted(days)[:, None] + np.arange(-_NEAR, _NEAR)[None, :]
    inside = (places >= 0) & (places < len(known))
    around = np.where(inside, known.to_numpy(np.float64)[np.clip(places, 0, len(known) - 1)], np.nan)
    median: FloatArray = np.nanmedian(around, axis=1)
    return median


def _record_refused(
    rows: pd.DataFrame, near: FloatArray, factor: FloatArray, primary: _Series, quarantine: Quarantine
) -> None:
    for place in range(len(rows)):
        row = rows.iloc[[place]]
        seen = f"is {near[place]:.4g} times" if np.isfinite(near[place]) else "cannot be compared with"
        reason = (
            f"around this session {primary.vendor} {seen} {row['vendor'].iloc[0]}; told splits explain a factor of "
            f"{factor[place]:.4g}; row not used"
        )
        quarantine.add(row, "stand_in_basis", "close", reason)


def _has_close(rows: pd.DataFrame) -> BoolArray:
    close = rows["close"].to_numpy(np.float64)
    usable: BoolArray = np.isfinite(close) & (close != 0.0)
    return usable


def _disagreement_frame(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    numbers = dict.fromkeys(("value", "other_value", "relative_difference"), "float64")
    filled = [part for part in parts if len(part)]
    frame = pd.concat(filled) if filled else pd.DataFrame(columns=list(DISAGREEMENT_COLUMNS))
    frame = frame.astype({"session_date": "datetime64[us]", **numbers})
    return frame.sort_values(["symbol", "session_date", "column", "other_vendor"], kind="stable", ignore_index=True)
