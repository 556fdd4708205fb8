"""`wealtharena data check` finds each kind of damage, and only that."""

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from collected_tables import BHP, BTC, MONDAY_NIGHT, NOW, core_bars, fetch, write_collected

from tasks.answers import FETCHES
from tasks.data_checks import DataFinding, check_data
from warehouse import Journal, Warehouse
from wealtharena.core.errors import WarehouseError
from wealtharena.settings import Settings


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return write_collected(tmp_path)


def checked(home: Path, min_coverage: float = 0.7) -> dict[str, DataFinding]:
    settings = Settings.model_validate({"home": home, "vendors": {"min_coverage": min_coverage}})
    return {item.name: item for item in check_data(settings, NOW)}


def wrong(home: Path) -> dict[str, str]:
    return {name: item.found for name, item in checked(home).items() if not item.ok}


def test_data_that_fit_have_nothing_to_mend(tmp_path: Path, warehouse: Warehouse) -> None:
    findings = checked(tmp_path)
    assert all(item.ok for item in findings.values())
    found = {name: item.found for name, item in findings.items()}
    assert found["tables"].startswith("11 tables, ")
    assert found["ledger and raw tables"] == "8 answers, all stored"
    assert found["curated bars"] == "16 bars keep their schema"
    assert found["coverage of stocks"] == ("3 of 4 symbols, last session 2024-05-10, 3 behind; lacking GMG.AX, LOST")
    assert found["quarantine"] == "not_a_session 1, duplicate 1"
    assert found["marked bars"] == "stand_in_vendor 1"
    assert (found["journal"], found["vendors' disagreements"]) == ("empty", "none")


def test_a_curated_bar_without_raw_row_is_found(tmp_path: Path, warehouse: Warehouse) -> None:
    warehouse.write("core_crypto__daily_bars", core_bars("BTC-USD", BTC | {"2024-05-14": 62_000.0}))
    assert wrong(tmp_path) == {"curated bars and raw rows": "1 bars without raw row: BTC-USD 2024-05-14"}


def test_bars_of_a_vendor_that_stored_nothing_are_found(tmp_path: Path, warehouse: Warehouse) -> None:
    warehouse.write("core_crypto__daily_bars", core_bars("BTC-USD", BTC, vendor="coingecko"))
    (found,) = wrong(tmp_path).values()
    assert found == "3 bars without raw row: BTC-USD 2024-05-11, BTC-USD 2024-05-12, BTC-USD 2024-05-13"


def test_an_answer_of_the_ledger_whose_rows_are_not_stored_is_found(tmp_path: Path, warehouse: Warehouse) -> None:
    lost = fetch("BHP.AX", "rows", NOW, BHP | {"2024-05-14": 44.5})
    gone = fetch("ETH-USD", "rows", NOW, BTC, vendor="coingecko", group="crypto")
    warehouse.write(FETCHES, pd.DataFrame([lost, gone]))
    found = wrong(tmp_path)
    assert found["ledger and raw tables"] == "no rows of coingecko ETH-USD, yahoo BHP.AX"


def test_bars_that_break_their_schema_are_found(tmp_path: Path, warehouse: Warehouse) -> None:
    warehouse.write("core_crypto__daily_bars", core_bars("BTC-USD", BTC, adj_factor=-1.0))
    found = wrong(tmp_path)
    assert list(found) == ["curated bars"]
    assert "crypto: core bars break their schema" in found["curated bars"]
    assert "adj_factor" in found["curated bars"]


def test_too_little_coverage_of_a_class_is_found_and_of_macro_series_only_told(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    findings = checked(tmp_path, min_coverage=0.8)
    assert [name for name, item in findings.items() if not item.ok] == ["coverage of stocks"]
    assert findings["coverage of macro"].found.endswith(
        "1 of 2 symbols, last session 2024-05-09, 0 behind; lacking UNRATE"
    )


def test_a_table_that_cannot_be_read_is_found_and_the_rest_checked(tmp_path: Path, warehouse: Warehouse) -> None:
    for file in (warehouse.root / "raw_yahoo__daily_bars").rglob("*.parquet"):
        file.unlink()
    found = wrong(tmp_path)
    assert set(found) == {"tables", "ledger and raw tables", "curated bars and raw rows"}
    assert all("table raw_yahoo__daily_bars could not be read" in text for text in found.values())


def test_answers_that_wait_in_the_journal_and_disagreements_are_told(tmp_path: Path, warehouse: Warehouse) -> None:
    journal = Journal(tmp_path / "journal" / "stocks")
    journal.append({"fetch": {}, "refused": []}, pa.table({"symbol": ["BHP.AX"]}))
    bar = {"asset_class": "stocks", "symbol": "AAPL", "session_date": date(2024, 5, 8), "column": "close"}
    prices = {"vendor": "yahoo", "value": 46.0, "other_vendor": "alpha_vantage", "other_value": 45.5}
    warehouse.write("core_quality__disagreements", pd.DataFrame([{**bar, **prices, "relative_difference": 0.011}]))
    findings = checked(tmp_path)
    assert all(item.ok for item in findings.values())
    assert findings["journal"].found == "1 answers of a run that was ended wait; the next collection stores them"
    assert findings["vendors' disagreements"].found == "1 prices of AAPL differ between vendors"


def test_nothing_collected_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="nothing was collected yet"):
        check_data(Settings(home=tmp_path), MONDAY_NIGHT)
