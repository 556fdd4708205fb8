"""What a frame must be to be stored, and what its hash stands for."""

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.rows import changed_rows, content_hash, fit_rows, newest_rows
from warehouse.tables import TABLES
from wealtharena.core.errors import WarehouseError

BARS = TABLES["raw_files__daily_bars"]
FEATURES = TABLES["out_stocks__features"]
RawBars = Callable[..., pd.DataFrame]

closes = st.dictionaries(
    st.tuples(
        st.sampled_from(["AAA", "BBB", "Ünïcode.AX"]), st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-05"])
    ),
    st.floats(allow_nan=True, allow_infinity=True),
    max_size=9,
)


def test_rows_come_in_key_order_with_days_as_dates_and_nan_as_null(raw_bars: RawBars) -> None:
    frame = raw_bars({("BBB", "2026-01-01"): 1.0, ("AAA", "2026-01-02"): float("nan"), ("AAA", "2026-01-01"): 3.0})
    rows = fit_rows(BARS, frame)
    assert rows["symbol"].to_pylist() == ["AAA", "AAA", "BBB"]
    assert rows["session_date"].to_pylist() == [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 1)]
    assert rows["close"].to_pylist() == [3.0, None, 1.0]
    assert rows.schema == BARS.schema


def test_pandas_and_arrow_frames_of_equal_content_have_equal_hashes(raw_bars: RawBars) -> None:
    frame = raw_bars({("AAA", "2026-01-01"): float("nan"), ("BBB", "2026-01-01"): 2.0})
    arrow = pa.table({name: frame[name].to_numpy() if name == "close" else frame[name] for name in frame.columns})
    assert np.isnan(arrow["close"][0].as_py())
    assert content_hash(BARS, fit_rows(BARS, arrow)) == content_hash(BARS, fit_rows(BARS, frame))


@settings(max_examples=25)
@given(content=closes, seed=st.integers(0, 2**32 - 1))
def test_hash_does_not_depend_on_the_order_of_rows_and_columns(
    content: dict[tuple[str, str], float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frame = _bars(content)
    shuffled = frame.iloc[rng.permutation(len(frame))][list(rng.permutation(frame.columns))]
    assert content_hash(BARS, fit_rows(BARS, frame)) == content_hash(BARS, fit_rows(BARS, shuffled))


@settings(max_examples=25)
@given(content=closes.filter(bool), data=st.data())
def test_hash_changes_with_a_value_and_not_with_bookkeeping(
    content: dict[tuple[str, str], float], data: st.DataObject
) -> None:
    frame = _bars(content)
    before = content_hash(BARS, fit_rows(BARS, frame))
    kept = frame.assign(run_id="other", payload_hash="other", known_at=pd.Timestamp("2031-01-01", tz="UTC"))
    assert content_hash(BARS, fit_rows(BARS, kept)) == before
    row = data.draw(st.integers(0, len(frame) - 1))
    other = frame.assign(close=np.where(np.arange(len(frame)) == row, 123.25, frame["close"]))
    is_same = frame["close"].iloc[row] == 123.25
    assert (content_hash(BARS, fit_rows(BARS, other)) == before) == is_same


def test_a_gap_is_not_zero_and_neighbouring_texts_do_not_run_together(raw_bars: RawBars) -> None:
    def hashed(content: dict[tuple[str, str], float]) -> str:
        return content_hash(BARS, fit_rows(BARS, raw_bars(content)))

    assert hashed({("A", "2026-01-01"): float("nan")}) != hashed({("A", "2026-01-01"): 0.0})
    one = hashed({("AB", "2026-01-01"): 1.0, ("C", "2026-01-01"): 1.0})
    assert one != hashed({("A", "2026-01-01"): 1.0, ("BC", "2026-01-01"): 1.0})


@settings(max_examples=25)
@given(old=closes, new=closes)
def test_changed_rows_are_those_with_a_new_key_or_another_value(
    old: dict[tuple[str, str], float], new: dict[tuple[str, str], float]
) -> None:
    found = changed_rows(BARS, fit_rows(BARS, _bars(old)), fit_rows(BARS, _bars(new)))
    expected = {key for key, value in new.items() if key not in old or not _same(old[key], value)}
    keys = zip(found["symbol"].to_pylist(), found["session_date"].to_pylist(), strict=True)
    assert {(symbol, day.isoformat()) for symbol, day in keys} == expected


def test_newest_rows_take_the_latest_moment_of_each_key(raw_bars: RawBars) -> None:
    moments = pd.to_datetime(["2026-01-05", "2026-01-07", "2026-01-06"], utc=True)
    frames = [raw_bars({("AAA", "2026-01-01"): float(n)}, known_at=moment) for n, moment in enumerate(moments)]
    rows = pa.concat_tables([fit_rows(BARS, frame) for frame in frames])
    assert newest_rows(BARS, rows)["close"].to_pylist() == [1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="close"), "columns symbol, .* are needed, missing close"),
        (lambda f: f.assign(extra=1.0), "only columns symbol, .* are known, got extra"),
        (lambda f: pd.concat([f, f["close"]], axis=1), "each column must be there once, got close repeatedly"),
        (lambda f: f.assign(symbol=[None, "B"]), "column `symbol` may not be missing, got no value in row 0 of 2"),
        (lambda f: f.assign(session_date=[pd.NaT, pd.NaT]), "column `session_date` may not be missing"),
        (lambda f: f.assign(symbol=7), "column `symbol` must be string, got int64"),
        (lambda f: f.assign(close=["1.5", "2"]), "column `close` must be double, got large_string"),
        (lambda f: f.assign(close=[1.5, "x"]), "column `close` must be double: Could not convert 'x'"),
        (lambda f: f.assign(session_date="2026-01-01"), "column `session_date` must be date32"),
        (
            lambda f: f.assign(session_date=pd.Timestamp("2026-01-01 09:30")),
            "must hold days at midnight, got 2026-01-01 09:30:00",
        ),
        (
            lambda f: f.assign(session_date=pd.Timestamp("2026-01-01", tz="Australia/Sydney")),
            "a moment needs a time zone and a day must have none",
        ),
        (lambda f: f.assign(known_at=datetime(2026, 1, 1)), "a moment needs a time zone"),  # noqa: DTZ001
        (
            lambda f: pd.concat([f, f.iloc[[1]].assign(close=9.0)]),
            "one row per symbol, session_date, got 1 more, the first for symbol BBB, session_date 2026-01-01",
        ),
    ],
)
def test_a_frame_that_breaks_a_rule_is_refused_by_name(
    raw_bars: RawBars, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    frame = raw_bars({("AAA", "2026-01-01"): 1.0, ("BBB", "2026-01-01"): 2.0})
    with pytest.raises(WarehouseError, match=f"table raw_files__daily_bars: .*{message}"):
        fit_rows(BARS, change(frame))


def test_categories_enum_members_and_date_objects_fit(features: pd.DataFrame) -> None:
    frame = features.assign(
        symbol=features["symbol"].astype("category"), session_date=features["session_date"].dt.date.astype(object)
    )
    assert fit_rows(FEATURES, frame).equals(fit_rows(FEATURES, features))


def test_further_columns_are_welcome_only_where_the_table_is_open(features: pd.DataFrame) -> None:
    rows = fit_rows(FEATURES, features.assign(carry=np.float32(0.5)))
    assert rows.schema.field("carry").type == pa.float64()
    with pytest.raises(WarehouseError, match="column `note` must be double"):
        fit_rows(FEATURES, features.assign(note="text"))


def test_equal_rows_may_stand_side_by_side_only_where_the_key_is_no_identity() -> None:
    spec = TABLES["core_quality__quarantine"]
    row = {"asset_class": "stocks", "symbol": "A", "session_date": pd.NaT, "rule": "text in a number"}
    frame = pd.DataFrame([row | {"column": "close", "value": "n/a", "reason": "not a number"}] * 2)
    frame["session_date"] = frame["session_date"].astype("datetime64[us]")
    assert fit_rows(spec, frame).num_rows == 2


def _bars(content: dict[tuple[str, str], float]) -> pd.DataFrame:
    frame = pd.DataFrame(index=range(len(content)))
    texts = ("asset_class", "price_basis", "currency", "payload_hash", "vendor", "run_id", "request")
    numbers = ("open", "high", "low", "adj_close", "volume", "dividend", "split")
    return frame.assign(
        **dict.fromkeys(texts, "x"),
        **dict.fromkeys(numbers, 1.0),
        epoch=0,
        symbol=pd.Series([symbol for symbol, _ in content], dtype=object),
        session_date=pd.to_datetime([day for _, day in content]),
        close=np.array(list(content.values()), dtype=float),
        known_at=pd.Timestamp("2026-01-06", tz="UTC"),
    )


def _same(one: float, other: float) -> bool:
    return one == other or (np.isnan(one) and np.isnan(other))
