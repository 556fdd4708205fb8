"""Every table of the warehouse: its columns, its key, and what a write does to the rows that are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from wealtharena.core import AssetClass

VENDORS = ("simulator", "files", "yahoo", "alpha_vantage", "fred", "coingecko", "rest")
"""Vendors with raw tables."""

Mode = Literal["append_new", "replace", "upsert"]

TEXT = pa.string()
NUMBER = pa.float64()
COUNT = pa.int64()
FLAG = pa.bool_()
DAY = pa.date32()
MOMENT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What a table holds.

    Attributes:
        name: ``{layer}_{source or subject}__{what}``.
        schema: columns. A column that may not be missing is not nullable; float64 always may be.
        key: columns that identify a row and give the order of reading.
        mode: ``append_new`` keeps every version of a row and reads the newest (``known_at`` says since when it was
            known); ``replace`` exchanges the written slice as a whole; ``upsert`` exchanges rows of equal key.
        description: one line for people.
        partition_by: only with ``replace``: columns that name a slice. The ``partition`` of a write or a reference
            gives their values joined by ``/``, of the first column alone or of all.
        bookkeeping: columns that say how a row came about; they do not count when contents are compared.
        extra_columns: type of further columns that a frame may bring, None if it may not.
        unique: False where the key only gives the order and equal rows may stand side by side.
        year_of: day or moment of the key by whose year the table is divided on disk, ``""`` for none. A write reads and
            touches only the years that it has rows of.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    mode: Mode
    description: str
    partition_by: tuple[str, ...] = ()
    bookkeeping: tuple[str, ...] = ()
    extra_columns: pa.DataType | None = None
    unique: bool = True
    year_of: str = ""


def _schema(columns: Mapping[str, pa.DataType], optional: tuple[str, ...] = ()) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind, nullable=kind == NUMBER or name in optional) for name, kind in columns.items()]
    )


_COLLECTED = {"payload_hash": TEXT, "vendor": TEXT, "run_id": TEXT, "known_at": MOMENT, "request": TEXT}
_HOW_COLLECTED = ("payload_hash", "run_id", "known_at", "request")
_PRICES = {"open": NUMBER, "high": NUMBER, "low": NUMBER, "close": NUMBER}
_NIGHT_AND_AGENT = {"night": TEXT, "agent": TEXT}
_LANE = {"agent": TEXT, "lane_id": TEXT}


def _raw_tables(vendor: str) -> tuple[TableSpec, ...]:
    return (
        TableSpec(
            name=f"raw_{vendor}__daily_bars",
            schema=_schema(
                {"symbol": TEXT, "asset_class": TEXT, "session_date": DAY}
                | _PRICES
                | {"adj_close": NUMBER, "volume": NUMBER, "dividend": NUMBER, "split": NUMBER}
                | {"price_basis": TEXT, "currency": TEXT, "epoch": COUNT}
                | _COLLECTED
            ),
            key=("symbol", "session_date"),
            mode="append_new",
            # Vendors rewrite the adjusted close of the whole past at each dividend: that revises nothing.
            bookkeeping=("adj_close", *_HOW_COLLECTED),
            year_of="session_date",
            description=f"Daily bars as {vendor} sent them, every version with the moment it became known",
        ),
        TableSpec(
            name=f"raw_{vendor}__macro",
            schema=_schema(
                {"series": TEXT, "reference_date": DAY, "value": NUMBER, "available_date": DAY} | _COLLECTED,
                optional=("available_date",),
            ),
            key=("series", "reference_date", "available_date"),
            mode="append_new",
            bookkeeping=_HOW_COLLECTED,
            year_of="reference_date",
            description=f"Macro observations as {vendor} sent them, every version with the moment it became known",
        ),
    )


def _class_tables(asset_class: AssetClass) -> tuple[TableSpec, ...]:
    return (
        TableSpec(
            name=f"core_{asset_class}__daily_bars",
            schema=_schema(
                {"symbol": TEXT, "session_date": DAY}
                | _PRICES
                | {"volume": NUMBER, "adj_factor": NUMBER, "tradable": FLAG, "flags": TEXT, "vendor": TEXT}
            ),
            key=("symbol", "session_date"),
            mode="replace",
            year_of="session_date",
            description=f"Checked daily bars of {asset_class} with their adjustment factor and the vendor of each",
        ),
        TableSpec(
            name=f"out_{asset_class}__features",
            schema=_schema(
                {"symbol": TEXT, "session_date": DAY, "observed": FLAG, "dollar_volume": NUMBER, "volatility": NUMBER}
            ),
            key=("symbol", "session_date"),
            mode="replace",
            extra_columns=NUMBER,
            description=f"What the {asset_class} agent observes, one further column per feature",
        ),
    )


TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        *(spec for vendor in VENDORS for spec in _raw_tables(vendor)),
        *(spec for asset_class in AssetClass for spec in _class_tables(asset_class)),
        TableSpec(
            name="core_macro__observations",
            schema=_schema({"series": TEXT, "reference_date": DAY, "value": NUMBER, "available_date": DAY}),
            key=("series", "reference_date", "available_date"),
            mode="replace",
            description="Macro observations: every vintage with the first day on which it may be used",
        ),
        TableSpec(
            name="core_market__instruments",
            schema=_schema(
                {"symbol": TEXT, "asset_class": TEXT, "exchange": TEXT, "currency": TEXT, "sector": TEXT}
                | {"name": TEXT, "venue": TEXT, "first_day": DAY, "last_day": DAY},
                optional=("first_day", "last_day"),
            ),
            key=("asset_class", "symbol"),
            mode="replace",
            partition_by=("asset_class",),
            description="Every instrument that was asked for, with the first and last day of its listing",
        ),
        TableSpec(
            name="core_market__corporate_actions",
            schema=_schema(
                {
                    "asset_class": TEXT,
                    "symbol": TEXT,
                    "ex_date": DAY,
                    "kind": TEXT,
                    "ratio": NUMBER,
                    "evidence": TEXT,
                    "source": TEXT,
                }
            ),
            key=("asset_class", "symbol", "ex_date", "kind"),
            mode="replace",
            partition_by=("asset_class",),
            description="Splits, consolidations and demergers behind the adjustment factors",
        ),
        TableSpec(
            name="core_market__coverage",
            schema=_schema(
                {
                    "asset_class": TEXT,
                    "symbol": TEXT,
                    "first_session": DAY,
                    "last_session": DAY,
                    "expected_sessions": COUNT,
                    "observed_sessions": COUNT,
                    "missing_sessions": COUNT,
                    "delisted_on": DAY,
                },
                optional=("first_session", "last_session", "delisted_on"),
            ),
            key=("asset_class", "symbol"),
            mode="replace",
            partition_by=("asset_class",),
            description="Sessions that each symbol should have and has",
        ),
        TableSpec(
            name="core_quality__quarantine",
            schema=_schema(
                {
                    "asset_class": TEXT,
                    "symbol": TEXT,
                    "session_date": DAY,
                    "rule": TEXT,
                    "column": TEXT,
                    "value": TEXT,
                    "reason": TEXT,
                },
                optional=("session_date",),
            ),
            key=("asset_class", "symbol", "session_date", "rule", "column", "value", "reason"),
            mode="replace",
            partition_by=("asset_class",),
            unique=False,
            description="Raw rows that curation refused, with the rule and the reason",
        ),
        TableSpec(
            name="core_quality__disagreements",
            schema=_schema(
                {"asset_class": TEXT, "symbol": TEXT, "session_date": DAY, "column": TEXT}
                | {"vendor": TEXT, "value": NUMBER, "other_vendor": TEXT, "other_value": NUMBER}
                | {"relative_difference": NUMBER}
            ),
            key=("asset_class", "symbol", "session_date", "column", "vendor", "other_vendor"),
            mode="replace",
            partition_by=("asset_class",),
            description="Bars on which two vendors differ beyond the tolerance; the first one's value stands",
        ),
        TableSpec(
            name="core_quality__fetches",
            schema=_schema(
                {"vendor": TEXT, "dataset": TEXT, "group": TEXT, "symbol": TEXT}
                | {"requested_from": DAY, "requested_to": DAY}
                | {"outcome": TEXT, "reason": TEXT, "rows": COUNT, "first_date": DAY, "last_date": DAY}
                | {"epoch": COUNT, "payload_hash": TEXT, "request": TEXT}
                | {"run_id": TEXT, "night": TEXT, "known_at": MOMENT},
                optional=("first_date", "last_date"),
            ),
            key=("vendor", "dataset", "symbol", "known_at", "requested_from"),
            mode="upsert",
            year_of="known_at",
            description="The ledger: every answer of a vendor, for what it was asked and how it ended",
        ),
        TableSpec(
            name="core_quality__refused",
            schema=_schema(
                {"vendor": TEXT, "dataset": TEXT, "group": TEXT, "symbol": TEXT, "session_date": DAY}
                | {"rule": TEXT, "column": TEXT, "value": TEXT, "reason": TEXT, "known_at": MOMENT},
                optional=("session_date",),
            ),
            key=("vendor", "dataset", "symbol", "known_at", "session_date", "rule", "column", "value"),
            mode="upsert",
            unique=False,
            year_of="known_at",
            description="What of an answer could not be stored as raw rows: unreadable cells, repeated dates",
        ),
        TableSpec(
            name="core_quality__outcomes",
            schema=_schema(
                {
                    "run_id": TEXT,
                    "night": TEXT,
                    "vendor": TEXT,
                    "symbol": TEXT,
                    "asset_class": TEXT,
                    "outcome": TEXT,
                    "reason": TEXT,
                    "rows": COUNT,
                    "first_date": DAY,
                    "last_date": DAY,
                },
                optional=("first_date", "last_date"),
            ),
            key=("night", "run_id", "vendor", "symbol"),
            mode="upsert",
            description="How the collection of each symbol ended in each run, and why",
        ),
        TableSpec(
            name="out_training__curves",
            schema=_schema(
                _NIGHT_AND_AGENT
                | {"seed": COUNT, "kept": FLAG}
                | {"iteration": COUNT, "env_steps": COUNT, "metric": TEXT, "value": NUMBER}
            ),
            key=("night", "agent", "seed", "metric", "iteration"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Learning curves of every seed; `kept` marks the one whose policy was taken",
        ),
        TableSpec(
            name="out_backtest__daily_equity",
            schema=_schema(
                _NIGHT_AND_AGENT
                | {"strategy": TEXT, "session_date": DAY, "equity": NUMBER, "return": NUMBER}
                | {"turnover": NUMBER, "cost": NUMBER, "gross": NUMBER}
            ),
            key=("night", "agent", "strategy", "session_date"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Equity of each agent and baseline per session of the held-out window",
        ),
        TableSpec(
            name="out_backtest__weights",
            schema=_schema(
                _NIGHT_AND_AGENT | {"strategy": TEXT, "session_date": DAY, "symbol": TEXT, "weight": NUMBER}
            ),
            key=("night", "agent", "strategy", "session_date", "symbol"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Weights held per session of the held-out window",
        ),
        TableSpec(
            name="out_backtest__metrics",
            schema=_schema(_NIGHT_AND_AGENT | {"strategy": TEXT, "kind": TEXT, "metric": TEXT, "value": NUMBER}),
            key=("night", "agent", "strategy", "kind", "metric"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Return, Sharpe ratio, drawdown and so on, one row per figure",
        ),
        TableSpec(
            name="out_backtest__trades",
            schema=_schema(
                _NIGHT_AND_AGENT
                | {"strategy": TEXT, "sequence": COUNT, "session_date": DAY, "symbol": TEXT, "side": TEXT}
                | {"units": NUMBER, "price": NUMBER, "value": NUMBER}
                | {"commission": NUMBER, "spread": NUMBER, "impact": NUMBER}
                | {"position": NUMBER, "realised": NUMBER}
            ),
            key=("night", "agent", "strategy", "sequence"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Every trade of candidate and champion in the held-out window, with its costs and profit taken",
        ),
        TableSpec(
            name="out_promotion__decisions",
            schema=_schema(
                {
                    "night": TEXT,
                    "decision_id": TEXT,
                    "agent": TEXT,
                    "candidate_version": TEXT,
                    "champion_version": TEXT,
                    "outcome": TEXT,
                    "reason": TEXT,
                    "numbers": TEXT,
                    "decided_at": MOMENT,
                    "decided_by": TEXT,
                }
            ),
            key=("night", "decision_id"),
            mode="upsert",
            bookkeeping=("decided_at",),
            description="Every decision of the promotion gate with its figures (JSON) and reason",
        ),
        TableSpec(
            name="out_promotion__trials",
            schema=_schema(
                {"agent": TEXT, "lane": TEXT, "lane_id": TEXT, "kind": TEXT, "night": TEXT, "as_of": DAY}
                | {"seed": COUNT, "bundle_hash": TEXT, "scored_on": TEXT, "first_date": DAY, "last_date": DAY}
                | {"sessions": COUNT, "sharpe": NUMBER, "skewness": NUMBER, "kurtosis": NUMBER, "known_at": MOMENT}
            ),
            key=("agent", "lane_id", "kind", "night", "seed", "bundle_hash", "scored_on"),
            mode="append_new",
            bookkeeping=("known_at",),
            description="The ledger: every candidate that was ever scored on history, seeds and tuning trials included",
        ),
        TableSpec(
            name="out_promotion__evidence",
            schema=_schema(
                {"agent": TEXT, "lane_id": TEXT, "champion_lane_id": TEXT, "as_of": DAY, "night": TEXT, "state": TEXT}
                | {"sessions": COUNT, "log_e": NUMBER, "log_e_reversed": NUMBER, "drawdown": NUMBER}
                | {"p_value": NUMBER, "alpha": NUMBER, "known_at": MOMENT}
            ),
            key=("agent", "champion_lane_id", "lane_id", "as_of"),
            mode="upsert",
            bookkeeping=("known_at", "night"),
            description="What each night knew of a lane against the champion's: history and forward evidence",
        ),
        TableSpec(
            name="out_lanes__orders",
            schema=_schema(
                _LANE
                | {"as_of": DAY, "symbol": TEXT, "target_weight": NUMBER, "bundle_hash": TEXT}
                | {"night": TEXT, "known_at": MOMENT}
            ),
            key=("agent", "lane_id", "as_of", "symbol"),
            mode="upsert",
            bookkeeping=("known_at", "night"),
            description="What each lane decided after a session's close, for its paper account at the next open",
        ),
        TableSpec(
            name="out_lanes__paper",
            schema=_schema(
                _LANE
                | {"session_date": DAY, "equity": NUMBER, "return": NUMBER, "cash_return": NUMBER}
                | {"turnover": NUMBER, "cost": NUMBER, "gross": NUMBER, "bundle_hash": TEXT}
                | {"night": TEXT, "known_at": MOMENT}
            ),
            key=("agent", "lane_id", "session_date"),
            mode="upsert",
            bookkeeping=("known_at", "night"),
            description="Paper accounts, one row per lane and session after its first orders; rows are never changed",
        ),
        TableSpec(
            name="out_lanes__walk_forward",
            schema=_schema(
                _LANE
                | {"fold": TEXT, "session_date": DAY, "return": NUMBER, "cash_return": NUMBER}
                | {"turnover": NUMBER, "cost": NUMBER, "gross": NUMBER, "return_double_cost": NUMBER}
            ),
            key=("agent", "lane_id", "fold", "session_date"),
            mode="replace",
            partition_by=("agent", "lane_id", "fold"),
            description="History of each lane and baseline: out-of-sample returns of the fold's own training",
        ),
        TableSpec(
            name="out_lanes__folds",
            schema=_schema(
                _LANE
                | {"fold": TEXT, "kind": TEXT, "train_first": DAY, "train_last": DAY, "test_first": DAY}
                | {"test_last": DAY, "weights_hash": TEXT, "inputs_hash": TEXT, "seeds": COUNT, "known_at": MOMENT},
                optional=("train_first", "train_last"),
            ),
            key=("agent", "lane_id", "fold"),
            mode="upsert",
            bookkeeping=("known_at",),
            description="What each fold of the walk-forward was trained and tested on",
        ),
        TableSpec(
            name="out_analysis__simulations",
            schema=_schema(
                _NIGHT_AND_AGENT
                | {"method": TEXT, "scenario": TEXT, "metric": TEXT, "session": COUNT, "quantile": TEXT}
                | {"value": NUMBER}
            ),
            key=("night", "agent", "method", "scenario", "metric", "session", "quantile"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Monte Carlo: quantiles of equity per session (fans) and of metrics (session -1) per scenario",
        ),
        TableSpec(
            name="out_analysis__attribution",
            schema=_schema(
                _NIGHT_AND_AGENT | {"strategy": TEXT, "dimension": TEXT, "name": TEXT, "contribution": NUMBER}
            ),
            key=("night", "agent", "strategy", "dimension", "name"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Where the held-out window's result came from; the parts of a dimension add up to the whole",
        ),
        TableSpec(
            name="out_drift__figures",
            schema=_schema(
                _NIGHT_AND_AGENT
                | {"kind": TEXT, "name": TEXT, "value": NUMBER, "threshold": NUMBER, "alarm": FLAG, "text": TEXT}
            ),
            key=("night", "agent", "kind", "name"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Drift of features, performance and positions of the champions, with thresholds",
        ),
        TableSpec(
            name="out_portfolio__signals",
            schema=_schema(
                {"night": TEXT, "as_of": DAY, "agent": TEXT, "model_version": TEXT}
                | {"symbol": TEXT, "target_weight": NUMBER}
            ),
            key=("night", "agent", "symbol"),
            mode="replace",
            partition_by=("night", "agent"),
            description="Target weights for the next session",
        ),
        TableSpec(
            name="out_runs__receipts",
            schema=_schema(
                {"night": TEXT, "stage": TEXT, "item": TEXT, "status": TEXT, "inputs_hash": TEXT}
                | {"receipt": TEXT, "message": TEXT, "run_id": TEXT, "finished_at": MOMENT}
            ),
            key=("night", "stage", "item"),
            mode="upsert",
            bookkeeping=("run_id", "finished_at"),
            description="What each stage left behind for each item (JSON), found again by its inputs, or why it failed",
        ),
    )
}
