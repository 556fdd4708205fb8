"""Conditions on rows: which ones a read wants and which ones a write replaces."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from warehouse.tables import TableSpec
from wealtharena.core.errors import WarehouseError

Slice = dict[str, str]

_SAFE = re.compile(r"[A-Za-z0-9._:+@-]+")
_MANY = (list, tuple, set, frozenset, np.ndarray, pd.Index, pd.Series)


@dataclass(frozen=True, slots=True)
class Condition:
    """The same condition for Arrow and for Delta Lake; ``sql`` None means every row."""

    expression: pads.Expression
    sql: str | None


def filter_expression(spec: TableSpec, schema: pa.Schema, where: Mapping[str, object]) -> pads.Expression:
    """True for rows that match every entry of ``where`` (a value, or several of which one must match).

    Raises:
        WarehouseError: a value does not fit the type of its column.
    """
    condition = pc.scalar(True)
    for name, value in where.items():
        values = list(value) if isinstance(value, _MANY) else [value]
        condition = condition & pc.field(name).isin(_as_column(spec, schema.field(name), values, value))
    return condition


def not_before_expression(spec: TableSpec, schema: pa.Schema, least: Mapping[str, object]) -> pads.Expression:
    """True for rows whose columns are at least the values of ``least``; a missing value is not.

    Raises:
        WarehouseError: a value does not fit the type of its column.
    """
    condition = pc.scalar(True)
    for name, value in least.items():
        condition = condition & (pc.field(name) >= _as_column(spec, schema.field(name), [value], value)[0])
    return condition


def partition_filter(spec: TableSpec, partition: str) -> pads.Expression:
    """True for the rows of a partition; for every row if it is ``""``.

    Raises:
        WarehouseError: the table has no such partition columns.
    """
    return pc.scalar(True) if not partition else _expression(_parse(spec, partition))


def slices_of(spec: TableSpec, rows: pa.Table, partition: str) -> list[Slice]:
    """Slices that a write of ``rows`` replaces; empty for a table without partition columns.

    Raises:
        WarehouseError: a value cannot name a partition.
    """
    if partition:
        return [_parse(spec, partition)]
    names = list(spec.partition_by)
    if not names:
        return []
    found: list[Slice] = rows.group_by(names).aggregate([]).sort_by([(name, "ascending") for name in names]).to_pylist()
    for item in found:
        _check(spec, item)
    return found


def slice_predicate(slices: list[Slice]) -> Condition:
    """Condition that holds for the rows of ``slices``; for every row if there are none."""
    if not slices:
        return Condition(pc.scalar(True), None)
    expression = _expression(slices[0])
    for item in slices[1:]:
        expression = expression | _expression(item)
    # Values passed `_check`: nothing in them can end the quotes.
    sql = " OR ".join(
        "(" + " AND ".join(f"{name} = '{value}'" for name, value in item.items()) + ")" for item in slices
    )
    return Condition(expression, sql)


def _as_column(spec: TableSpec, field: pa.Field, values: list[object], asked: object) -> pa.Array:
    try:
        return pa.array(values).cast(field.type)
    except pa.ArrowException:
        raise WarehouseError(f"table {spec.name}: column `{field.name}` is {field.type}, asked for {asked!r}") from None


def _expression(item: Slice) -> pads.Expression:
    condition = pc.scalar(True)
    for name, value in item.items():
        condition = condition & (pc.field(name) == value)
    return condition


def _parse(spec: TableSpec, partition: str) -> Slice:
    values = partition.split("/")
    if not spec.partition_by or len(values) > len(spec.partition_by):
        form = "/".join(spec.partition_by) or "none"
        raise WarehouseError(f"table {spec.name}: partition must be {form}, got {partition!r}")
    item = dict(zip(spec.partition_by, values, strict=False))
    _check(spec, item)
    return item


def _check(spec: TableSpec, item: Slice) -> None:
    for name, value in item.items():
        if not _SAFE.fullmatch(value):
            raise WarehouseError(
                f"table {spec.name}: `{name}` names a partition and must consist of letters, digits and . _ : + @ -, "
                f"got {value!r}"
            )
