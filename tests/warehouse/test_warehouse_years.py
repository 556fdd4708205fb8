"""Tables divided by year: what a write reads and touches, and what readers see of it."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse import Warehouse
from wealtharena.core.errors import WarehouseError

RAW = "raw_files__daily_bars"
MACRO = "raw_fred__macro"
CORE = "core_stocks__daily_bars"
LEDGER = "core_quality__fetches"
MONDAY = datetime(2026, 1, 5, 20, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 20, tzinfo=UTC)
OLD, A1, A2, B1 = ("AAA", "2024-12-31"), ("AAA", "2026-01-01"), ("AAA", "2026-01-02"), ("BBB", "2026-01-01")

RawBars = Callable[..., pd.DataFrame]


def test_the_year_is_a_folder_on_disk_and_nowhere_else(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({OLD: 1.0, A1: 2.0}))
    assert _years(store, RAW) == {"partition_year=2024": 1, "partition_year=2026": 1}
    assert "partition_year" not in store.read(RAW).columns
    described = store.sql(f"DESCRIBE {RAW}")["column_name"].to_pylist()
    assert described == list(store.read(RAW).columns)
    with pytest.raises(WarehouseError, match="unknown column of table raw_files__daily_bars 'partition_year'"):
        store.read(RAW, where={"partition_year": 2024})


@pytest.mark.parametrize("table", [RAW, CORE])
def test_a_write_does_not_open_the_files_of_other_years(store: Warehouse, raw_bars: RawBars, table: str) -> None:
    frame = raw_bars if table == RAW else _core_bars
    store.write(table, frame({OLD: 1.0, A1: 2.0}))
    [old] = (store.root / table / "partition_year=2024").iterdir()
    content = old.read_bytes()
    store.write(table, frame({OLD: 1.0, A1: 5.0} if table == CORE else {A1: 5.0, A2: 6.0}, known_at=TUESDAY))
    assert old.read_bytes() == content
    assert _years(store, table)["partition_year=2024"] == 1
    if table == RAW:
        old.write_bytes(b"damaged")
        ref = store.write(RAW, raw_bars({A2: 7.0, B1: 8.0}, known_at=TUESDAY + timedelta(days=1)))
        assert ref.rows == 2
        assert store.read(RAW, not_before={"session_date": "2025-01-01"})["close"].tolist() == [5.0, 7.0, 8.0]


def test_a_reference_stands_for_the_rows_that_were_handed_over(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({OLD: 1.0, A1: 2.0}))
    again = store.write(RAW, raw_bars({A1: 2.0}, known_at=TUESDAY))
    assert (again.version, again.rows) == (0, 1)
    assert again.content_hash == store.ref(RAW, where={"session_date": date(2026, 1, 1)}).content_hash
    assert store.ref(RAW).rows == 2


def test_replacing_rewrites_changed_years_only_and_empties_years_without_rows(store: Warehouse) -> None:
    store.write(CORE, _core_bars({OLD: 1.0, A1: 2.0, ("AAA", "2025-06-02"): 3.0}))
    before = {file for file in DeltaTable(store.root / CORE).file_uris() if "2024" in file}
    ref = store.write(CORE, _core_bars({OLD: 1.0, A1: 9.0}))
    assert (ref.version, ref.rows) == (1, 2)
    assert ref == store.ref(CORE)
    assert store.read(CORE)["close"].tolist() == [1.0, 9.0]
    assert before < set(DeltaTable(store.root / CORE).file_uris())
    assert store.write(CORE, _core_bars({A1: 9.0, OLD: 1.0})) == ref
    assert store.write(CORE, _core_bars({}).iloc[:0]).rows == 0
    assert store.read(CORE).empty


def test_history_holds_every_version_oldest_first(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({OLD: 1.0, A1: 2.0}))
    store.write(RAW, raw_bars({A1: 5.0}, known_at=TUESDAY))
    assert store.read(RAW, history=True)["close"].tolist() == [1.0, 2.0, 5.0]
    assert store.read(RAW, history=True, columns=["close"], as_known_at=MONDAY)["close"].tolist() == [1.0, 2.0]
    assert store.read(RAW, history=True, where={"close": 2.0})["known_at"].tolist() == [MONDAY]
    assert store.read(RAW, where={"close": 2.0}).empty
    with pytest.raises(WarehouseError, match=f"table {CORE} keeps no `history` of its rows"):
        store.write(CORE, _core_bars({A1: 1.0}))
        store.read(CORE, history=True)


def test_rows_may_be_asked_from_a_value_on(store: Warehouse, raw_bars: RawBars) -> None:
    store.write(RAW, raw_bars({OLD: 1.0, A1: 2.0, A2: 3.0}))
    store.write(RAW, raw_bars({A1: 0.5}, known_at=TUESDAY))
    for first in (date(2026, 1, 1), pd.Timestamp("2026-01-01"), "2026-01-01"):
        assert store.read(RAW, not_before={"session_date": first})["close"].tolist() == [0.5, 3.0]
    assert store.read(RAW, not_before={"close": 1.0})["close"].tolist() == [1.0, 3.0]
    assert store.read(RAW, history=True, not_before={"known_at": TUESDAY})["close"].tolist() == [0.5]
    assert store.read_or_empty(RAW, columns=["close"], not_before={"session_date": "2027-01-01"}).empty
    assert list(store.read_or_empty(MACRO, columns=["value"], history=True).columns) == ["value"]
    with pytest.raises(WarehouseError, match=r"column `session_date` is date32.*asked for 'soon'"):
        store.read(RAW, not_before={"session_date": "soon"})


def test_only_the_year_with_many_files_is_merged(
    store: Warehouse, raw_bars: RawBars, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.changes.MAX_FILES", 3)
    store.write(RAW, raw_bars({OLD: 1.0}))
    refs = [store.write(RAW, raw_bars({("AAA", f"2026-01-0{day}"): float(day)})) for day in range(1, 6)]
    assert _years(store, RAW) == {"partition_year=2024": 1, "partition_year=2026": 2}
    assert store.read(RAW)["close"].tolist() == [1.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [len(store.read(RAW, version=ref.version)) for ref in refs] == [2, 3, 4, 5, 6]


def test_a_ledger_row_is_exchanged_within_its_year(store: Warehouse) -> None:
    store.write(LEDGER, _fetch("AAA", MONDAY - timedelta(days=30), 1))
    store.write(LEDGER, pd.concat([_fetch("AAA", MONDAY, 2), _fetch("BBB", MONDAY, 3)]))
    old = {file for file in DeltaTable(store.root / LEDGER).file_uris() if "=2025" in file}
    ref = store.write(LEDGER, _fetch("BBB", MONDAY, 4))
    assert (ref.version, ref.rows) == (2, 1)
    assert store.read(LEDGER)["rows"].tolist() == [1, 2, 4]
    assert old < set(DeltaTable(store.root / LEDGER).file_uris())


def test_observations_without_a_release_day_are_known_by_series_and_day(store: Warehouse) -> None:
    store.write(MACRO, _observations({"2026-01-01": 1.0}, None, MONDAY))
    assert store.write(MACRO, _observations({"2026-01-01": 1.0}, None, TUESDAY)).version == 0
    with pytest.raises(WarehouseError, match="`known_at` of a changed row must be later"):
        store.write(MACRO, _observations({"2026-01-01": 2.0}, None, MONDAY))
    store.write(MACRO, _observations({"2026-01-01": 2.0}, None, TUESDAY))
    store.write(MACRO, _observations({"2026-01-01": 3.0}, "2026-02-01", TUESDAY))
    assert store.read(MACRO)["value"].tolist() == [3.0, 2.0]
    assert store.read(MACRO, as_known_at=MONDAY)["value"].tolist() == [1.0]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(
        st.dictionaries(st.sampled_from([OLD, A1, A2, B1]), st.sampled_from([1.0, 2.0]), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_any_past_moment_shows_what_had_been_written_by_then(
    tmp_path_factory: pytest.TempPathFactory, raw_bars: RawBars, batches: list[dict[tuple[str, str], float]]
) -> None:
    store = Warehouse(tmp_path_factory.mktemp("moments"))
    known: dict[tuple[str, str], float] = {}
    views = []
    for hour, batch in enumerate(batches):
        moment = MONDAY + timedelta(hours=hour)
        version = store.write(RAW, raw_bars(batch, known_at=moment)).version
        known |= batch
        views.append((moment, version, [known[key] for key in sorted(known)]))
    for moment, version, expected in views:
        assert store.read(RAW, as_known_at=moment)["close"].tolist() == expected
        assert store.read(RAW, version=version)["close"].tolist() == expected
    assert store.read(RAW)["close"].tolist() == views[-1][2]


def _years(store: Warehouse, table: str) -> dict[str, int]:
    folders = [Path(uri).parent.name for uri in DeltaTable(store.root / table).file_uris()]
    return {name: folders.count(name) for name in sorted(folders)}


def _core_bars(closes: dict[tuple[str, str], float], known_at: datetime = MONDAY) -> pd.DataFrame:
    prices = dict.fromkeys(("open", "high", "low", "volume", "adj_factor"), 1.0)
    keys = list(closes) or [A1]
    frame = pd.DataFrame({"symbol": [key[0] for key in keys], "session_date": pd.to_datetime([key[1] for key in keys])})
    return frame.assign(**prices, close=list(closes.values()) or 0.0, tradable=True, flags="", vendor="yahoo")


def _fetch(symbol: str, known_at: datetime, rows: int) -> pd.DataFrame:
    texts = {"vendor": "yahoo", "dataset": "bars", "group": "stocks", "symbol": symbol, "outcome": "rows", "night": "n"}
    days = dict.fromkeys(("requested_from", "requested_to", "first_date", "last_date"), pd.Timestamp("2026-01-02"))
    how = {"reason": "", "payload_hash": "x", "request": "", "run_id": "r", "epoch": 0}
    return pd.DataFrame([texts | days | how | {"rows": rows, "known_at": known_at}])


def _observations(values: dict[str, float], released: str | None, known_at: datetime) -> pd.DataFrame:
    frame = pd.DataFrame({"reference_date": pd.to_datetime(list(values)), "value": list(values.values())})
    how = {"series": "GDP", "payload_hash": "x", "vendor": "fred", "run_id": "r", "request": ""}
    return frame.assign(**how, available_date=pd.to_datetime(released), known_at=known_at)
