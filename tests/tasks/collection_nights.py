"""Nights of collection against the stand-in: the universe of a small world, and what must be stored of it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from stand_in import KEYS, StandIn
from stand_in_macro import MacroSpec
from stand_in_world import World

from tasks.answers import BARS, FETCHES, MACRO_DATA, raw_table
from tasks.collection import CollectionReceipt, collect_class, collect_macro
from tasks.night import Night
from tasks.vendor_desk import forget
from warehouse import Journal, Warehouse
from warehouse.tables import TABLES
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import BAR_COLUMNS, Instrument, Outcome
from wealtharena.settings import Settings
from wealtharena.vendors import MACRO

CHECKOUT = Path(__file__).resolve().parents[2]
START = date(2023, 1, 3)
END = date(2024, 5, 14)
"""A Tuesday. Long past, so that nothing depends on the day on which the tests run."""
SERIES = (
    MacroSpec("DGS10", "daily", 1, 0, 3.0, 0.05),
    MacroSpec("CPIAUCSL", "monthly", 13, 1, 255.0, 0.7, 3),
    MacroSpec("GDP", "quarterly", 28, 2, 21_000.0, 150.0, 3),
)
COMPACT = 100
"""Bars that Alpha Vantage tells a free key."""
PRICES = ["open", "high", "low", "close"]
DAILY_LAG = 1


@dataclass(frozen=True)
class Nights:
    """Nights over one home folder, with one stand-in as every vendor.

    Attributes:
        url: of the stand-in.
        vendors: ``vendors`` section of the settings, as far as it is not the stand-in's own.
    """

    home: Path
    stand_in: StandIn
    universe: Path
    vendors: dict[str, Any]

    @classmethod
    def over(cls, folder: Path, stand_in: StandIn, **vendors: Any) -> "Nights":
        """Nights over everything that the stand-in's world has now.

        Args:
            vendors: settings; a mapping of a vendor is laid over the stand-in's.
        """
        world = stand_in.world
        known = [world.instrument(symbol) for symbol in world.symbols()]
        universe = write_universe(folder / "universe", [item for item in known if item], world.series())
        return cls(folder / "home", stand_in, universe, vendors)

    @property
    def warehouse(self) -> Warehouse:
        """The tables that the nights write."""
        return Warehouse(self.home / "warehouse")

    def at(self, home: Path) -> "Nights":
        """The same nights on another home folder."""
        return replace(self, home=home)

    def settings(self, **run: Any) -> Settings:
        """Settings of a night; ``run`` goes into their section ``run``."""
        vendors = self.stand_in.settings() | {"universe": self.universe}
        for name, value in self.vendors.items():
            vendors[name] = vendors[name] | value if isinstance(value, dict) and name in vendors else value
        section = {"history_start": self.stand_in.world.start} | run
        return Settings.model_validate({"home": self.home, "vendors": vendors, "run": section})

    def night(self, run_id: str, **changes: Any) -> Night:
        """The night after the world's last day, or the one that ``changes`` make of it."""
        world = self.stand_in.world
        values = {"settings": self.settings(), "as_of": world.end, "opened_at": world.now, "run_id": run_id}
        return Night(**{**values, "agents": ("stocks",), "with_meta": False, **changes})

    def job(self, run_id: str, *groups: str) -> dict[str, Any]:
        """The same as JSON, for ``collection_child``."""
        night = self.night(run_id)
        settings = night.settings.model_dump(mode="json")
        for name, key in KEYS.items():
            settings["vendors"][name]["api_key"] = key
        return {"settings": settings, "night": night.model_dump(mode="json", exclude={"settings"}), "groups": groups}

    def collect(self, run_id: str, *groups: str, **changes: Any) -> dict[str, CollectionReceipt]:
        """Collects classes and ``macro`` in the night after the world's last day; all of them if none are named."""
        night = self.night(run_id, **changes)
        try:
            return {group: collect_group(night, group) for group in groups or (*map(str, AssetClass), MACRO)}
        finally:
            forget(night)


class Children:
    """Collections in processes of their own; ``errors`` is the file of their standard error."""

    def __init__(self, errors: Path) -> None:
        self.errors = errors

    def __enter__(self) -> Self:
        script = Path(__file__).with_name("collection_child.py")
        # Appended, so that what was written may be taken away.
        with self.errors.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                cwd=CHECKOUT,
                # Forks of a process with threads may wait for ever.
                env=os.environ | {"PYTHONPATH": str(CHECKOUT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def told(self) -> str:
        """What the processes wrote to standard error."""
        return self.errors.read_text(encoding="utf-8")

    def run(self, *together: dict[str, Any], kill_after_s: float | None = None) -> tuple[list[int], float]:
        """Exit codes of these collections, run side by side, and the seconds that they took; killed: -9."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"together": together, "kill_after_s": kill_after_s}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["codes"], answer["seconds"]


def collect_group(night: Night, group: str) -> CollectionReceipt:
    """Collects an asset class, or ``macro``."""
    return collect_macro.fn(night) if group == MACRO else collect_class.fn(night, AssetClass(group))


def write_universe(folder: Path, instruments: Iterable[Instrument], series: Sequence[MacroSpec]) -> Path:
    """Membership tables of these instruments, and of these series: daily ones without vintages, others with."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[str]] = {}
    for item in instruments:
        aliases = ";".join(f"{vendor}={name}" for vendor, name in item.aliases)
        cells = (item.symbol, f'"{item.name or item.symbol}"', item.exchange, item.venue or "OTC", item.currency)
        days = (item.first_day or "2015-01-01", item.last_day or "")
        tables.setdefault(str(item.asset_class), []).append(",".join(map(str, (*cells, item.sector, *days, aliases))))
    header = "symbol,name,exchange,venue,currency,sector,first_day,last_day,aliases"
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    header = "series,name,vendor,frequency,lag_days,published,with_vintages,first_day"
    lines = [
        f"{item.series},{item.series},fred,{item.frequency},{DAILY_LAG},,{_yes(has_vintages(item))},2000-01-01"
        for item in series
    ]
    (folder / "macro.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return folder


def has_vintages(spec: MacroSpec) -> bool:
    """Whether a series is asked for with every value that was ever published."""
    return spec.frequency != "daily"


def stored_bars(warehouse: Warehouse, vendor: str, symbol: str) -> pd.DataFrame:
    """What the raw table of a vendor says of a symbol: newest rows of the present epoch, ``BAR_COLUMNS``."""
    rows = warehouse.read_or_empty(raw_table(vendor, BARS), where={"symbol": symbol})
    return rows.loc[rows["epoch"] == rows["epoch"].max(), list(BAR_COLUMNS)].reset_index(drop=True)


def told_bars(world: World, vendor: str, symbol: str) -> pd.DataFrame:
    """What a healthy vendor tells a free key of a symbol that is asked for as a whole."""
    bars = world.clean_bars(symbol, vendor)
    if vendor == "alpha_vantage" and not symbol.endswith("-USD"):
        return bars.iloc[-COMPACT:].reset_index(drop=True)
    if vendor == "coingecko":
        # Candles reach 30 days back from now; the first of these days has not all of them.
        old = bars["session_date"] < bars["session_date"].iloc[-1] - pd.Timedelta(days=28)
        bars.loc[old, ["open", "high", "low"]] = np.nan
    return bars


def assert_bars_equal(stored: pd.DataFrame, truth: pd.DataFrame, columns: Sequence[str]) -> None:
    """The same sessions, and the same figures but for float noise."""
    assert stored["session_date"].tolist() == truth["session_date"].tolist()
    for name in columns:
        np.testing.assert_allclose(stored[name], truth[name], rtol=1e-6, err_msg=name)


def assert_raw_is_truth(warehouse: Warehouse, world: World, vendor: str, symbol: str, adj_close: bool = True) -> None:
    """A vendor's raw rows of a symbol are what it tells, nothing more and nothing less."""
    columns = [name for name in BAR_COLUMNS[1:] if adj_close or name != "adj_close"]
    assert_bars_equal(stored_bars(warehouse, vendor, symbol), told_bars(world, vendor, symbol), columns)


def curated_bars(warehouse: Warehouse, world: World, symbol: str) -> pd.DataFrame:
    """Core rows of a symbol."""
    instrument = world.instrument(symbol)
    assert instrument is not None
    rows = warehouse.read(f"core_{instrument.asset_class}__daily_bars", where={"symbol": symbol})
    return rows.reset_index(drop=True)


def assert_core_is_truth(warehouse: Warehouse, world: World, symbol: str) -> None:
    """The curated bars of a symbol are Yahoo's, unmarked, and their factor is that of its adjusted close."""
    core, truth = curated_bars(warehouse, world, symbol), world.clean_bars(symbol, "yahoo")
    assert_bars_equal(core, truth, PRICES)
    volume = truth["volume"] if (truth["volume"] > 0.0).any() else np.full(len(truth), np.nan)
    np.testing.assert_allclose(core["volume"], volume, rtol=1e-9)
    # Yahoo keeps its adjusted closes in single precision.
    np.testing.assert_allclose(core["close"] * core["adj_factor"], truth["adj_close"], rtol=2e-6)
    assert set(core["vendor"]) == {"yahoo"} and set(core["flags"]) == {""}


def told_macro(world: World, spec: MacroSpec) -> pd.DataFrame:
    """What FRED tells of a series: ``reference_date``, ``available_date`` (NaT without vintages), ``value``."""
    rows = world.macro(spec.series).rename(columns={"released": "available_date"})
    if not has_vintages(spec):
        rows = rows.drop_duplicates("reference_date", keep="last").assign(available_date=pd.NaT)
    return rows[["reference_date", "available_date", "value"]].reset_index(drop=True)


def assert_raw_macro_is_truth(warehouse: Warehouse, world: World, spec: MacroSpec) -> None:
    """Every value that was ever published of a series is stored, with its release day."""
    stored = warehouse.read(raw_table("fred", MACRO_DATA), where={"series": spec.series})
    _assert_macro_equal(stored, told_macro(world, spec))


def assert_core_macro_is_truth(warehouse: Warehouse, world: World, spec: MacroSpec) -> None:
    """Curated: every value, with the first day on which it may be used; blanks are left out."""
    stored = warehouse.read("core_macro__observations", where={"series": spec.series})
    truth = told_macro(world, spec).dropna(subset=["value"])
    out = truth["reference_date"] + pd.Timedelta(days=DAILY_LAG)
    truth = truth.assign(available_date=truth["available_date"].fillna(out))
    _assert_macro_equal(stored, truth[truth["available_date"] <= pd.Timestamp(world.end)].reset_index(drop=True))


def ledger(warehouse: Warehouse, **where: str) -> pd.DataFrame:
    """Rows of the ledger of fetches, oldest first."""
    return warehouse.read_or_empty(FETCHES, where=where).sort_values("known_at", ignore_index=True)


def outcomes(warehouse: Warehouse, run_id: str) -> dict[str, dict[str, Any]]:
    """Final outcome of each symbol in a run."""
    rows = warehouse.read("core_quality__outcomes", where={"run_id": run_id}).to_dict("records")
    return {row["symbol"]: {str(name): value for name, value in row.items()} for row in rows}


def content(warehouse: Warehouse) -> dict[str, pd.DataFrame]:
    """Everything that was collected and curated, without the moment and the run that brought it, in a fixed order."""
    tables = {}
    for name, spec in TABLES.items():
        if name.startswith(("raw_", "core_")) and warehouse.exists(name):
            rows = warehouse.read(name, history=spec.mode == "append_new").drop(
                columns=["known_at", "run_id"], errors="ignore"
            )
            # Each run tells the outcomes anew.
            rows = rows.drop_duplicates() if name == "core_quality__outcomes" else rows
            tables[name] = rows.sort_values(list(rows.columns), ignore_index=True)
    return tables


def assert_same_content(warehouse: Warehouse, reference: dict[str, pd.DataFrame]) -> None:
    """The same tables with the same rows, bit for bit."""
    found = content(warehouse)
    assert found.keys() == reference.keys()
    for name, rows in reference.items():
        pd.testing.assert_frame_equal(found[name], rows, check_exact=True, obj=name)


def stored_answers(home: Path, night_id: str, scratch: Path) -> set[tuple[str, str]]:
    """Vendor and symbol of every good answer of a night that is safe, in the ledger or still in the journal."""
    # Looking into a journal tidies it.
    copied = shutil.copytree(home / "journal", scratch / secrets.token_hex(4)) if (home / "journal").exists() else None
    groups = copied.iterdir() if copied else ()
    waiting = [entry.metadata["fetch"] for group in groups for entry in Journal(group).entries()]
    told = Warehouse(home / "warehouse").read_or_empty(FETCHES, where={"night": night_id}).to_dict("records")
    good = (str(Outcome.ROWS), str(Outcome.EMPTY))
    return {(row["vendor"], row["symbol"]) for row in (*waiting, *told) if row["outcome"] in good}


def texts_under(home: Path) -> Iterator[tuple[str, str]]:
    """Everything under a home folder as text, by place: the bytes of each file, and what compressed columns say."""
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        yield str(path), path.read_bytes().decode("latin-1")
    warehouse = Warehouse(home / "warehouse")
    for name, spec in TABLES.items():
        if warehouse.exists(name):
            rows = warehouse.read(name, history=spec.mode == "append_new")
            for column in rows.select_dtypes(exclude=["number", "datetime", "datetimetz", "bool"]):
                yield f"{name}.{column}", "\n".join(map(str, rows[column].unique()))


def _assert_macro_equal(stored: pd.DataFrame, truth: pd.DataFrame) -> None:
    days = ["reference_date", "available_date"]
    for name in days:
        assert stored[name].astype(str).tolist() == truth[name].astype(str).tolist()
    np.testing.assert_allclose(stored["value"], truth["value"], rtol=1e-9)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
