"""Every table of ``TABLES`` keeps the rules of the warehouse, and docs/warehouse.md lists them all."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from warehouse import TABLES, Warehouse
from wealtharena.core import AssetClass
from wealtharena.core.errors import WarehouseError

PAGE = Path(__file__).parents[2] / "docs" / "warehouse.md"
BEGIN, END = "<!-- tables: begin -->\n", "<!-- tables: end -->\n"
SAMPLES = {
    pa.string(): "x",
    pa.float64(): 1.5,
    pa.int64(): 3,
    pa.bool_(): True,
    pa.date32(): date(2026, 1, 2),
    pa.timestamp("us", tz="UTC"): datetime(2026, 1, 2, 3, tzinfo=UTC),
}

# Tables of equal make, such as those of all vendors, differ by name only.
KINDS = {(str(spec.schema), spec.key, spec.mode): name for name, spec in TABLES.items()}

every_table = pytest.mark.parametrize("name", TABLES)
every_kind = pytest.mark.parametrize("name", KINDS.values())


@every_table
def test_the_parts_of_a_table_fit_together(name: str) -> None:
    spec = TABLES[name]
    columns = set(spec.schema.names)
    assert spec.name == name
    assert re.fullmatch(r"(raw|core|out)_[a-z]+(_[a-z]+)*__[a-z_]+", name)
    assert spec.key
    assert columns >= {*spec.key, *spec.partition_by, *spec.bookkeeping}
    assert not {*spec.key} & {*spec.bookkeeping}
    assert not spec.partition_by or spec.mode == "replace"
    assert not spec.extra_columns or (spec.mode == "replace" and not spec.partition_by)
    assert spec.mode != "append_new" or not spec.schema.field("known_at").nullable
    nullable = {column for column in spec.key if spec.schema.field(column).nullable}
    # Vendors without vintages do not tell when an observation was published.
    assert not spec.unique or nullable <= {"available_date"}
    assert not spec.year_of or (spec.year_of in spec.key and not spec.partition_by and not spec.extra_columns)
    assert not spec.year_of or not spec.schema.field(spec.year_of).nullable


@every_kind
def test_a_row_goes_in_and_comes_out(store: Warehouse, name: str) -> None:
    row = {field.name: SAMPLES[field.type] for field in TABLES[name].schema}
    ref = store.write(name, pa.Table.from_pylist([row]))
    assert store.write(name, pa.Table.from_pylist([row])) == ref
    as_read = {column: pd.Timestamp(value) if type(value) is date else value for column, value in row.items()}
    assert store.read(name).iloc[0].to_dict() == as_read
    assert store.sql(f"FROM {name}").to_pylist() == [row]


@every_kind
def test_no_rows_make_an_empty_table(store: Warehouse, name: str) -> None:
    empty = TABLES[name].schema.empty_table()
    assert store.write(name, empty).rows == 0
    assert store.write(name, empty.to_pandas()).version == 0
    assert store.read(name).empty


def test_every_asset_class_has_bars_and_features() -> None:
    for asset_class in AssetClass:
        assert {f"core_{asset_class}__daily_bars", f"out_{asset_class}__features"} <= set(TABLES)


def test_a_table_that_another_release_wrote_is_not_mixed_with_ours(store: Warehouse) -> None:
    name = "out_backtest__metrics"
    (store.root / name).mkdir(parents=True)
    write_deltalake(store.root / name, pa.table({"night": ["n1"], "sharpe": [1.0]}))
    row = {field.name: SAMPLES[field.type] for field in TABLES[name].schema}
    with pytest.raises(WarehouseError, match=f"table {name} must have the columns night, agent, .*another release"):
        store.write(name, pa.Table.from_pylist([row]))


def test_the_documentation_lists_every_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    listed = text.partition(BEGIN)[2].partition(END)[0]
    assert listed == _catalogue(), f"run `python {Path(__file__).name}` in tests/warehouse to renew {PAGE}"


def _catalogue() -> str:
    lines = ["| table | a write | key | columns | holds |", "|---|---|---|---|---|"]
    for spec in TABLES.values():
        act = {"append_new": "adds new versions", "upsert": "exchanges rows by key"}.get(spec.mode)
        slices = f"replaces `{'/'.join(spec.partition_by)}`" if spec.partition_by else "replaces everything"
        columns = ", ".join(spec.schema.names) + (", …" if spec.extra_columns else "")
        lines.append(f"| `{spec.name}` | {act or slices} | {', '.join(spec.key)} | {columns} | {spec.description} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + _catalogue() + END + rest.partition(END)[2], encoding="utf-8")
