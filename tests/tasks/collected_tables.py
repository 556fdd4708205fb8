"""A small collected warehouse, written row by row: four shares, a coin and two macro series, and what went wrong."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.answers import FETCHES
from warehouse import Warehouse

FRIDAY_NIGHT = datetime(2024, 5, 10, 22, tzinfo=UTC)
MONDAY_NIGHT = datetime(2024, 5, 13, 22, tzinfo=UTC)
NOW = datetime(2024, 5, 15, 8, tzinfo=UTC)
"""A Wednesday: Sydney has closed, New York has not opened."""
WEEK = ["2024-05-06", "2024-05-07", "2024-05-08", "2024-05-09", "2024-05-10"]
REFUSED = "Yahoo says 'Not Found: No data found, symbol may be delisted' (HTTP 404)"
FAILED = "HTTP 500: Internal Server Error (4 attempts)"
USED_UP = "fred: the quota (2 per second) is used up until 2024-05-14 00:00:00 UTC"

BHP = dict.fromkeys(WEEK, 43.0) | {"2024-05-09": 43.5}
AAPL = dict.fromkeys(WEEK, 184.0)
GMG = dict.fromkeys(WEEK[:3], 33.0)
BTC = dict.fromkeys(["2024-05-11", "2024-05-12", "2024-05-13"], 61_000.0)
CPI = [("2024-02-01", 311.0, "2024-03-12"), ("2024-03-01", 312.2, "2024-04-10"), ("2024-03-01", 312.1, "2024-05-09")]


def write_collected(home: Path) -> Warehouse:
    """Two nights of one week: on Monday BHP is revised, AAPL is split four for one, GMG.AX cannot be asked."""
    warehouse = Warehouse(home / "warehouse")
    _write_raw(warehouse)
    _write_core(warehouse)
    _write_quality(warehouse)
    return warehouse


def raw_bars(symbol: str, closes: Mapping[str, float], known_at: datetime, **columns: Any) -> pd.DataFrame:
    """Raw rows of a share from ``{day: close}``; the other prices equal the close."""
    rows = pd.DataFrame({"session_date": pd.to_datetime(list(closes)), "close": list(closes.values())})
    prices = dict.fromkeys(("open", "high", "low", "adj_close"), rows["close"])
    figures = {"volume": 1_000.0, "dividend": 0.0, "split": 1.0}
    told = {"price_basis": "split_adjusted", "currency": "AUD", "epoch": 0, "payload_hash": "", "request": ""}
    origin = {"vendor": "yahoo", "run_id": "", "known_at": known_at}
    names = {"symbol": symbol, "asset_class": "stocks"}
    return rows.assign(**{**names, **prices, **figures, **told, **origin, **columns})


def core_bars(symbol: str, closes: Mapping[str, float], **columns: Any) -> pd.DataFrame:
    """Curated rows of a symbol from ``{day: close}``."""
    rows = pd.DataFrame(
        {"symbol": symbol, "session_date": pd.to_datetime(list(closes)), "close": list(closes.values())}
    )
    prices = dict.fromkeys(("open", "high", "low"), rows["close"])
    marks = {"volume": 1_000.0, "adj_factor": 1.0, "tradable": True, "flags": "", "vendor": "yahoo"}
    return rows.assign(**{**prices, **marks, **columns})


def fetch(symbol: str, outcome: str, known_at: datetime, days: Mapping[str, float], **columns: Any) -> dict[str, Any]:
    """A row of the ledger: an answer about the shares' week unless ``columns`` say otherwise."""
    first, last = (date.fromisoformat(min(days)), date.fromisoformat(max(days))) if days else (None, None)
    asked = {"vendor": "yahoo", "dataset": "bars", "group": "stocks", "symbol": symbol}
    span = {"requested_from": date(2024, 5, 6), "requested_to": known_at.date()}
    told = {"outcome": outcome, "reason": "", "rows": len(days), "first_date": first, "last_date": last, "epoch": 0}
    run_id = "friday" if known_at == FRIDAY_NIGHT else "monday"
    origin = {"payload_hash": "", "request": "", "run_id": run_id, "night": run_id, "known_at": known_at}
    return {**asked, **span, **told, **origin, **columns}


def outcome_row(run_id: str, group: str, symbol: str, vendor: str, outcome: str, reason: str = "") -> dict[str, Any]:
    """A final outcome of a symbol in a run."""
    named = {"run_id": run_id, "night": run_id, "vendor": vendor, "symbol": symbol, "asset_class": group}
    return {**named, "outcome": outcome, "reason": reason, "rows": 0, "first_date": None, "last_date": None}


def _write_raw(warehouse: Warehouse) -> None:
    yahoo = "raw_yahoo__daily_bars"
    coin = {"asset_class": "crypto", "currency": "USD"}
    friday = [raw_bars("BHP.AX", BHP, FRIDAY_NIGHT), raw_bars("GMG.AX", GMG, FRIDAY_NIGHT)]
    first = AAPL | {"2024-05-08": float("nan")}
    friday.append(raw_bars("AAPL", first, FRIDAY_NIGHT, currency="USD"))
    warehouse.write(yahoo, pd.concat(friday))
    revised = raw_bars("BHP.AX", {"2024-05-09": 44.0}, MONDAY_NIGHT, volume=1_250.0)
    quarter = {day: close / 4.0 for day, close in first.items()}
    split = raw_bars("AAPL", quarter, MONDAY_NIGHT, currency="USD", epoch=1)
    bitcoin = raw_bars("BTC-USD", BTC, MONDAY_NIGHT, **coin)
    warehouse.write(yahoo, pd.concat([revised, split, bitcoin]))
    other = raw_bars("AAPL", {"2024-05-08": 182.0}, MONDAY_NIGHT, vendor="alpha_vantage", price_basis="as_traded")
    warehouse.write("raw_alpha_vantage__daily_bars", other)
    days = [
        {"series": "CPIAUCSL", "reference_date": day, "value": value, "available_date": out} for day, value, out in CPI
    ]
    origin: dict[str, Any] = {
        "payload_hash": "",
        "vendor": "fred",
        "run_id": "",
        "known_at": FRIDAY_NIGHT,
        "request": "",
    }
    warehouse.write("raw_fred__macro", _dated(pd.DataFrame(days), "reference_date", "available_date").assign(**origin))


def _write_core(warehouse: Warehouse) -> None:
    apple = core_bars("AAPL", dict.fromkeys(WEEK, 46.0)).astype({"vendor": object, "flags": object})
    apple.loc[apple["session_date"] == "2024-05-08", ["vendor", "flags"]] = ["alpha_vantage", "stand_in_vendor"]
    bhp = core_bars("BHP.AX", BHP | {"2024-05-09": 44.0})
    warehouse.write("core_stocks__daily_bars", pd.concat([apple, bhp, core_bars("GMG.AX", GMG)]))
    warehouse.write("core_crypto__daily_bars", core_bars("BTC-USD", BTC))
    known = pd.DataFrame(CPI, columns=["reference_date", "value", "available_date"]).assign(series="CPIAUCSL")
    warehouse.write("core_macro__observations", _dated(known, "reference_date", "available_date"))
    listed = [("AAPL", "stocks", "XNYS"), ("BHP.AX", "stocks", "XASX"), ("BTC-USD", "crypto", "24/7")]
    listed += [("GMG.AX", "stocks", "XASX"), ("LOST", "stocks", "XNYS")]
    instruments = pd.DataFrame(listed, columns=["symbol", "asset_class", "exchange"])
    texts = dict.fromkeys(("currency", "sector", "name", "venue"), "")
    days = dict.fromkeys(("first_day", "last_day"), None)
    warehouse.write("core_market__instruments", _dated(instruments.assign(**texts, **days), "first_day", "last_day"))
    spans = [
        ("stocks", "AAPL", "2024-05-06", "2024-05-10", 5, 5),
        ("stocks", "BHP.AX", "2024-05-06", "2024-05-10", 5, 5),
        ("stocks", "GMG.AX", "2024-05-06", "2024-05-08", 5, 3),
        ("stocks", "LOST", None, None, 5, 0),
        ("crypto", "BTC-USD", "2024-05-11", "2024-05-13", 3, 3),
    ]
    names = ["asset_class", "symbol", "first_session", "last_session", "expected_sessions", "observed_sessions"]
    coverage = pd.DataFrame(spans, columns=names)
    coverage["missing_sessions"] = coverage["expected_sessions"] - coverage["observed_sessions"]
    coverage = _dated(coverage.assign(delisted_on=None), "first_session", "last_session", "delisted_on")
    warehouse.write("core_market__coverage", coverage)


def _write_quality(warehouse: Warehouse) -> None:
    warehouse.write(FETCHES, pd.DataFrame(_ledger()))
    ended = [outcome_row("friday", "stocks", symbol, "yahoo", "rows") for symbol in ("AAPL", "BHP.AX", "GMG.AX")]
    ended += [
        outcome_row("friday", "stocks", "LOST", "yahoo", "unknown_symbol", REFUSED),
        outcome_row("monday", "stocks", "AAPL", "yahoo", "rows"),
        outcome_row("monday", "stocks", "BHP.AX", "yahoo", "rows"),
        outcome_row("monday", "stocks", "GMG.AX", "yahoo", "vendor_failure", FAILED),
        outcome_row("monday", "stocks", "LOST", "yahoo", "unknown_symbol", REFUSED),
        outcome_row("monday", "crypto", "BTC-USD", "yahoo", "rows"),
        outcome_row("monday", "macro", "CPIAUCSL", "fred", "rows"),
        outcome_row("monday", "macro", "UNRATE", "fred", "rate_limited", USED_UP),
    ]
    warehouse.write("core_quality__outcomes", _dated(pd.DataFrame(ended), "first_date", "last_date"))
    withheld = [("BHP.AX", "2024-05-11", "not_a_session"), ("GMG.AX", "2024-05-08", "duplicate")]
    quarantine = pd.DataFrame(withheld, columns=["symbol", "session_date", "rule"])
    texts = {"asset_class": "stocks", "column": "session_date", "value": "", "reason": ""}
    warehouse.write("core_quality__quarantine", _dated(quarantine.assign(**texts), "session_date"))


def _ledger() -> list[dict[str, Any]]:
    asked = [fetch("BHP.AX", "rows", FRIDAY_NIGHT, BHP), fetch("AAPL", "rows", FRIDAY_NIGHT, AAPL)]
    asked += [fetch("GMG.AX", "rows", FRIDAY_NIGHT, GMG)]
    macro = {"vendor": "fred", "dataset": "macro", "group": "macro"}
    observed = {day: value for day, value, _ in CPI}
    return [
        *asked,
        fetch("LOST", "unknown_symbol", FRIDAY_NIGHT, {}, reason=REFUSED),
        fetch("CPIAUCSL", "rows", FRIDAY_NIGHT, observed, **macro),
        fetch("BHP.AX", "rows", MONDAY_NIGHT, BHP),
        fetch("AAPL", "rows", MONDAY_NIGHT, AAPL, epoch=1),
        fetch("AAPL", "rows", MONDAY_NIGHT, {"2024-05-08": 182.0}, vendor="alpha_vantage"),
        fetch("GMG.AX", "vendor_failure", MONDAY_NIGHT, {}, reason=FAILED),
        fetch("LOST", "unknown_symbol", MONDAY_NIGHT, {}, reason=REFUSED),
        fetch("BTC-USD", "rows", MONDAY_NIGHT, BTC, group="crypto"),
        fetch("CPIAUCSL", "empty", MONDAY_NIGHT, {}, **macro, reason="nothing was released since 2024-05-06"),
        fetch("UNRATE", "rate_limited", MONDAY_NIGHT, {}, **macro, reason=USED_UP),
    ]


def _dated(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return rows.assign(**{name: pd.to_datetime(rows[name]).astype("datetime64[us]") for name in columns})
