"""SQL: every table at hand, nothing else within reach."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from warehouse import Warehouse
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)
A1, A2 = ("AAA", "2026-01-01"), ("AAA", "2026-01-02")

RawBars = Callable[..., pd.DataFrame]


@pytest.fixture
def filled(store: Warehouse, raw_bars: RawBars, features: pd.DataFrame) -> Warehouse:
    store.write(RAW, raw_bars({A1: 1.0, A2: 2.0}))
    store.write(RAW, raw_bars({A1: 5.0}, known_at=TUESDAY))
    store.write(FEATURES, features)
    return store


def test_tables_are_joined_and_a_missing_number_is_null(filled: Warehouse) -> None:
    answer = filled.sql(
        "SELECT f.symbol, f.session_date, r.close, f.momentum "
        "FROM out_stocks__features f JOIN raw_files__daily_bars r USING (symbol, session_date) ORDER BY ALL"
    )
    assert answer.to_pylist() == [
        {"symbol": "AAA", "session_date": date(2026, 1, 1), "close": 5.0, "momentum": 1.0},
        {"symbol": "AAA", "session_date": date(2026, 1, 2), "close": 2.0, "momentum": None},
    ]


def test_raw_tables_show_the_newest_rows_and_their_history_shows_all(filled: Warehouse) -> None:
    assert filled.sql("SELECT sum(close) AS total FROM raw_files__daily_bars")["total"].to_pylist() == [7.0]
    assert filled.sql("SELECT count(*) AS n FROM raw_files__daily_bars__history")["n"].to_pylist() == [3]
    past = (
        "SELECT arg_max(close, known_at) AS close FROM raw_files__daily_bars__history "
        "WHERE known_at < '2026-01-06' GROUP BY session_date"
    )
    assert sorted(filled.sql(past)["close"].to_pylist()) == [1.0, 2.0]


def test_a_query_works_on_an_emptied_table(filled: Warehouse, features: pd.DataFrame) -> None:
    filled.write(FEATURES, features.iloc[:0])
    assert filled.sql("SELECT count(*) AS n FROM out_stocks__features")["n"].to_pylist() == [0]


@pytest.mark.parametrize(
    "query", ["SHOW TABLES", "DESCRIBE out_stocks__features", "EXPLAIN FROM out_stocks__features", "VALUES (1)"]
)
def test_looking_around_is_reading(filled: Warehouse, query: str) -> None:
    assert filled.sql(query).num_rows > 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "a query must be one statement, got 0"),
        ("SELECT 1; SELECT 2", "a query must be one statement, got 2"),
        ("DELETE FROM out_stocks__features", "a query may only read .*, got DELETE"),
        ("INSERT INTO out_stocks__features SELECT 1", "a query may only read .*, got INSERT"),
        ("CREATE TABLE t AS SELECT 1", "a query may only read .*, got CREATE"),
        ("ATTACH '/tmp/x.db'", "a query may only read .*, got ATTACH"),
        ("SET enable_external_access = true", "a query may only read .*, got SET"),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nix FROM out_stocks__features", 'Referenced column "nix" not found'),
        ("SELECT * FROM nix", f"unknown table 'nix'; there are: {RAW}, {FEATURES}"),
        ("SELECT * FROM out_crypto__features", "table out_crypto__features has never been written to; there are: "),
        ("SELECT * FROM store", "unknown table 'store'"),
        ("SELECT * FROM read_csv('/etc/passwd')", "file system operations are disabled"),
        ("SELECT * FROM glob('/*')", "file system operations are disabled"),
    ],
)
def test_anything_but_reading_tables_is_refused_in_one_line(filled: Warehouse, query: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message) as caught:
        filled.sql(query)
    assert "\n" not in str(caught.value)


def test_copying_to_a_file_is_refused_even_inside_explain(filled: Warehouse, tmp_path: Path) -> None:
    target = tmp_path / "stolen.csv"
    for query in (f"COPY (SELECT 1) TO '{target}'", f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'"):
        with pytest.raises(WarehouseError):
            filled.sql(query)
    assert not target.exists()
