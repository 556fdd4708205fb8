"""What becomes of a vendor's answers: rows, one outcome per symbol asked, cells for quarantine, too little coverage."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError
from wealtharena.core.market_data import (
    BAR_COLUMNS,
    MACRO_COLUMNS,
    FetchRequest,
    FetchResult,
    Instrument,
    Outcome,
    PriceBasis,
    Vendor,
)
from wealtharena.vendors.collection import (
    Collected,
    collect_bars,
    collect_macro,
    instrument_rows,
    missing_symbols,
    problems,
    raw_bar_rows,
    raw_macro_rows,
    require_coverage,
)

NOW = datetime(2026, 1, 9, 20, tzinfo=UTC)
REQUEST = FetchRequest(("AAA", "BBB", "CCC"), date(2026, 1, 1), date(2026, 1, 9))


class ScriptedVendor:
    """Answers as it was told to."""

    name = "files"

    def __init__(self, *answers: FetchResult) -> None:
        self.answers = answers

    def instruments(self, asset_classes: Sequence[AssetClass]) -> list[Instrument]:
        return []

    def macro_series(self) -> list[str]:
        return []

    def latest_session(self, asset_classes: Sequence[AssetClass], today: date, min_coverage: float) -> date:
        return today

    def fetch_bars(self, request: FetchRequest) -> Iterator[FetchResult]:
        yield from self.answers

    def fetch_macro(self, request: FetchRequest) -> Iterator[FetchResult]:
        yield from self.answers


def bars(*days: str) -> pd.DataFrame:
    rows = [(pd.Timestamp(day), 1.0, 2.0, 0.5, 1.5, np.nan, 100.0) for day in days]
    return pd.DataFrame(rows, columns=list(BAR_COLUMNS)).astype({"session_date": "datetime64[us]"})


def delivered(symbol: str, *days: str, unparsed: tuple[tuple[str, str, str], ...] = ()) -> FetchResult:
    return FetchResult(symbol, Outcome.ROWS, "", bars(*days), f"hash-{symbol}", PriceBasis.SPLIT_ADJUSTED, unparsed)


def refused(symbol: str, outcome: Outcome, reason: str) -> FetchResult:
    return FetchResult(symbol, outcome, reason, bars(), "")


def collect(*answers: FetchResult, on_symbol: Callable[[str], None] = lambda _: None) -> Collected:
    vendor: Vendor = ScriptedVendor(*answers)
    return collect_bars(vendor, REQUEST, on_symbol)


def outcome_of(collected: Collected, symbol: str) -> list[object]:
    (row,) = collected.outcomes[collected.outcomes["symbol"] == symbol].to_numpy().tolist()
    return list(row)


def test_rows_of_all_symbols_stand_in_order_with_where_they_came_from() -> None:
    heard: list[str] = []
    collected = collect(
        delivered("BBB", "2026-01-06", "2026-01-05"), delivered("AAA", "2026-01-05"), on_symbol=heard.append
    )
    frame = collected.frame
    assert list(zip(frame["symbol"], frame["session_date"].dt.day, strict=True)) == [("AAA", 5), ("BBB", 5), ("BBB", 6)]
    assert frame["payload_hash"].tolist() == ["hash-AAA", "hash-BBB", "hash-BBB"]
    assert set(frame["price_basis"]) == {"split_adjusted"}
    assert collected.price_basis == {"AAA": PriceBasis.SPLIT_ADJUSTED, "BBB": PriceBasis.SPLIT_ADJUSTED}
    assert heard == ["BBB", "AAA"]


def test_every_symbol_asked_has_one_outcome_even_if_the_vendor_kept_silent() -> None:
    collected = collect(
        refused("CCC", Outcome.UNKNOWN_SYMBOL, "no such symbol"), delivered("AAA", "2026-01-06", "2026-01-05")
    )
    assert collected.outcomes["symbol"].tolist() == ["AAA", "BBB", "CCC"]
    assert outcome_of(collected, "AAA") == ["AAA", "rows", "", 2, date(2026, 1, 5), date(2026, 1, 6)]
    silent = ["BBB", "vendor_failure", "the vendor gave no answer for this symbol", 0, None, None]
    assert outcome_of(collected, "BBB") == silent
    assert outcome_of(collected, "CCC")[:4] == ["CCC", "unknown_symbol", "no such symbol", 0]


def test_without_any_rows_frames_are_empty_but_complete() -> None:
    collected = collect()
    assert set(collected.frame.columns) == {*BAR_COLUMNS, "symbol", "payload_hash", "price_basis"}
    assert len(collected.frame) == len(collected.unparsed) == 0
    assert len(collected.outcomes) == 3


def test_cells_that_are_no_numbers_or_dates_become_findings() -> None:
    cells = (("2026-01-07 (line 3)", "close", "n/a"), ("line 4", "date", "08/13/26x"))
    rows = collect(delivered("AAA", "2026-01-05", unparsed=cells)).unparsed.to_dict("records")
    assert rows[0] == {
        "symbol": "AAA",
        "session_date": pd.Timestamp("2026-01-07"),
        "rule": "not_a_number",
        "column": "close",
        "value": "n/a",
        "reason": "close must be a number, got 'n/a' at 2026-01-07 (line 3)",
    }
    assert pd.isna(rows[1]["session_date"])
    assert rows[1]["reason"] == "date must be an ISO date, got '08/13/26x' at line 4"


def test_problems_are_what_a_person_should_mend_and_nothing_else() -> None:
    collected = collect(
        refused("CCC", Outcome.REJECTED, "AAA.csv has no column 'close'"),
        refused("BBB", Outcome.EMPTY, "no rows between"),
        delivered("AAA", "2026-01-05", unparsed=(("2026-01-06 (line 3)", "open", "x"), ("line 4", "date", "y"))),
    )
    assert problems(collected) == (
        "CCC: AAA.csv has no column 'close'",
        "AAA: open must be a number, got 'x' at 2026-01-06 (line 3), and 1 more like it",
    )
    assert problems(collect(delivered("AAA", "2026-01-05"))) == ()


def test_many_bad_cells_of_a_symbol_are_one_problem() -> None:
    cells = tuple((f"2026-01-0{day}", "open", "x") for day in (6, 7, 8))
    (text,) = problems(collect(delivered("AAA", "2026-01-05", unparsed=cells)))
    assert re.fullmatch(r"AAA: open must be a number, got 'x' .*2026-01-06, and 2 more .*like it", text)


def test_a_symbol_is_missing_with_its_reason_also_if_curation_left_nothing_of_it() -> None:
    collected = collect(delivered("AAA", "2026-01-05"), delivered("BBB", "2026-01-05"))
    assert missing_symbols(collected, ["AAA"]) == {
        "BBB": "every row went to quarantine",
        "CCC": "the vendor gave no answer for this symbol",
    }


def test_raw_rows_keep_the_first_of_a_date_and_drop_what_has_none() -> None:
    first, second = bars("2026-01-05"), bars("2026-01-05").assign(close=9.0)
    undated = bars("2026-01-06").assign(session_date=pd.Series([pd.NaT], dtype="datetime64[us]"))
    answer = FetchResult("AAA", Outcome.ROWS, "", pd.concat([first, undated, second]), "h")
    rows = raw_bar_rows(collect(answer), AssetClass.ETFS, "files", "run1", NOW)
    assert rows["close"].tolist() == [1.5]
    (row,) = rows[["asset_class", "vendor", "run_id", "known_at", "payload_hash"]].to_numpy().tolist()
    assert row == ["etfs", "files", "run1", pd.Timestamp(NOW), "h"]


def test_macro_observations_are_gathered_by_series() -> None:
    frame = pd.DataFrame(
        {
            "reference_date": pd.to_datetime(["2026-01-02", "2026-01-01"]),
            "value": [4.1, 4.0],
            "available_date": pd.NaT,
        }
    )[list(MACRO_COLUMNS)]
    vendor: Vendor = ScriptedVendor(FetchResult("DGS10", Outcome.ROWS, "", frame, "h"))
    request = FetchRequest(("DGS10",), REQUEST.start, REQUEST.end)
    collected = collect_macro(vendor, request, lambda _: None)
    rows = raw_macro_rows(collected, "files", "run1", NOW)
    assert rows["value"].tolist() == [4.0, 4.1]
    assert set(rows["series"]) == {"DGS10"}
    assert not {"symbol", "price_basis"} & set(rows.columns)
    assert outcome_of(collected, "DGS10")[3:] == [2, date(2026, 1, 1), date(2026, 1, 2)]


def test_instruments_are_rows_with_plain_class_names() -> None:
    (row,) = instrument_rows([Instrument("BHP.AX", AssetClass.STOCKS, "XASX", "AUD", "Materials")]).to_dict("records")
    assert row == {
        "symbol": "BHP.AX",
        "asset_class": "stocks",
        "exchange": "XASX",
        "currency": "AUD",
        "sector": "Materials",
    }


def test_enough_coverage_passes_and_too_little_names_the_missing_symbols() -> None:
    require_coverage(AssetClass.STOCKS, 5, {"A": "gone"}, 0.8)
    missing = {f"S{k}": f"reason {k}" for k in range(7)}
    with pytest.raises(DataWindowError) as failure:
        require_coverage(AssetClass.STOCKS, 10, missing, 0.8)
    assert str(failure.value) == (
        "stocks: vendors.min_coverage asks for 80% of 10 symbols, got 30% "
        "(S0: reason 0; S1: reason 1; S2: reason 2; S3: reason 3; S4: reason 4 and 2 more)"
    )


def test_where_nothing_came_the_first_reason_stands_for_all() -> None:
    with pytest.raises(DataWindowError, match=r"got 0% \(A: gone and 1 more\)"):
        require_coverage(AssetClass.STOCKS, 2, {"A": "gone", "B": "gone"}, 0.5)


def test_a_class_that_the_source_does_not_have_is_said_to_be_absent() -> None:
    with pytest.raises(DataWindowError, match=r"of 0 symbols, got 0% \(the source has no symbol of this class\)"):
        require_coverage(AssetClass.CRYPTO, 0, {}, 0.5)
