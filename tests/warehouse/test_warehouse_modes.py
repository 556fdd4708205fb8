"""What a write does to the rows that are there, in each mode."""

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest
from deltalake import DeltaTable

from warehouse import Warehouse
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
FEATURES = "out_stocks__features"
EQUITY = "out_backtest__daily_equity"
OUTCOMES = "core_quality__outcomes"
DECISIONS = "out_promotion__decisions"
MONDAY = datetime(2026, 1, 5, 20, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)
A1, A2, B1 = ("AAA", "2026-01-01"), ("AAA", "2026-01-02"), ("BBB", "2026-01-01")

RawBars = Callable[..., pd.DataFrame]
Equity = Callable[[str, str, float], pd.DataFrame]
Outcomes = Callable[[dict[str, int]], pd.DataFrame]


def test_what_is_read_back_is_what_was_written(store: Warehouse, features: pd.DataFrame) -> None:
    ref = store.write(FEATURES, features.iloc[::-1])
    assert (ref.name, ref.version, ref.partition, ref.rows) == (FEATURES, 0, "", 3)
    pd.testing.assert_frame_equal(store.read(FEATURES), features.astype({"session_date": "datetime64[us]"}))


def test_raw_rows_already_known_are_not_stored_again(store: Warehouse, raw_bars: RawBars) -> None:
    first = store.write(RAW, raw_bars({A1: 1.0, B1: 2.0}))
    again = store.write(RAW, raw_bars({A1: 1.0, B1: 2.0}, known_at=TUESDAY, run_id="run2"))
    assert again == first
    assert set(store.read(RAW)["run_id"]) == {"run1"}


def test_raw_rows_that_changed_become_new_versions_beside_the_old(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({A1: 1.0, B1: 2.0}))
    ref = store.write(RAW, raw_bars({A1: 7.0, A2: 3.0, B1: 2.0}, known_at=TUESDAY, run_id="run2"))
    assert (ref.version, ref.rows) == (1, 3)
    assert ref == store.ref(RAW)
    assert store.read(RAW)["close"].tolist() == [7.0, 3.0, 2.0]
    assert store.read(RAW)["run_id"].tolist() == ["run2", "run2", "run1"]
    assert store.read(RAW, as_known_at=MONDAY)["close"].tolist() == [1.0, 2.0]
    assert store.sql("SELECT count(*) FROM raw_files__daily_bars__history")[0].to_pylist() == [4]


def test_a_value_that_goes_back_to_what_it_was_is_a_new_version(store: Warehouse, raw_bars: RawBars) -> None:
    wednesday = datetime(2026, 1, 7, tzinfo=UTC)
    first = store.write(RAW, raw_bars({A1: 1.0}))
    store.write(RAW, raw_bars({A1: 2.0}, known_at=TUESDAY))
    last = store.write(RAW, raw_bars({A1: 1.0}, known_at=wednesday))
    assert store.read(RAW)["known_at"].tolist() == [wednesday]
    assert last.content_hash == first.content_hash


def test_a_changed_raw_row_must_be_known_later_than_the_stored_one(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({A1: 1.0}, known_at=TUESDAY))
    with pytest.raises(
        WarehouseError, match=r"`known_at` of a changed row must be later .* for symbol AAA, session_date"
    ):
        store.write(RAW, raw_bars({A1: 2.0}, known_at=TUESDAY))
    assert store.read(RAW)["close"].tolist() == [1.0]


def test_replacing_with_equal_content_makes_no_new_version(store: Warehouse, features: pd.DataFrame) -> None:
    first = store.write(FEATURES, features)
    assert store.write(FEATURES, features.sample(frac=1.0, random_state=1)) == first
    changed = store.write(FEATURES, features.assign(volatility=0.5))
    assert changed.version == 1
    assert changed.content_hash != first.content_hash


def test_features_may_change_their_columns_and_the_old_version_keeps_its_own(
    store: Warehouse, features: pd.DataFrame
) -> None:
    store.write(FEATURES, features)
    store.write(FEATURES, features.drop(columns="momentum").assign(carry=1.0))
    assert list(store.read(FEATURES).columns)[-1] == "carry"
    assert list(store.read(FEATURES, version=0).columns)[-1] == "momentum"


def test_replacing_with_no_rows_empties_the_table(store: Warehouse, features: pd.DataFrame) -> None:
    store.write(FEATURES, features)
    assert store.write(FEATURES, features.iloc[:0]).rows == 0
    assert store.read(FEATURES).empty
    assert store.read(FEATURES)["session_date"].dtype == "datetime64[us]"


def test_a_partition_is_replaced_without_touching_its_neighbours(store: Warehouse, equity: Equity) -> None:
    store.write(EQUITY, equity("n1", "stocks", 1.0), "n1/stocks")
    store.write(EQUITY, equity("n1", "crypto", 2.0), "n1/crypto")
    store.write(EQUITY, equity("n2", "stocks", 3.0), "n2/stocks")
    ref = store.write(EQUITY, equity("n1", "crypto", 9.0), "n1/crypto")
    assert (ref.partition, ref.rows) == ("n1/crypto", 2)
    found = store.read(EQUITY).groupby(["night", "agent"])["equity"].min().to_dict()
    assert found == {("n1", "crypto"): 9.0, ("n1", "stocks"): 1.0, ("n2", "stocks"): 3.0}
    assert store.ref(EQUITY, "n1/crypto") == ref


def test_a_whole_night_is_replaced_by_naming_only_the_night(store: Warehouse, equity: Equity) -> None:
    for agent in ("stocks", "crypto"):
        store.write(EQUITY, equity("n1", agent, 1.0), f"n1/{agent}")
    store.write(EQUITY, equity("n1", "etfs", 5.0), "n1")
    assert set(store.read(EQUITY)["agent"]) == {"etfs"}


def test_without_a_partition_every_slice_in_the_frame_is_replaced(store: Warehouse, equity: Equity) -> None:
    store.write(EQUITY, pd.concat([equity("n1", "stocks", 1.0), equity("n1", "crypto", 2.0)]))
    store.write(EQUITY, pd.concat([equity("n1", "stocks", 7.0).iloc[:1], equity("n2", "stocks", 3.0)]))
    found = store.read(EQUITY, columns=["night", "agent", "equity"])
    assert found.to_numpy().tolist() == [
        ["n1", "crypto", 2.0],
        ["n1", "crypto", 3.0],
        ["n1", "stocks", 7.0],
        ["n2", "stocks", 3.0],
        ["n2", "stocks", 4.0],
    ]


def test_a_partition_emptied_by_name_is_empty_and_others_stay(store: Warehouse, equity: Equity) -> None:
    store.write(EQUITY, pd.concat([equity("n1", "stocks", 1.0), equity("n1", "crypto", 2.0)]), "n1")
    assert store.write(EQUITY, equity("n1", "stocks", 1.0).iloc[:0], "n1/stocks").rows == 0
    assert set(store.read(EQUITY)["agent"]) == {"crypto"}


@pytest.mark.parametrize(
    ("table", "partition", "message"),
    [
        (EQUITY, "n2", "2 rows do not belong to partition n2"),
        (EQUITY, "n1/crypto", "2 rows do not belong to partition n1/crypto"),
        (EQUITY, "n1/stocks/agent", "partition must be night/agent, got 'n1/stocks/agent'"),
        (EQUITY, "n1' OR '1'='1", "must consist of letters, digits"),
    ],
)
def test_rows_outside_the_named_partition_are_refused(
    store: Warehouse, equity: Equity, table: str, partition: str, message: str
) -> None:
    with pytest.raises(WarehouseError, match=message):
        store.write(table, equity("n1", "stocks", 1.0), partition)
    assert not store.exists(table)


def test_a_lane_can_name_a_partition(store: Warehouse, equity: Equity) -> None:
    for value in (1.0, 2.0):
        store.write(EQUITY, equity("stocks-lstm@1a2b3c4d", "baseline:cash", value))
    store.write(EQUITY, equity("stocks@1a2b3c4d", "baseline:cash", 3.0))
    own = store.read(EQUITY, where={"night": "stocks-lstm@1a2b3c4d"})
    assert set(own["equity"]) == set(equity("x", "y", 2.0)["equity"])


def test_a_value_that_could_end_the_quotes_cannot_name_a_partition(store: Warehouse, equity: Equity) -> None:
    store.write(EQUITY, equity("n1", "stocks", 1.0))
    with pytest.raises(WarehouseError, match="`night` names a partition and must consist of letters"):
        store.write(EQUITY, equity("x' OR '1' = '1", "stocks", 1.0))
    assert len(store.read(EQUITY)) == 2


def test_tables_without_partitions_have_none_to_name(store: Warehouse, features: pd.DataFrame) -> None:
    with pytest.raises(WarehouseError, match=f"table {FEATURES}: partition must be none, got 'n1'"):
        store.write(FEATURES, features, "n1")


def test_upserting_exchanges_rows_of_equal_key_and_adds_the_others(store: Warehouse, outcomes: Outcomes) -> None:
    store.write(OUTCOMES, outcomes({"AAA": 1, "BBB": 2}))
    ref = store.write(OUTCOMES, outcomes({"BBB": 3, "CCC": 4, "AAA": 1}))
    assert (ref.version, ref.rows) == (1, 3)
    assert ref == store.ref(OUTCOMES)
    assert store.read(OUTCOMES)["rows"].tolist() == [1, 3, 4]


def test_upserting_equal_content_makes_no_new_version(store: Warehouse, outcomes: Outcomes) -> None:
    store.write(OUTCOMES, outcomes({"AAA": 1, "BBB": 2}))
    ref = store.write(OUTCOMES, outcomes({"BBB": 2}))
    assert (ref.version, ref.rows) == (0, 1)
    assert store.read(OUTCOMES)["rows"].tolist() == [1, 2]


def test_upserting_other_bookkeeping_keeps_what_was_noted_first(store: Warehouse) -> None:
    texts = ("night", "decision_id", "agent", "candidate_version", "champion_version", "outcome", "reason", "numbers")
    decision = pd.DataFrame([dict.fromkeys((*texts, "decided_by"), "x")])
    first = store.write(DECISIONS, decision.assign(decided_at=MONDAY))
    assert store.write(DECISIONS, decision.assign(decided_at=TUESDAY)) == first
    assert store.read(DECISIONS)["decided_at"].tolist() == [MONDAY]


def test_many_small_writes_are_merged_into_few_files_and_lose_no_row(
    store: Warehouse, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.changes.MAX_FILES", 8)
    refs = [store.write(OUTCOMES, outcomes({f"S{number:03d}": 1})) for number in range(20)]
    assert len(store.read(OUTCOMES)) == 20
    assert len(DeltaTable(store.root / OUTCOMES).file_uris()) <= 8
    assert len(store.read(OUTCOMES, version=refs[10].version)) == 11


def test_an_unknown_table_is_named_with_those_that_are_known(store: Warehouse, features: pd.DataFrame) -> None:
    with pytest.raises(
        WarehouseError, match=r"unknown table 'nix'; known: core_commodities__daily_bars, .*raw_simulator"
    ):
        store.write("nix", features)


def test_a_folder_that_delta_lake_cannot_address_is_refused(store: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="may not contain %"):
        Warehouse(store.root / "100%")


def test_folders_with_spaces_and_umlauts_work(store: Warehouse, features: pd.DataFrame) -> None:
    odd = Warehouse(store.root / "a b é#+&?")
    odd.write(FEATURES, features)
    odd.write(FEATURES, features.assign(volatility=1.0))
    assert odd.read(FEATURES)["volatility"].tolist() == [1.0, 1.0, 1.0]
