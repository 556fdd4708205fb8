"""No target is beyond a limit, and each flag is set exactly when its limit bound."""

import math
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pytest
from execution_markets import Path, costs, panel, random_market, random_rules, random_walk, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import Limit, TradingRules, market_arrays
from wealtharena.execution.kernel import CHANGES, SCORES, WEIGHTS

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from((SCORES, WEIGHTS, CHANGES))
TOLERANCE = 1e-5  # risk is replayed in single precision
PLACED = Limit.LOCKED | Limit.UNFILLED | Limit.PARTICIPATION  # what the market, not the rules, limits


def flags_of(path: Path, session: int = 0) -> Limit:
    return Limit(int(path.limits[session]))


def measured(weights: FloatArray, past: FloatArray, account_rules: TradingRules) -> dict[str, float]:
    """What a book (A,) is, by name of the rule that limits it; ``past``: (T, A) returns up to the decision."""
    book = np.nan_to_num(weights)
    found = {
        "max_weight": float(np.abs(book).max()),
        "max_gross": float(np.abs(book).sum()),
        "max_net": float(abs(book.sum())),
        "concentrated": float((book**2).sum()),
    }
    window = past[-account_rules.risk_window :]
    if len(window) >= 21:
        earned = window @ book
        size = max(1, math.ceil((1.0 - account_rules.risk_confidence) * len(earned) - 1e-9))
        tail = np.sort(earned)[:size]
        found["max_volatility"] = float(earned.std(ddof=1) * np.sqrt(252))
        found["max_var"] = float(-tail[-1])
        found["max_cvar"] = float(-tail.mean())
    return found


def limits_of(account_rules: TradingRules) -> dict[str, float]:
    """The limits that are on, by name."""
    names = ("max_weight", "max_gross", "max_net", "max_volatility", "max_var", "max_cvar")
    given_limits = {name: getattr(account_rules, name) for name in names}
    most = account_rules.max_gross**2 / account_rules.min_effective_positions
    return {name: limit for name, limit in given_limits.items() if limit is not None} | {"concentrated": most}


def excess(weights: FloatArray, past: FloatArray, account_rules: TradingRules) -> dict[str, float]:
    """Limits that a book breaks, with what it is."""
    found = measured(weights, past, account_rules)
    limits = limits_of(account_rules)
    return {name: found[name] for name in limits if found.get(name, 0.0) > limits[name] * (1 + TOLERANCE) + 1e-9}


def wanted_by(rng: np.random.Generator, sessions: int, assets: int, mode: int) -> FloatArray:
    decisions: FloatArray = rng.normal(0.0, rng.choice([0.2, 1.0]), (sessions, assets))
    if mode == WEIGHTS:
        decisions[rng.random(decisions.shape) < 0.1] = np.nan
    return decisions


def past_of(market: MarketPanel, session: int) -> FloatArray:
    """(session, A) returns known when the decision of the session (0 is the first) is made."""
    known: FloatArray = market_arrays(market).returns[:, 1 : session + 1].T.astype(np.float64)
    return known


@settings(max_examples=60)
@given(seed=SEEDS, mode=MODES)
def test_no_target_is_beyond_a_limit(seed: int, mode: int) -> None:
    rng = np.random.default_rng(seed)
    market, account_rules = random_market(rng, 60, int(rng.integers(1, 12))), random_rules(rng, risk=True)
    assets = len(market.symbols)
    path = trade(market, wanted_by(rng, 59, assets, mode), account_rules, mode=mode)
    held = np.vstack([np.zeros(assets), path.weights[:-1]])
    for session, targets in enumerate(path.targets):
        past = past_of(market, session)
        assert not excess(targets, past, account_rules)
        assert not account_rules.long_only or not (targets < 0.0).any()
        _check_turnover(targets, held[session], past, account_rules, flags_of(path, session))


def _check_turnover(
    targets: FloatArray, held: FloatArray, past: FloatArray, account_rules: TradingRules, flags: Limit
) -> None:
    """The way is short enough, unless what is held breaks a limit itself; value at risk alone is not convex."""
    ordered = ~np.isnan(targets)
    own = np.where(ordered, held, 0.0)
    if account_rules.max_turnover is None or Limit.DRAWDOWN_STOP in flags or excess(own, past, account_rules):
        return
    if account_rules.long_only and (own < -1e-12).any():
        return
    if account_rules.max_var is None or len(past) < 21:
        way = np.abs(targets - held)[ordered].sum()
        assert way <= account_rules.max_turnover * (1 + TOLERANCE)


@settings(max_examples=40)
@given(seed=SEEDS, mode=MODES)
def test_reports_say_what_the_targets_would_have_done(seed: int, mode: int) -> None:
    rng = np.random.default_rng(seed)
    market, assets = random_market(rng, 50, 5, volatility=0.04), 5
    account_rules = replace(random_rules(rng, risk=True), max_volatility=0.5)
    path = trade(market, wanted_by(rng, 49, assets, mode), account_rules, mode=mode)
    for session in range(21, 49):
        found = measured(path.targets[session], past_of(market, session), account_rules)
        assert path.volatility[session] * np.sqrt(252) == pytest.approx(found["max_volatility"], rel=1e-3, abs=1e-5)
        assert path.value_at_risk[session] == pytest.approx(found["max_var"], rel=1e-3, abs=1e-5)
        assert path.expected_shortfall[session] == pytest.approx(found["max_cvar"], rel=1e-3, abs=1e-5)
    assert not path.volatility[:21].any()


@settings(max_examples=40)
@given(seed=SEEDS, mode=MODES)
def test_watching_the_risk_changes_no_limit(seed: int, mode: int) -> None:
    """Without monitoring, value at risk is worked out only where it may bind."""
    rng = np.random.default_rng(seed)
    market, account_rules = random_market(rng, 60, 6, volatility=0.04), random_rules(rng, risk=True)
    decisions = wanted_by(rng, 59, 6, mode)
    watched = trade(market, decisions, account_rules, mode=mode)
    unwatched = trade(market, decisions, account_rules, mode=mode, monitor=False)
    assert unwatched.targets.tobytes() == watched.targets.tobytes()
    assert (unwatched.limits == watched.limits).all()


@settings(max_examples=30)
@given(seed=SEEDS, limit=st.sampled_from(("max_volatility", "max_var", "max_cvar")), edge=st.floats(0.999, 1.001))
def test_watching_changes_nothing_at_the_very_edge_of_a_limit(seed: int, limit: str, edge: float) -> None:
    """Assets that all move together, so that the book's risk is the sum of theirs, long or short."""
    rng = np.random.default_rng(seed)
    close = np.repeat(50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (60, 1)), axis=0)), 5, axis=1)
    market, book = panel(close), rng.uniform(0.0, 0.2, 5) * rng.choice([-1, 1])
    decisions = np.full((59, 5), np.nan)
    decisions[50] = book
    account_rules = rules(risk_window=40, risk_confidence=0.9)
    account_rules = replace(account_rules, **{limit: edge * measured(book, past_of(market, 50), account_rules)[limit]})
    watched, unwatched = (trade(market, decisions, account_rules, monitor=monitor) for monitor in (True, False))
    assert unwatched.targets.tobytes() == watched.targets.tobytes()
    assert (unwatched.limits == watched.limits).all()
    assert bool(flags_of(watched, 50)) == (edge < 1.0) or abs(edge - 1.0) < TOLERANCE


FLAT = panel(np.full((3, 4), 10.0))
CALM = random_walk(np.random.default_rng(1), 80, 4, volatility=0.01)
BOOK = [0.4, 0.3, 0.2, -0.1]
_CALM_PAST = past_of(CALM, 64)
_RISK = measured(np.array(BOOK), _CALM_PAST, rules())


@pytest.mark.parametrize(
    ("flag", "binding", "loose"),
    [
        (Limit.LONG_ONLY, {"long_only": True}, {"long_only": False}),
        (Limit.MAX_WEIGHT, {"max_weight": 0.399}, {"max_weight": 0.4}),
        (Limit.MAX_GROSS, {"max_gross": 0.999}, {"max_gross": 1.0}),
        (Limit.MAX_NET, {"max_net": 0.799}, {"max_net": 0.801}),
        (Limit.EFFECTIVE_POSITIONS, {"min_effective_positions": 1 / 0.299}, {"min_effective_positions": 1 / 0.301}),
        (Limit.MAX_TURNOVER, {"max_turnover": 0.999}, {"max_turnover": 1.0}),
        (Limit.MAX_VOLATILITY, {"max_volatility": 0.999}, {"max_volatility": 1.001}),
        (Limit.MAX_VAR, {"max_var": 0.999}, {"max_var": 1.001}),
        (Limit.MAX_CVAR, {"max_cvar": 0.999}, {"max_cvar": 1.001}),
    ],
    ids=lambda value: value.name if isinstance(value, Limit) else "",
)
def test_a_flag_is_set_exactly_when_its_limit_binds(
    flag: Limit, binding: dict[str, Any], loose: dict[str, Any]
) -> None:
    """Limits of risk are given as multiples of what the book has."""
    decisions = np.full((65, 4), np.nan)
    decisions[64] = BOOK
    for changes, expected in ((binding, flag), (loose, Limit(0))):
        scaled = {
            name: value * _RISK[name] if name in _RISK and flag >= 128 else value for name, value in changes.items()
        }
        path = trade(CALM, decisions, rules(**scaled))
        assert flags_of(path, 64) == expected
        assert not any(flags_of(path, session) for session in range(64))
        if not expected:
            np.testing.assert_array_equal(path.targets[64], BOOK)


def test_the_markets_flags_are_set_exactly_when_it_limits() -> None:
    tradable = np.ones((3, 4), bool)
    tradable[2, 0] = False
    halted = replace(FLAT, tradable=tradable)
    assert flags_of(trade(halted, [[0.4, 0, 0, 0], [0.4, 0.1, 0, 0]], rules()), 1) == Limit(0)
    assert flags_of(trade(halted, [[0.4, 0, 0, 0], [0.5, 0.1, 0, 0]], rules()), 1) == Limit.UNFILLED
    locked = trade(halted, [[0.4, 0, 0, 0], [0.4, 0.6, 0, 0]], rules(max_gross=1.0))
    assert flags_of(locked, 1) == Limit(0)
    locked = trade(halted, [[0.4, 0, 0, 0], [0.0, 1.0, 0, 0]], rules(max_gross=1.0))
    assert flags_of(locked, 1) == Limit.LOCKED | Limit.UNFILLED
    thin = replace(FLAT, costs=costs(4, max_participation=0.5))
    assert flags_of(trade(thin, [[0.4, 0, 0, 0]], rules(capital=1.25e6))) == Limit(0)
    assert flags_of(trade(thin, [[0.4, 0, 0, 0]], rules(capital=1.26e6))) == Limit.PARTICIPATION


def test_new_positions_leave_room_for_those_that_cannot_be_sold() -> None:
    tradable = np.array([[True, True], [True, True], [False, True]])
    path = trade(panel(np.full((3, 2), 10.0), tradable=tradable), [[0.6, 0.0], [0.0, 1.0]], rules())
    np.testing.assert_allclose(path.weights[1], [0.6, 0.4])


def test_limits_on_sizes_by_known_answers() -> None:
    first = {name: trade(FLAT, [wanted], rules(**changes)).targets[0] for name, wanted, changes in (
        ("cut", [0.9, 0.6, -0.3, 0.0], {"long_only": True, "max_weight": 0.6}),
        ("net", [0.6, 0.2, -0.2, 0.0], {"max_net": 0.2}),
        ("short net", [-0.6, -0.2, 0.2, 0.0], {"max_net": 0.2}),
        ("effective", [0.8, 0.6, 0.0, 0.0], {"max_gross": 2.0, "min_effective_positions": 16.0}),
    )}  # fmt: skip
    np.testing.assert_allclose(first["cut"], [0.5, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(first["net"], [0.3, 0.1, -0.2, 0.0])
    np.testing.assert_allclose(first["short net"], [-0.3, -0.1, 0.2, 0.0])
    np.testing.assert_allclose(first["effective"], [0.4, 0.3, 0.0, 0.0])


def test_an_equal_book_has_as_many_effective_positions_as_assets() -> None:
    path = trade(FLAT, [[0.25] * 4], rules(min_effective_positions=4.0))
    assert flags_of(path) == Limit(0)


def test_turnover_goes_a_part_of_the_way_session_by_session() -> None:
    path = trade(panel(np.full((6, 2), 10.0)), [[0.5, -0.5]] * 5, rules(max_turnover=0.4))
    np.testing.assert_allclose(path.weights[:, 0], [0.2, 0.4, 0.5, 0.5, 0.5])
    assert [bool(flags_of(path, session)) for session in range(5)] == [True, True, False, False, False]


def test_a_book_is_scaled_up_to_its_volatility_within_all_other_limits() -> None:
    decisions = np.tile(np.array(BOOK) / 4, (70, 1))
    free = trade(CALM, decisions, rules(max_volatility=0.05, scale_to_volatility=True))
    np.testing.assert_allclose(free.volatility[21:] * np.sqrt(252), 0.05, rtol=1e-6)
    tight = trade(CALM, decisions, rules(max_volatility=9.0, scale_to_volatility=True, max_net=0.5))
    np.testing.assert_allclose(tight.targets[21:].sum(axis=1), 0.5)
    plain = trade(CALM, decisions, rules(max_volatility=0.05))
    np.testing.assert_array_equal(plain.targets, decisions)


@pytest.mark.parametrize("limit", ["max_var", "max_cvar"])
def test_scaling_up_stops_at_the_limits_of_losses(limit: str) -> None:
    account_rules = rules(
        max_volatility=9.0, scale_to_volatility=True, max_gross=20.0, max_weight=20.0, **{limit: 0.01}
    )
    for monitor in (True, False):
        path = trade(CALM, np.tile(np.array(BOOK) / 4, (70, 1)), account_rules, monitor=monitor)
        risk = [measured(path.targets[t], past_of(CALM, t), account_rules)[limit] for t in range(21, 70)]
        np.testing.assert_allclose(risk, 0.01, rtol=TOLERANCE)


def test_scaling_up_goes_no_further_than_the_turnover_allows() -> None:
    decisions = np.zeros((70, 4))
    decisions[64:] = np.array(BOOK) / 4
    path = trade(CALM, decisions, rules(max_volatility=9.0, scale_to_volatility=True, max_turnover=0.3))
    assert np.abs(path.targets[64]).sum() == pytest.approx(0.3)
    assert np.abs(path.targets[65] - path.weights[64]).sum() == pytest.approx(0.3)


def falling(fall: float, sessions: int = 12) -> MarketPanel:
    """Falls once from 10, then rises by a tenth a session."""
    closes = [10.0, 10.0, 10.0 * (1.0 - fall)]
    closes += [closes[-1] * 1.1**k for k in range(1, sessions)]
    return panel(np.array(closes)[:, None])


def test_a_fall_from_the_peak_sells_everything_for_a_while_and_counts_anew() -> None:
    path = trade(falling(0.3), [[1.0]] * 13, rules(drawdown_stop=0.25, reentry_sessions=3))
    stopped = [Limit.DRAWDOWN_STOP in flags_of(path, session) for session in range(13)]
    assert stopped == [False, False, True, True, True] + [False] * 8
    assert not path.quantity[2:5].any()
    assert path.equity[2:5] == pytest.approx(0.7 * 1.1)  # sold at the open after
    assert path.weights[5:] == pytest.approx(np.ones((8, 1)))
    assert path.peak[4] == 1.0
    assert path.peak[5] == pytest.approx(0.77)


def test_a_smaller_fall_stops_nothing() -> None:
    path = trade(falling(0.2), [[1.0]] * 13, rules(drawdown_stop=0.25))
    assert not path.limits.any()


def test_a_second_fall_is_measured_from_the_new_peak() -> None:
    closes = [10.0, 10.0, 7.0, 7.0, 7.0, 5.6, 5.6, 4.0, 4.0, 4.0]
    path = trade(panel(np.array(closes)[:, None]), [[1.0]] * 9, rules(drawdown_stop=0.25, reentry_sessions=2))
    stopped = [Limit.DRAWDOWN_STOP in flags_of(path, session) for session in range(9)]
    assert stopped == [False, False, True, True, False, False, False, True, True]


def test_a_stop_comes_before_the_limit_on_turnover_but_not_before_the_volume() -> None:
    closes = np.array([10.0] * 5 + [6.0] * 4)[:, None]
    path = trade(panel(closes), [[1.0]] * 8, rules(drawdown_stop=0.25, max_turnover=0.4))
    np.testing.assert_allclose(path.weights[:, 0], [0.4, 0.8, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])

    thin = panel(closes, costs=costs(1, max_participation=0.1), dollar_volume=np.full((9, 1), 1e6))
    path = trade(thin, [[1.0]] * 8, rules(drawdown_stop=0.25, capital=2.5e5))
    np.testing.assert_allclose(path.quantity[:, 0] * 10.0, [0.4, 0.8, 1.0, 1.0, 1.0, 1.0 / 3.0, 0.0, 0.0], atol=1e-12)
    assert [flags_of(path, session) & PLACED for session in (5, 6)] == [Limit.PARTICIPATION, Limit(0)]


def test_too_few_sessions_limit_no_risk() -> None:
    account_rules = rules(max_volatility=0.0, max_var=0.0, max_cvar=0.0)
    path = trade(CALM, np.tile(BOOK, (30, 1)), account_rules)
    assert not path.limits[:21].any()
    np.testing.assert_array_equal(path.targets[:21], np.tile(BOOK, (21, 1)))
    assert not path.targets[21:].any()


def test_all_limits_together_are_all_reached() -> None:
    """Each flag shows up in random markets: the properties above have something to check."""
    seen = Limit(0)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        market = random_market(rng, 60, 6)
        path = trade(market, wanted_by(rng, 59, 6, WEIGHTS), random_rules(rng, risk=True))
        seen |= reduce(or_, (Limit(int(flags)) for flags in path.limits))
    assert seen == reduce(or_, Limit)
