"""Reading: columns, conditions, versions, moments, references."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from warehouse import Warehouse
from wealtharena.core import AssetClass
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"
EQUITY = "out_backtest__daily_equity"
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)
A1, A2, B1 = ("AAA", "2026-01-01"), ("AAA", "2026-01-02"), ("BBB", "2026-01-01")

RawBars = Callable[..., pd.DataFrame]
Equity = Callable[[str, str, float], pd.DataFrame]


def test_columns_come_in_the_order_asked_for(store: Warehouse, features: pd.DataFrame) -> None:
    store.write(FEATURES, features)
    assert list(store.read(FEATURES, columns=["momentum", "symbol"]).columns) == ["momentum", "symbol"]


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({"symbol": "AAA"}, 2),
        ({"symbol": ["AAA", "BBB"]}, 3),
        ({"symbol": []}, 0),
        ({"symbol": "AAA", "observed": True}, 1),
        ({"session_date": date(2026, 1, 1)}, 2),
        ({"session_date": pd.Timestamp("2026-01-02")}, 1),
        ({"session_date": "2026-01-01"}, 2),
        ({"volatility": 0.3}, 1),
    ],
)
def test_conditions_choose_rows(store: Warehouse, features: pd.DataFrame, where: dict[str, object], rows: int) -> None:
    store.write(FEATURES, features)
    assert len(store.read(FEATURES, where=where)) == rows
    assert store.ref(FEATURES, where=where).rows == rows


def test_a_condition_may_be_an_asset_class(store: Warehouse) -> None:
    frame = pd.DataFrame({"symbol": ["A", "B"], "asset_class": [AssetClass.STOCKS, AssetClass.CRYPTO]})
    texts = {"exchange": "XNYS", "currency": "USD", "sector": "", "name": "", "venue": ""}
    store.write("core_market__instruments", frame.assign(**texts, first_day=None, last_day=None))
    found = store.read("core_market__instruments", where={"asset_class": AssetClass.CRYPTO})
    assert found["symbol"].tolist() == ["B"]


def test_a_condition_on_a_value_is_met_by_the_newest_version_only(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({A1: 1.0, B1: 1.0}))
    store.write(RAW, raw_bars({A1: 2.0}, known_at=TUESDAY))
    assert store.read(RAW, columns=["symbol"], where={"close": 1.0})["symbol"].tolist() == ["BBB"]


def test_a_partition_is_read_by_name(store: Warehouse, equity: Equity) -> None:
    store.write(EQUITY, pd.concat([equity("n1", "stocks", 1.0), equity("n1", "crypto", 2.0)]))
    assert len(store.read(EQUITY, partition="n1")) == 4
    assert set(store.read(EQUITY, partition="n1/crypto")["agent"]) == {"crypto"}


def test_an_earlier_version_is_read_as_it_was(store: Warehouse, features: pd.DataFrame) -> None:
    old = store.write(FEATURES, features)
    store.write(FEATURES, features.iloc[:1])
    pd.testing.assert_frame_equal(
        store.read(FEATURES, version=old.version), features.astype({"session_date": "datetime64[us]"})
    )


def test_a_reference_of_one_symbol_ignores_the_others(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({A1: 1.0, B1: 1.0}))
    before = store.ref(RAW, where={"symbol": "AAA"})
    store.write(RAW, raw_bars({B1: 2.0}, known_at=TUESDAY))
    after = store.ref(RAW, where={"symbol": "AAA"})
    assert after.content_hash == before.content_hash
    assert after.version == before.version + 1


def test_reading_what_was_never_written_says_so(store: Warehouse) -> None:
    assert not store.exists(FEATURES)
    with pytest.raises(WarehouseError, match=f"table {FEATURES} has never been written to under "):
        store.read(FEATURES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["nix"]}, "unknown column of table out_stocks__features 'nix'; known: .*momentum"),
        ({"where": {"nix": 1}}, "unknown column of table out_stocks__features 'nix'"),
        ({"where": {"session_date": "yesterday"}}, "column `session_date` is date32.*asked for 'yesterday'"),
        ({"version": 7}, "has versions 0 to 0, got 7"),
        ({"as_known_at": TUESDAY}, "keeps no `known_at`; read an earlier `version` instead"),
    ],
)
def test_a_read_that_cannot_be_meant_is_refused(
    store: Warehouse, features: pd.DataFrame, arguments: dict[str, object], message: str
) -> None:
    store.write(FEATURES, features)
    with pytest.raises(WarehouseError, match=message):
        store.read(FEATURES, **arguments)  # type: ignore[arg-type]


def test_a_moment_without_a_time_zone_is_refused(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({A1: 1.0}))
    with pytest.raises(WarehouseError, match="`as_known_at` must have a time zone, got 2026-01-06"):
        store.read(RAW, as_known_at=datetime(2026, 1, 6))  # noqa: DTZ001


def test_describing_lists_existing_tables_with_plain_rows(
    store: Warehouse, raw_bars: RawBars, features: pd.DataFrame
) -> None:
    assert store.describe() == []
    store.write(RAW, raw_bars({A1: 1.0, A2: 1.0}))
    store.write(RAW, raw_bars({A1: 2.0}, known_at=TUESDAY))
    store.write(FEATURES, features)
    assert store.describe() == [(RAW, 2, 1), (FEATURES, 3, 0)]
