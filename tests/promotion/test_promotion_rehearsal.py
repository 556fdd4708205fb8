"""A year of nights on hand-made accounts: who becomes champion, who never does, and what a night may know."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from promotion_samples import RISK, RULES, card, champion

from wealtharena.core.errors import PromotionError, SettingsError
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification import simulate
from wealtharena.promotion import DecisionOutcome, GateInputs, Kind, LaneInputs, Record, State
from wealtharena.promotion.rehearsal import (
    NIGHTS,
    Calendar,
    Course,
    WorldOutcome,
    as_market,
    rehearse,
    summarise,
)
from wealtharena.promotion.rehearsal.summary import probability_of_as_many
from wealtharena.promotion.simulation import Rate

OWN, CASH, HOLD = "ppo", "baseline:cash", "baseline:equal_weight"
FIRST_NIGHT = date(2024, 6, 28)
HISTORY = np.busday_offset("2020-01-01", np.arange(1_305), roll="forward")  # five years, the last one still runs
WEEK = 7  # sessions between two nights, which divide the year
PAPER = np.busday_offset("2024-07-01", np.arange(NIGHTS))


def returns(seed: int, sessions: int, sharpe: float) -> FloatArray:
    """1 % a session with exactly this annual Sharpe ratio in every quarter."""
    drawn = np.random.default_rng(seed).normal(size=(-(-sessions // 63), 63))
    scaled = (drawn - drawn.mean(axis=1, keepdims=True)) / drawn.std(axis=1, keepdims=True)
    return np.asarray(0.01 * (scaled + sharpe / np.sqrt(252)).ravel()[:sessions])


def account(name: str, history: float, paper: float, **changes: Any) -> LaneInputs:
    """A lane with these Sharpe ratios in history and on paper."""
    seed = sum(name.encode())
    kind = Kind.BASELINE if name.startswith("baseline:") else Kind.POLICY
    own = card(name=name, kind=kind, bundle_hash="" if kind is Kind.BASELINE else "only")
    lane = LaneInputs(
        lane_id=name,
        name=name,
        kind=kind,
        history=Record(HISTORY, returns(seed, HISTORY.size, history)),
        paper=Record(PAPER, returns(seed + 1, PAPER.size, paper)),
        card=own,
        card_double_cost=own,
    )
    return replace(lane, **changes)


def idle() -> LaneInputs:
    flat = card(np.nan, 0.0, 0.0, 0.0, name="cash", kind=Kind.BASELINE, returns=np.zeros(252))
    nothing, no_return = account(CASH, 0.0, 0.0, card=flat, card_double_cost=flat), np.zeros(HISTORY.size)
    return replace(nothing, history=Record(HISTORY, no_return), paper=Record(PAPER, no_return[:NIGHTS]))


def night(*lanes: LaneInputs, **changes: Any) -> GateInputs:
    return GateInputs(**{"agent": "ppo", "own_lane": OWN, "as_of": FIRST_NIGHT, "lanes": lanes, "seed": 3, **changes})


def course(*lanes: LaneInputs, every: int = WEEK, **changes: Any) -> Course:
    return rehearse(night(*lanes, **changes), RULES, RISK, every=every)


SERVING_CASH = champion(CASH, card=idle().card, since=FIRST_NIGHT)


def test_an_edge_that_history_proves_is_champion_from_the_first_night_and_confirmed_by_the_next_sessions() -> None:
    found = course(account(OWN, 3.0, 4.0), idle())
    assert found.promoted == 0
    assert found.decisions[0].serving.state is State.UNPROVEN
    assert found.confirmed is not None and found.confirmed > 42
    assert set(found.served) == {OWN} and len(found.served) == NIGHTS
    assert found.rolled_back is None


def test_a_challenger_of_cash_takes_over_with_both_keys() -> None:
    found = course(account(OWN, 3.0, 4.0), idle(), champion=SERVING_CASH)
    assert found.promoted is not None and found.promoted >= RULES.min_sessions
    decision = found.decisions[found.nights.index(found.promoted)]
    assert (decision.outcome, decision.serving.state) == (DecisionOutcome.PROMOTED, State.PROVISIONAL)
    assert found.served == (CASH,) * found.promoted + (OWN,) * (NIGHTS - found.promoted)


@pytest.mark.parametrize(("history", "paper"), [(0.0, 4.0), (3.0, -0.5), (0.0, 0.0)])
def test_one_key_alone_opens_nothing(history: float, paper: float) -> None:
    found = course(account(OWN, history, paper), idle(), champion=SERVING_CASH)
    assert found.promoted is None
    assert set(found.served) == {CASH}


def test_noise_is_not_promoted() -> None:
    for seed in range(8):
        noise = np.random.default_rng(seed)
        history, paper = (Record(days, 0.01 * noise.normal(size=days.size)) for days in (HISTORY, PAPER))
        own = replace(account(OWN, 0.0, 0.0), history=history, paper=paper)
        assert course(own, idle()).promoted is None


def test_a_champion_that_fails_gives_the_place_back_and_the_one_before_serves() -> None:
    found = course(account(OWN, 3.0, -5.0), idle())
    assert found.promoted == 0
    assert found.rolled_back is not None
    assert found.confirmed is None
    assert found.served[found.rolled_back - 1] == OWN
    assert set(found.served[found.rolled_back :]) == {CASH}


@pytest.mark.parametrize("serving", [None, SERVING_CASH])
def test_a_policy_that_yields_nan_never_serves(serving: Any) -> None:
    broken = card(np.nan, name=OWN, finite=False, bundle_hash="only")
    found = course(
        account(OWN, 3.0, 4.0, card=broken, card_double_cost=broken), account(HOLD, 0.1, 0.0), champion=serving
    )
    assert found.promoted is None
    assert OWN not in found.served


def test_a_year_of_history_counts_once_it_is_complete() -> None:
    """The second key is open in September; the only year of history ends in December."""
    this_year = np.datetime64("2024-01-01") <= HISTORY
    own, cash = account(OWN, 3.0, 4.0), idle()
    lanes = (replace(one, history=Record(HISTORY[this_year], one.history.returns[this_year])) for one in (own, cash))
    found = course(*lanes, champion=SERVING_CASH)
    assert found.promoted is not None
    assert PAPER[found.promoted - 1] >= np.datetime64("2025-01-01") > PAPER[found.promoted - 1 - WEEK]


@pytest.mark.parametrize("known", [0, 9 * WEEK, 20 * WEEK])
def test_no_decision_depends_on_what_comes_after_it(known: int) -> None:
    own, hold = account(OWN, 1.5, 4.0), account(HOLD, 0.3, -1.0)
    other = np.concatenate([own.paper.returns[:known], returns(99, NIGHTS - known, -8.0)])
    after = replace(own, paper=Record(PAPER, other))
    one, two = (course(lane, hold, idle()).decisions[: known // WEEK + 1] for lane in (own, after))
    assert [decision.as_record() for decision in one] == [decision.as_record() for decision in two]


def test_between_two_nights_the_champion_stays() -> None:
    found = course(account(OWN, 3.0, 4.0), idle(), champion=SERVING_CASH, every=30)
    assert found.nights == tuple(range(0, NIGHTS, 30))
    assert found.promoted is not None and found.promoted % 30 == 0
    assert found.served.index(OWN) == found.promoted


def test_without_an_account_on_paper_there_is_nothing_to_rehearse() -> None:
    with pytest.raises(PromotionError, match="a lane must trade on paper after 2024-06-28"):
        course(replace(idle(), paper=Record.none()))


def test_the_nights_begin_in_the_middle_of_a_year_and_cross_its_end() -> None:
    calendar = Calendar(5)
    assert calendar.first_night == date(2011, 6, 30)
    assert calendar.dates[0] == np.datetime64("2000-01-03")
    assert calendar.dates[calendar.known] == np.datetime64("2011-07-01")
    assert calendar.dates.size == calendar.known + NIGHTS
    assert np.is_busday(calendar.dates).all()
    with pytest.raises(SettingsError, match="years must be at least 1, got 0"):
        Calendar(0)


def test_a_world_becomes_a_market_of_full_size() -> None:
    world = simulate("M0", 1, 2.0)
    dates = Calendar(1).dates[: len(world.panel.dates)]
    market = as_market(world, dates)
    small, full = (panel.close / panel.open - 1.0 for panel in (world.panel, market))
    assert full == pytest.approx(100.0 * small, rel=1e-9)
    assert market.open[1:] == pytest.approx(market.close[:-1])
    assert np.allclose(market.volatility, 0.01)
    assert market.costs.columns()[0] == pytest.approx(100.0 * world.panel.costs.columns()[0])
    assert np.array_equal(market.features, world.panel.features) and np.array_equal(market.dates, dates)


def outcome(seed: int, promoted: int | None = None, served: float = 0.0) -> WorldOutcome:
    return WorldOutcome(seed, promoted, None, None, "cash", "", served, 0.5, 1.0, 0.4)


def test_worlds_are_counted_and_averaged() -> None:
    found = summarise("M3b", [outcome(1, 0, 1.0), outcome(2, 60, 2.0), outcome(3)], 0.05)
    assert found.promoted == Rate(2, 3)
    assert (found.rolled_back, found.median_session) == (Rate(0, 2), 30.0)
    assert found.served.value == pytest.approx(1.0)
    assert found.served.standard_error == pytest.approx(1.0 / np.sqrt(3))
    assert found.kept
    record = found.as_record()
    assert record["promoted"]["count"] == 2 and len(record["worlds"]) == 3


def test_most_worlds_with_an_edge_must_promote() -> None:
    assert not summarise("M3b", [outcome(1, 0), outcome(2)], 0.05).kept


@pytest.mark.parametrize(("promoted", "kept"), [(0, True), (4, True), (5, False)])
def test_where_there_is_nothing_to_find_promotions_must_be_explained_by_the_stated_rate(
    promoted: int, kept: bool
) -> None:
    """Of 40 worlds at 5 %, four or more have a probability of 13.8 %, five or more of 4.8 %."""
    worlds = [outcome(seed, 0 if seed < promoted else None) for seed in range(40)]
    for market in ("M0", "M6"):
        assert summarise(market, worlds, 0.05).kept is kept


def test_binomial_tails_are_exact() -> None:
    assert probability_of_as_many(Rate(0, 40), 0.05) == 1.0
    assert probability_of_as_many(Rate(4, 40), 0.05) == pytest.approx(0.1381, abs=1e-4)
    assert probability_of_as_many(Rate(5, 40), 0.05) == pytest.approx(0.0480, abs=1e-4)
    assert probability_of_as_many(Rate(2, 2), 0.5) == pytest.approx(0.25)


def test_no_world_has_no_summary() -> None:
    with pytest.raises(SettingsError, match="at least one world"):
        summarise("M0", [], 0.05)
