"""Rows in memory: fitted to a table's columns, checked, ordered, compared and hashed. Arrow only, no files."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from warehouse.tables import TableSpec
from wealtharena.core.errors import WarehouseError
from wealtharena.core.hashing import hash_arrays, hash_json

_POSITION = "__position"


def fit_rows(spec: TableSpec, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """``frame`` with the table's columns and types, ordered by key; NaN and missing become null.

    Raises:
        WarehouseError: a column is missing or unknown, a value does not fit its type or is missing where it may not
            be, or two rows share a key.
    """
    names = list(frame.columns if isinstance(frame, pd.DataFrame) else frame.column_names)
    schema = _schema_for(spec, names)
    columns = [_fit_column(spec, field, frame[field.name]) for field in schema]
    rows = sort_rows(pa.table(columns, schema=schema), spec.key)
    if spec.unique:
        _refuse_repeated_keys(spec, rows)
    return rows


def sort_rows(rows: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """Rows in ascending key order, missing values last, equal ones as they stood; texts by their UTF-8 bytes."""
    ranks = [_ranks(rows[name]) for name in key]
    # Most files are written in this order: looking costs a tenth of sorting.
    if _is_ascending(ranks):
        return rows
    order = pa.array(np.lexsort(ranks[::-1]))
    # One column after the other, so that no third copy of all rows is ever in memory.
    return pa.table([rows[name].combine_chunks().take(order) for name in rows.column_names], schema=rows.schema)


def newest_rows(spec: TableSpec, rows: pa.Table) -> pa.Table:
    """Of each key the row with the latest ``known_at``, in key order."""
    ordered = sort_rows(rows, (*spec.key, "known_at"))
    is_last = np.ones(ordered.num_rows, dtype=bool)
    is_last[:-1] = ~_equals_previous(ordered, spec.key)[1:]
    return ordered if is_last.all() else ordered.filter(pa.array(is_last))


def changed_rows(spec: TableSpec, stored: pa.Table, rows: pa.Table) -> pa.Table:
    """Those of ``rows`` that ``stored`` (one row per key) does not hold with equal content."""
    names = content_columns(spec, rows.column_names)
    old = stored.select(names).append_column(_POSITION, pa.array(np.full(stored.num_rows, -1)))
    new = rows.select(names).append_column(_POSITION, pa.array(np.arange(rows.num_rows)))
    both = sort_rows(pa.concat_tables([old, new]), (*spec.key, _POSITION))
    positions = both[_POSITION].to_numpy()
    is_changed = (positions >= 0) & ~_equals_previous(both, names)
    return rows.take(pa.array(np.sort(positions[is_changed])))


def without_keys_of(spec: TableSpec, stored: pa.Table, rows: pa.Table) -> pa.Table:
    """Those of ``stored`` whose key is not among ``rows``, in their order; missing values are equal."""
    keys = pa.concat_tables([stored.select(spec.key), rows.select(spec.key)])
    ranks = np.stack([_ranks(keys[name]) for name in spec.key])
    order = np.lexsort(ranks[::-1])
    is_next = (ranks[:, order[1:]] != ranks[:, order[:-1]]).any(axis=0)
    numbers = np.empty(keys.num_rows, dtype=np.int64)
    numbers[order] = np.concatenate([np.zeros(min(1, len(order)), np.int64), np.cumsum(is_next)])
    return stored.filter(pa.array(~np.isin(numbers[: stored.num_rows], numbers[stored.num_rows :])))


def refuse_older_knowledge(spec: TableSpec, stored: pa.Table, rows: pa.Table) -> None:
    """Raises a WarehouseError if one of ``rows`` was not known later than the stored row that it would supersede."""
    names = [*spec.key, "known_at"]
    tables = [part.select(names) for part in (stored, rows)]
    is_new = [pa.array(np.full(part.num_rows, position)) for position, part in enumerate(tables)]
    marked = [part.append_column(_POSITION, mark) for part, mark in zip(tables, is_new, strict=True)]
    both = sort_rows(pa.concat_tables(marked), (*spec.key, _POSITION))
    known_at = both["known_at"].cast(pa.int64()).to_numpy()
    is_late = np.zeros(both.num_rows, dtype=bool)
    is_late[1:] = _equals_previous(both, spec.key)[1:] & (known_at[1:] <= known_at[:-1])
    if is_late.any():
        position = int(np.argmax(is_late))
        before, first = both.slice(position - 1, 2).to_pylist()
        raise WarehouseError(
            f"table {spec.name}: `known_at` of a changed row must be later than that of the stored one "
            f"({before['known_at']}), got {first['known_at']} for {_describe(spec, first)}"
        )


def content_columns(spec: TableSpec, names: list[str]) -> list[str]:
    """Columns that count when contents are compared."""
    return [name for name in names if name not in spec.bookkeeping]


def content_hash(spec: TableSpec, rows: pa.Table) -> str:
    """SHA-256 over the content columns of ``rows``, which must be in key order."""
    names = sorted(content_columns(spec, rows.column_names))
    described = hash_json([[name, str(rows.schema.field(name).type)] for name in names])
    parts = [part for name in names for part in _hashable(rows[name].combine_chunks())]
    return hash_json([described, hash_arrays(parts)])


def _schema_for(spec: TableSpec, names: list[str]) -> pa.Schema:
    needed = spec.schema.names
    missing = [name for name in needed if name not in names]
    if missing:
        raise WarehouseError(f"table {spec.name}: columns {', '.join(needed)} are needed, missing {', '.join(missing)}")
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise WarehouseError(f"table {spec.name}: each column must be there once, got {', '.join(repeated)} repeatedly")
    extra = sorted(str(name) for name in names if name not in needed)
    if extra and spec.extra_columns is None:
        raise WarehouseError(f"table {spec.name}: only columns {', '.join(needed)} are known, got {', '.join(extra)}")
    return pa.schema([*spec.schema, *(pa.field(name, spec.extra_columns) for name in extra)])


def _fit_column(spec: TableSpec, field: pa.Field, values: "pd.Series[Any] | pa.ChunkedArray") -> pa.Array:
    place = f"table {spec.name}: column `{field.name}`"
    try:
        array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else pa.array(values, from_pandas=True)
        if array.type != field.type and not pa.types.is_null(array.type):
            _refuse_lossy_cast(place, array, field.type)
        array = array.cast(field.type)
    except pa.ArrowException as error:
        raise WarehouseError(f"{place} must be {field.type}: {_one_line(error)}") from None
    if pa.types.is_floating(field.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, field.type), array)
    if array.null_count and not field.nullable:
        row = int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise WarehouseError(f"{place} may not be missing, got no value in row {row} of {len(array)}")
    return array


def _refuse_lossy_cast(place: str, array: pa.Array, kind: pa.DataType) -> None:
    """Refuses the casts that Arrow allows although they change what a value means."""
    if _is_text(array.type) != pa.types.is_string(kind):
        raise WarehouseError(f"{place} must be {kind}, got {array.type}")
    if pa.types.is_timestamp(array.type):
        if (array.type.tz is None) == pa.types.is_timestamp(kind):
            raise WarehouseError(
                f"{place} must be {kind}, got {array.type}: a moment needs a time zone and a day must have none"
            )
        if pa.types.is_date(kind):
            not_midnight = array.filter(pc.not_equal(array, array.cast(kind).cast(array.type)))
            if len(not_midnight):
                raise WarehouseError(f"{place} must hold days at midnight, got {not_midnight[0].as_py()}")


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def _refuse_repeated_keys(spec: TableSpec, rows: pa.Table) -> None:
    repeated = _equals_previous(rows, spec.key)
    if repeated.any():
        first = rows.slice(int(np.argmax(repeated)), 1).to_pylist()[0]
        raise WarehouseError(
            f"table {spec.name}: one row per {', '.join(spec.key)}, got {int(repeated.sum())} more, "
            f"the first for {_describe(spec, first)}"
        )


def _equals_previous(rows: pa.Table, names: tuple[str, ...] | list[str]) -> NDArray[np.bool_]:
    """(rows,) True where a row has the same values (or the same gaps) in ``names`` as the row before it."""
    same = np.ones(rows.num_rows, dtype=bool)
    same[:1] = False
    for name in names:
        column = rows[name].combine_chunks()
        before, after = column[:-1], column[1:]
        equal = pc.fill_null(pc.equal(before, after), False)
        both_missing = pc.and_(pc.is_null(before), pc.is_null(after))
        same[1:] &= pc.or_(equal, both_missing).to_numpy(zero_copy_only=False)
    return same


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """(rows,) numbers in the order of the values; missing values come last."""
    array = column.combine_chunks()
    if pa.types.is_string(array.type):
        encoded = array.dictionary_encode()
        rank_of = np.empty(len(encoded.dictionary), dtype=np.int64)
        rank_of[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(rank_of))
        array = pa.array(rank_of).take(encoded.indices)
    numbers = array.cast(pa.int32()) if pa.types.is_date32(array.type) else array
    last = pa.scalar(np.iinfo(np.int64).max)
    ranks: NDArray[np.int64] = pc.fill_null(numbers.cast(pa.int64()), last).to_numpy()
    return ranks


def _is_ascending(ranks: list[NDArray[np.int64]]) -> bool:
    falls, ties = np.zeros(len(ranks[0][1:]), dtype=bool), np.ones(len(ranks[0][1:]), dtype=bool)
    for rank in ranks:
        falls |= ties & (rank[1:] < rank[:-1])
        ties &= rank[1:] == rank[:-1]
    return not falls.any()


def _hashable(array: pa.Array) -> list[NDArray[np.generic]]:
    """Numpy arrays that hold exactly the content of ``array``, wherever its buffers begin."""
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    if pa.types.is_string(array.type):
        filled = pc.fill_null(array, "")
        return [valid, pc.binary_length(filled).to_numpy(), _bytes_of(filled)]
    if pa.types.is_boolean(array.type):
        return [valid, pc.fill_null(array, False).to_numpy(zero_copy_only=False)]
    if pa.types.is_floating(array.type):
        return [valid, pc.fill_null(array, 0.0).to_numpy()]
    integers = array.cast(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
    return [valid, pc.fill_null(integers, 0).to_numpy()]


def _bytes_of(texts: pa.Array) -> NDArray[np.uint8]:
    """UTF-8 of all texts, one after the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, dtype=np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, dtype=np.uint8)[ends[0] : ends[-1]]


def _describe(spec: TableSpec, row: dict[str, object]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in spec.key)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
