"""What `wealtharena data status` and `data history` tell of a small warehouse whose every row is known."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from collected_tables import (
    AAPL,
    FAILED,
    FRIDAY_NIGHT,
    MONDAY_NIGHT,
    NOW,
    REFUSED,
    USED_UP,
    core_bars,
    fetch,
    outcome_row,
    write_collected,
)

from tasks.answers import FETCHES
from tasks.night import Night
from tasks.receipts import record_failure
from tasks.standing import (
    class_standings,
    fetches_of,
    largest_gaps,
    revisions_of,
    vendor_standings,
    versions_of,
)
from warehouse import Warehouse
from wealtharena.core.errors import SettingsError, WarehouseError
from wealtharena.settings import Settings
from wealtharena.vendors import VendorContext
from wealtharena.vendors.quotas import Quota

FRIDAY, MONDAY = "2024-05-10 22:00:00", "2024-05-13 22:00:00"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings over the small warehouse; read only."""
    home = tmp_path_factory.mktemp("collected")
    write_collected(home)
    return Settings(home=home)


def test_a_class_names_what_it_has_what_it_lacks_and_why(collected: Settings) -> None:
    stocks, crypto, macro = class_standings(collected, NOW)
    assert (stocks.name, stocks.symbols, stocks.with_data, stocks.coverage) == ("stocks", 4, 3, 0.75)
    assert stocks.missing == {"LOST": f"unknown_symbol: {REFUSED}"}
    assert stocks.stale == {"GMG.AX": f"vendor_failure: {FAILED}"}, "older bars of it are there"
    assert (stocks.gaps, stocks.quarantined) == (7, 2)
    assert stocks.vendors == {"alpha_vantage": 1, "yahoo": 12}
    assert (crypto.name, crypto.coverage, crypto.missing, crypto.vendors) == ("crypto", 1.0, {}, {"yahoo": 3})
    assert (macro.name, macro.symbols, macro.with_data, macro.last_session) == ("macro", 2, 1, "2024-05-09")
    assert macro.missing == {"UNRATE": f"rate_limited: {USED_UP}"}


@pytest.mark.parametrize(
    ("now", "stocks", "crypto"),
    [
        (datetime(2024, 5, 10, 23, tzinfo=UTC), 0, 0),
        # Sydney has closed on Monday, New York has not.
        (datetime(2024, 5, 13, 8, tzinfo=UTC), 1, 0),
        # Sydney lacks Monday to Wednesday, New York Monday and Tuesday; a coin's Tuesday ended at midnight.
        (NOW, 3, 1),
        (datetime(2024, 5, 16, 1, tzinfo=UTC), 3, 2),
    ],
)
def test_a_class_is_behind_by_the_sessions_that_closed_since(
    collected: Settings, now: datetime, stocks: int, crypto: int
) -> None:
    found = {item.name: item.behind for item in class_standings(collected, now)}
    assert found == {"stocks": stocks, "crypto": crypto, "macro": 0}


def test_the_largest_gaps_come_first(collected: Settings) -> None:
    lost = {"class": "stocks", "symbol": "LOST", "first": "", "last": "", "missing": 5}
    late = {"class": "stocks", "symbol": "GMG.AX", "first": "2024-05-06", "last": "2024-05-08", "missing": 2}
    assert largest_gaps(collected, 10) == [lost, late]
    assert largest_gaps(collected, 1) == [lost]


def test_a_vendor_tells_what_it_grants_when_it_answered_and_why_it_cannot_be_asked(tmp_path: Path) -> None:
    write_collected(tmp_path)
    settings = Settings.model_validate({"home": tmp_path, "vendors": {"fred": {"api_key": "k"}}})
    context = VendorContext(tmp_path, NOW, clock=lambda: datetime.now(UTC).timestamp())
    quota = Quota("yahoo", settings.vendors.yahoo, context)
    quota.block_until(datetime(2124, 1, 1, tzinfo=UTC), "HTTP 429, too many requests")
    Quota("alpha_vantage", settings.vendors.alpha_vantage, context).acquire()
    found = {item.name: item for item in vendor_standings(settings, NOW)}
    assert list(found) == ["yahoo", "alpha_vantage", "fred", "coingecko", "rest"]
    assert found["yahoo"].remark == "left alone until 2124-01-01 00:00:00: HTTP 429, too many requests"
    assert (found["alpha_vantage"].left["day"], found["alpha_vantage"].last_asked) == (24, MONDAY)
    assert "alpha_vantage is left out, it has no key" in found["alpha_vantage"].remark
    assert (found["fred"].remark, found["fred"].last_asked) == ("", MONDAY)
    assert (found["coingecko"].last_asked, found["rest"].left) == ("", {})


def test_the_last_run_counts_even_if_it_had_nothing_to_ask(tmp_path: Path, make_night: Callable[..., Night]) -> None:
    """A run over fewer symbols of which all are stored: no answer, but outcomes of its own."""
    warehouse = write_collected(tmp_path / "home")
    narrow = pd.DataFrame([outcome_row("tuesday", "stocks", "AAPL", "yahoo", "rows")])
    warehouse.write("core_quality__outcomes", narrow.astype({"first_date": "M8[us]", "last_date": "M8[us]"}))
    warehouse.write("core_stocks__daily_bars", core_bars("AAPL", AAPL))
    coverage = warehouse.read("core_market__coverage", where={"symbol": "AAPL"})
    warehouse.write("core_market__coverage", coverage, "stocks")
    night = make_night(run_id="tuesday")
    record_failure(night, "collect", "stocks", "whatever became of it")
    record_failure(night, "train", "crypto", "another stage")
    stocks, crypto, _ = class_standings(night.settings, NOW)
    assert (stocks.symbols, stocks.with_data, stocks.missing) == (1, 1, {})
    assert crypto.symbols == 1


def test_every_answer_about_a_symbol_is_told_in_order(collected: Settings) -> None:
    answers = fetches_of(collected, "AAPL")
    found = [(row["known_at"], row["vendor"], row["outcome"], row["rows"], row["epoch"]) for row in answers]
    assert found[0] == (FRIDAY, "yahoo", "rows", 5, 0)
    assert sorted(found[1:]) == [(MONDAY, "alpha_vantage", "rows", 1, 0), (MONDAY, "yahoo", "rows", 5, 1)]
    last = fetches_of(collected, "GMG.AX")[-1]
    assert (last["outcome"], last["reason"], last["requested_to"]) == ("vendor_failure", FAILED, "2024-05-13")
    with pytest.raises(SettingsError, match=r"symbol must be one that was collected .*got 'NOPE'"):
        fetches_of(collected, "NOPE")


def test_a_revision_names_what_was_there_and_what_it_became(collected: Settings) -> None:
    known = {"known_at": MONDAY, "vendor": "yahoo", "date": "2024-05-09"}
    prices = [{**known, "column": name, "was": 43.5, "became": 44.0} for name in ("close", "high", "low", "open")]
    volume = {**known, "column": "volume", "was": 1_000.0, "became": 1_250.0}
    assert revisions_of(collected, "BHP.AX") == [*prices, volume]
    assert revisions_of(collected, "GMG.AX") == []


def test_a_reload_changes_every_bar_and_a_blank_stays_one(collected: Settings) -> None:
    changed = revisions_of(collected, "AAPL")
    assert {row["date"] for row in changed} == {"2024-05-06", "2024-05-07", "2024-05-09", "2024-05-10"}
    assert {(row["was"], row["became"]) for row in changed} == {(184.0, 46.0)}


def test_vintages_of_a_series_are_revisions_of_its_value(collected: Settings) -> None:
    (row,) = revisions_of(collected, "CPIAUCSL")
    assert (row["date"], row["column"], row["was"], row["became"]) == ("2024-03-01", "value", 312.2, 312.1)
    versions = versions_of(collected, "CPIAUCSL", date(2024, 3, 1))
    assert [(row["value"], row["available_date"]) for row in versions] == [(312.2, "2024-04-10"), (312.1, "2024-05-09")]


def test_every_version_of_a_bar_is_told_with_its_vendor_and_moment(collected: Settings) -> None:
    found = [
        (row["known_at"], row["close"], row["volume"]) for row in versions_of(collected, "BHP.AX", date(2024, 5, 9))
    ]
    assert found == [(FRIDAY, 43.5, 1_000.0), (MONDAY, 44.0, 1_250.0)]
    several = versions_of(collected, "AAPL", date(2024, 5, 8))
    assert [(row["known_at"], row["vendor"], row["close"]) for row in several] == [
        (FRIDAY, "yahoo", None),
        (MONDAY, "alpha_vantage", 182.0),
        (MONDAY, "yahoo", None),
    ]
    assert versions_of(collected, "AAPL", date(2024, 5, 12)) == []


def test_nothing_collected_is_said_once_and_clearly(tmp_path: Path) -> None:
    for tell in (class_standings, vendor_standings):
        with pytest.raises(WarehouseError, match=r"nothing was collected yet .*: run `wealtharena collect` first"):
            tell(Settings(home=tmp_path), NOW)


def test_a_class_of_which_nothing_was_delivered_is_told_too(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.write(FETCHES, pd.DataFrame([fetch("LOST", "unknown_symbol", FRIDAY_NIGHT, {}, reason=REFUSED)]))
    ended = pd.DataFrame([outcome_row("friday", "stocks", "LOST", "yahoo", "unknown_symbol", REFUSED)])
    warehouse.write("core_quality__outcomes", ended.astype({"first_date": "M8[us]", "last_date": "M8[us]"}))
    (stocks,) = class_standings(Settings(home=tmp_path), MONDAY_NIGHT)
    assert (stocks.with_data, stocks.coverage, stocks.last_session, stocks.behind) == (0, 0.0, "", 0)
    assert stocks.missing == {"LOST": f"unknown_symbol: {REFUSED}"}
