"""A past-dated run gives the same bits whatever became known later: from stored versions to features."""

from dataclasses import dataclass
from functools import cache

import pandas as pd
from collected_history import INSTRUMENTS, SESSIONS, Collected, collect, night
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.curation import curate_bars, curate_macro, merge_vendors, visible_bars, visible_macro
from wealtharena.indicators import compute_features
from wealtharena.settings import CurationSettings

NAMES = ("rsi_14", "macd_line", "volatility_21", "volume_z_63", "obv_21", "range_volatility_21", "momentum_rank")
ORDER = ("yahoo", "alpha_vantage")
SEED = 11
LATEST = pd.Timestamp("2030-01-01", tz="UTC")

stored = cache(collect)


@dataclass(frozen=True)
class _Run:
    frames: dict[str, pd.DataFrame]

    def must_equal(self, other: "_Run") -> None:
        for name, frame in self.frames.items():
            pd.testing.assert_frame_equal(frame, other.frames[name], check_exact=True, obj=name)


def run_night(collected: Collected, place: int, known_at: pd.Timestamp) -> _Run:
    """Features of the night after a session and all that led to them."""
    as_of = SESSIONS[place].date()
    visible = visible_bars(collected.bars, collected.fetches, INSTRUMENTS, as_of, known_at)
    merged = merge_vendors(visible, INSTRUMENTS, ORDER, 0.01)
    curated = curate_bars(merged.bars, INSTRUMENTS, merged.price_basis, CurationSettings(), as_of, known_actions=())
    macro = visible_macro(collected.macro, collected.fetches, as_of, known_at).rename(columns={"series": "symbol"})
    observations = curate_macro(macro, {}, as_of).observations
    features = compute_features(curated.bars, observations, NAMES)
    return _Run(
        {
            "features": features,
            "bars": curated.bars,
            "actions": curated.actions,
            "quarantine": curated.quarantine,
            "disagreements": merged.disagreements,
            "coverage": curated.coverage,
        }
    )


def check(collected: Collected, place: int) -> None:
    """The night after a session, past-dated, with everything in the warehouse and with only what it needs."""
    known_at = _two_days_after(place)
    whole = run_night(collected, place, known_at)
    assert len(whole.frames["bars"]) and whole.frames["bars"]["session_date"].max() <= SESSIONS[place]
    whole.must_equal(run_night(collected.until(max(known_at, _collected_by(collected, place))), place, known_at))


def _two_days_after(place: int) -> pd.Timestamp:
    return pd.Timestamp(SESSIONS[place], tz="UTC") + pd.Timedelta(days=2)


def _collected_by(collected: Collected, place: int) -> pd.Timestamp:
    """End of the run by which every symbol and series had been collected up to a session."""
    good = collected.fetches[collected.fetches["outcome"] == "rows"]
    covering = good[good["requested_to"] >= SESSIONS[place]]
    last_run = covering.groupby("symbol")["known_at"].min().max()
    return night(int(SESSIONS.searchsorted(last_run.tz_localize(None).normalize())), minutes=59)


@settings(max_examples=8)
@given(seed=st.integers(0, 3), place=st.integers(66, len(SESSIONS) - 1))
def test_a_past_dated_night_is_the_same_at_random_cuts(seed: int, place: int) -> None:
    check(stored(seed), place)


def test_a_past_dated_night_is_the_same_beside_every_gap_split_revision_and_release() -> None:
    collected = stored(SEED)
    assert collected.bars["epoch"].max() > 0 and len(collected.marked) > 10
    for place in collected.marked:
        check(collected, place)


def test_letting_later_knowledge_in_would_be_noticed() -> None:
    collected = stored(SEED)
    place = collected.marked[len(collected.marked) // 2]
    honest, leaking = (run_night(collected, place, moment) for moment in (_two_days_after(place), LATEST))
    assert not honest.frames["bars"].equals(leaking.frames["bars"])
    assert not honest.frames["features"].equals(leaking.frames["features"])


def test_the_nights_hold_stand_ins_splits_and_dividends() -> None:
    last = run_night(stored(SEED), len(SESSIONS) - 1, LATEST).frames
    assert (last["bars"]["vendor"] == "alpha_vantage").any()
    assert not last["bars"]["flags"].str.contains("unexplained_jump").any()
    assert last["bars"]["adj_factor"].nunique() > 2 and last["features"]["observed"].any()
