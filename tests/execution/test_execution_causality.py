"""Nothing is decided, filled or shown by what was not known yet."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from execution_markets import panel, random_market, random_reward, random_rules, random_walk, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import MarketPanel
from wealtharena.execution.kernel import CHANGES, SCORES, WEIGHTS

SEEDS = st.integers(0, 2**32 - 1)
MODES = st.sampled_from((SCORES, WEIGHTS, CHANGES))
SESSIONS, ASSETS = 50, 6

_DECIDED_BEFORE_THE_OPEN = ("targets", "volatility", "value_at_risk", "expected_shortfall")


def scrambled(market: MarketPanel, today: int, rng: np.random.Generator) -> MarketPanel:
    """Another future: prices, events, volumes, interest, what trades and what is known."""
    changed: dict[str, Any] = {}
    for name in market.__dataclass_fields__:
        values = getattr(market, name)
        if not isinstance(values, np.ndarray) or name == "dates":
            continue
        values = values.copy()
        later = values[today + 1 :]
        if values.dtype == bool:
            values[today + 1 :] = rng.random(later.shape) < 0.5
        else:
            values[today + 1 :] = np.where(rng.random(later.shape) < 0.2, np.nan, rng.uniform(-9.0, 900.0, later.shape))
        changed[name] = values
    changed["features"] = np.nan_to_num(changed["features"])
    if market.split is not None:
        changed["split"] = np.where(np.arange(len(market.dates))[:, None] > today, 2.0, market.split)
    if market.accrual_days is not None:
        changed["accrual_days"] = np.nan_to_num(changed["accrual_days"])
    return replace(market, **changed)


@settings(max_examples=40)
@given(seed=SEEDS, today=st.integers(1, SESSIONS - 2), mode=MODES, window=st.sampled_from((1, 4)))
def test_the_future_changes_nothing_up_to_today(seed: int, today: int, mode: int, window: int) -> None:
    rng = np.random.default_rng(seed)
    market = random_market(rng, SESSIONS, ASSETS)
    account_rules, reward = random_rules(rng, risk=True), random_reward(rng)
    today = max(today, window)
    decisions = rng.normal(0.0, 0.6, (SESSIONS - window, ASSETS))
    traded = today - window + 1
    how: dict[str, Any] = {"mode": mode, "reward": reward, "window": window}

    whole = trade(market, decisions, account_rules, **how)
    other = trade(scrambled(market, today, rng), decisions, account_rules, **how)
    short = trade(market.rows(0, today + 1), decisions[:traded], account_rules, **how)

    assert other.up_to(traded) == whole.up_to(traded)
    assert short.up_to(traded) == whole.up_to(traded)
    for name in _DECIDED_BEFORE_THE_OPEN:  # the session after today is decided by what today knows
        decided, expected = getattr(other, name)[traded], getattr(whole, name)[traded]
        assert decided.tobytes() == expected.tobytes(), name


@settings(max_examples=30)
@given(seed=SEEDS, session=st.integers(1, 18))
def test_a_decision_earns_nothing_of_the_gap_before_its_fill(seed: int, session: int) -> None:
    """Whatever is decided for a session, the account's value at its open is what it held times the gap."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.05, (20, 4)), axis=0))
    market = panel(close * np.exp(rng.normal(0.0, 0.2, (20, 4))), close)
    decisions = rng.uniform(-0.2, 0.2, (19, 4))
    other = decisions.copy()
    other[session] = rng.uniform(-0.2, 0.2, 4)

    path, otherwise = trade(market, decisions, rules()), trade(market, other, rules())

    assert otherwise.equity_open[session] == path.equity_open[session]
    held = path.quantity[session - 1]
    gap = held @ (market.open[session + 1] - market.close[session])
    assert path.equity_open[session] == pytest.approx(path.equity[session - 1] + gap, rel=1e-12)


def test_a_decision_after_the_close_fills_at_the_next_open() -> None:
    market = panel([[10.0], [20.0], [40.0]], [[10.0], [30.0], [50.0]])
    path = trade(market, [[1.0], [1.0]], rules())
    assert path.equity_open.tolist() == [1.0, 2.0]
    assert path.equity.tolist() == [1.5, 2.5]


def test_an_order_pays_by_the_volatility_and_the_volume_before_it() -> None:
    market = random_walk(np.random.default_rng(0), 6, 3)
    own = replace(
        market.costs,
        impact=np.ones(3),
        spread_volatility=np.full(3, 0.1),
        max_participation=np.full(3, 0.05),
    )
    market = replace(market, costs=own)
    today = np.where(np.arange(6)[:, None] == 3, 50.0, 1.0)
    noisy = replace(market, volatility=market.volatility * today, dollar_volume=market.dollar_volume / today)
    wanted = np.full((5, 3), 0.3) * np.array([1, -1, 1, -1, 1])[:, None]

    path, later = trade(market, wanted, rules()), trade(noisy, wanted, rules())

    assert later.up_to(3) == path.up_to(3)  # row 3 is the third session: its own figures are not used
    assert later.spread[3] / np.abs(later.orders[3]).sum() > path.spread[3] / np.abs(path.orders[3]).sum()
