"""What `wealtharena data` tells: how complete the collected data are, what was known when, and whether it all fits."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from tasks.answers import BARS, FETCHES, raw_table
from tasks.receipts import TABLE as RECEIPTS
from warehouse import Warehouse
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions, last_closed_session
from wealtharena.core.errors import SettingsError, WarehouseError
from wealtharena.core.market_data import Outcome
from wealtharena.settings import Settings
from wealtharena.vendors import LIVE_VENDORS, MACRO, VendorContext, missing_key
from wealtharena.vendors.quotas import Quota

Row = dict[str, Any]
PRICES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class ClassStanding:
    """How complete a class is.

    Attributes:
        name: asset class, or ``macro``.
        symbols: that were asked for; with_data: of these, with curated rows.
        last_session: last session of any symbol; behind: closed sessions of its exchanges since then.
        gaps: sessions that should be there and are not, over all symbols.
        missing: outcome and reason per symbol without data; stale: per symbol whose last collection failed.
        quarantined: rows and cells withheld; vendors: bars per vendor.
    """

    name: str
    symbols: int
    with_data: int
    last_session: str
    behind: int
    gaps: int
    missing: dict[str, str]
    stale: dict[str, str]
    quarantined: int
    vendors: dict[str, int]

    @property
    def coverage(self) -> float:
        """Share of the symbols that have data."""
        return self.with_data / self.symbols if self.symbols else 0.0


@dataclass(frozen=True)
class VendorStanding:
    """What a live vendor still grants.

    Attributes:
        name: of the vendor.
        left: requests left per window (``day``, ``minute`` …); empty where nothing is limited.
        last_asked: moment of its last answer; ``""`` if it was never asked.
        remark: why it cannot be asked now, if so.
    """

    name: str
    left: dict[str, int]
    last_asked: str
    remark: str


def class_standings(settings: Settings, now: datetime) -> list[ClassStanding]:
    """Every class that was collected, in the order of ``AssetClass``, then the macro series."""
    warehouse = collected_warehouse(settings)
    outcomes = _latest_outcomes(warehouse)
    groups = [str(name) for name in AssetClass if outcomes.get(str(name))]
    standings = [_class_standing(warehouse, name, outcomes[name], now) for name in groups]
    return [*standings, *([_macro_standing(warehouse, outcomes[MACRO])] if outcomes.get(MACRO) else [])]


def vendor_standings(settings: Settings, now: datetime) -> list[VendorStanding]:
    """Every live vendor, whether it was asked yet or not."""
    last = _last_asked(collected_warehouse(settings))
    context = VendorContext(home=settings.home, now=now)
    return [_vendor_standing(settings, name, context, last.get(name, "")) for name in LIVE_VENDORS]


def largest_gaps(settings: Settings, count: int) -> list[Row]:
    """The symbols that lack most sessions: class, symbol, first, last, missing."""
    rows = _records(collected_warehouse(settings), "core_market__coverage")
    rows = [row for row in rows if row["missing_sessions"] > 0]
    rows.sort(key=lambda row: (-row["missing_sessions"], row["symbol"]))
    return [
        {
            "class": row["asset_class"],
            "symbol": row["symbol"],
            "first": _day(row["first_session"]),
            "last": _day(row["last_session"]),
            "missing": int(row["missing_sessions"]),
        }
        for row in rows[:count]
    ]


def fetches_of(settings: Settings, symbol: str) -> list[Row]:
    """Every answer of every vendor about a symbol or series, the oldest first.

    Raises:
        SettingsError: no vendor was ever asked about it.
    """
    rows = _records(collected_warehouse(settings), FETCHES, {"symbol": symbol})
    if not rows:
        raise SettingsError(
            f"symbol must be one that was collected (`wealtharena data status` names them), got {symbol!r}"
        )
    rows.sort(key=lambda row: row["known_at"])
    wanted = ("vendor", "dataset", "group", "requested_from", "requested_to", "outcome", "reason", "rows", "epoch")
    return [{"known_at": _moment(row["known_at"]), **{name: _plain(row[name]) for name in wanted}} for row in rows]


def revisions_of(settings: Settings, symbol: str) -> list[Row]:
    """Every value of a symbol or series that a vendor changed after it was first known, in order of becoming known."""
    warehouse = collected_warehouse(settings)
    found: list[Row] = []
    for vendor, dataset in sorted({(row["vendor"], row["dataset"]) for row in fetches_of(settings, symbol)}):
        found += _revisions(warehouse, vendor, dataset, symbol)
    return sorted(found, key=lambda row: (row["known_at"], row["date"], row["column"]))


def versions_of(settings: Settings, symbol: str, day: date) -> list[Row]:
    """Every version of one bar or observation, of every vendor, with the moment when it became known."""
    warehouse = collected_warehouse(settings)
    found = []
    for vendor, dataset in sorted({(row["vendor"], row["dataset"]) for row in fetches_of(settings, symbol)}):
        columns = PRICES if dataset == BARS else ("value", "available_date")
        for row in _versions(warehouse, vendor, dataset, symbol):
            if row[_date_column(dataset)].date() == day:
                values = {name: _plain(row[name]) for name in columns}
                found.append({"known_at": _moment(row["known_at"]), "vendor": vendor, **values})
    return sorted(found, key=lambda row: row["known_at"])


def collected_warehouse(settings: Settings) -> Warehouse:
    """The warehouse of an installation that has collected something.

    Raises:
        WarehouseError: it has not.
    """
    warehouse = Warehouse(settings.home / "warehouse")
    if not warehouse.exists(FETCHES):
        raise WarehouseError(f"nothing was collected yet under {settings.home}: run `wealtharena collect` first")
    return warehouse


def _records(warehouse: Warehouse, table: str, where: Mapping[str, object] | None = None) -> list[Row]:
    rows = warehouse.read_or_empty(table, where=where).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _latest_outcomes(warehouse: Warehouse) -> dict[str, list[Row]]:
    """Outcomes of the last run that collected each group."""
    by_run: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _records(warehouse, "core_quality__outcomes"):
        by_run[row["asset_class"], row["run_id"]].append(row)
    ends = [(row["known_at"], row["group"], row["run_id"]) for row in _records(warehouse, FETCHES)]
    # A run that had nothing to ask has no answers, but a receipt.
    receipts = _records(warehouse, RECEIPTS, {"stage": "collect"})
    ends += [(row["finished_at"], row["item"], row["run_id"]) for row in receipts]
    return {group: by_run[group, run_id] for _, group, run_id in sorted(ends) if (group, run_id) in by_run}


def _class_standing(warehouse: Warehouse, name: str, outcomes: list[Row], now: datetime) -> ClassStanding:
    own = {"asset_class": name}
    coverage = {row["symbol"]: row for row in _records(warehouse, "core_market__coverage", own)}
    exchanges = {row["symbol"]: row["exchange"] for row in _records(warehouse, "core_market__instruments", own)}
    present = {symbol for symbol, row in coverage.items() if row["observed_sessions"] > 0}
    ends = {symbol: coverage[symbol]["last_session"].date() for symbol in present}
    last = max(ends.values(), default=None)
    bars = warehouse.read_or_empty(f"core_{name}__daily_bars")
    return ClassStanding(
        name=name,
        symbols=len(outcomes),
        with_data=len(present),
        last_session=last.isoformat() if last else "",
        behind=_behind(sorted({exchanges[symbol] for symbol in present}), last, now),
        gaps=sum(int(row["missing_sessions"]) for row in coverage.values()),
        missing=_reasons(row for row in outcomes if row["symbol"] not in present),
        stale=_reasons(row for row in outcomes if row["symbol"] in present and row["outcome"] not in _DELIVERED),
        quarantined=len(_records(warehouse, "core_quality__quarantine", own)),
        vendors=dict(sorted(Counter(bars["vendor"].tolist()).items())),
    )


_DELIVERED = (str(Outcome.ROWS), str(Outcome.EMPTY))


def _macro_standing(warehouse: Warehouse, outcomes: list[Row]) -> ClassStanding:
    rows = _records(warehouse, "core_macro__observations")
    present = {row["series"] for row in rows}
    last = max((row["available_date"] for row in rows), default=None)
    return ClassStanding(
        name=MACRO,
        symbols=len(outcomes),
        with_data=len(present),
        last_session=_day(last),
        behind=0,
        gaps=0,
        missing=_reasons(row for row in outcomes if row["symbol"] not in present),
        stale=_reasons(row for row in outcomes if row["symbol"] in present and row["outcome"] not in _DELIVERED),
        quarantined=len(_records(warehouse, "core_quality__quarantine", {"asset_class": MACRO})),
        vendors=dict(sorted(Counter(row["vendor"] for row in outcomes if row["vendor"]).items())),
    )


def _reasons(outcomes: Iterator[Row]) -> dict[str, str]:
    return {
        row["symbol"]: f"{row['outcome']}: {row['reason']}" if row["reason"] else row["outcome"] for row in outcomes
    }


def _behind(exchanges: list[str], last: date | None, now: datetime) -> int:
    """Sessions that closed since the last one that is stored, on the exchange that lacks most."""
    if last is None:
        return 0
    return max(
        (max(len(exchange_sessions(name, last, last_closed_session(name, now))) - 1, 0) for name in exchanges),
        default=0,
    )


def _last_asked(warehouse: Warehouse) -> dict[str, str]:
    moments: dict[str, datetime] = {}
    for row in _records(warehouse, FETCHES):
        moments[row["vendor"]] = max(row["known_at"], moments.get(row["vendor"], row["known_at"]))
    return {name: _moment(moment) for name, moment in moments.items()}


def _vendor_standing(settings: Settings, name: str, context: VendorContext, last_asked: str) -> VendorStanding:
    quota = Quota(name, getattr(settings.vendors, name), context)
    blocked = quota.blocked_until()
    remark = missing_key(settings, name) or (f"left alone until {_moment(blocked[0])}: {blocked[1]}" if blocked else "")
    return VendorStanding(name, quota.left(), last_asked, remark)


def _versions(warehouse: Warehouse, vendor: str, dataset: str, symbol: str) -> list[Row]:
    table = raw_table(vendor, dataset)
    if not warehouse.exists(table):
        return []
    key = "symbol" if dataset == BARS else "series"
    rows = warehouse.read(table, where={key: symbol}, history=True).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def _revisions(warehouse: Warehouse, vendor: str, dataset: str, symbol: str) -> list[Row]:
    columns = PRICES if dataset == BARS else ("value",)
    day = _date_column(dataset)
    before: dict[Any, Row] = {}
    found = []
    rows = _versions(warehouse, vendor, dataset, symbol)
    for row in sorted(rows, key=lambda row: (row[day], row["known_at"])):
        earlier = before.get(row[day])
        for name in columns:
            if earlier is not None and _plain(earlier[name]) != _plain(row[name]):
                values = {"was": _plain(earlier[name]), "became": _plain(row[name])}
                known = {"known_at": _moment(row["known_at"]), "vendor": vendor}
                found.append({**known, "date": _day(row[day]), "column": name, **values})
        before[row[day]] = row
    return found


def _date_column(dataset: str) -> str:
    return "session_date" if dataset == BARS else "reference_date"


def _day(value: Any) -> str:
    return "" if value is None or value != value else value.date().isoformat()  # noqa: PLR0124 NaT differs from itself


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) or value is None:
        return _day(value)
    return None if value != value else value  # noqa: PLR0124 NaN differs from itself
