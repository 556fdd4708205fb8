"""The compiled kernel against a plain reference on random markets."""

import numpy as np
import pytest
from execution_markets import panel, reference, rules, trade
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.panel import FloatArray, MarketPanel


def random_market(rng: np.random.Generator, sessions: int, assets: int) -> MarketPanel:
    """Gaps, halts, delistings, late listings, wild moves, and prices below zero."""
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.15, (sessions, assets)), axis=0))
    open_ = close * np.exp(rng.normal(0.0, 0.05, (sessions, assets)))
    negative = rng.random((sessions, assets)) < 0.03
    close = np.where(negative, -close, close)
    open_ = np.where(negative & (rng.random((sessions, assets)) < 0.5), -open_, open_)
    gap = rng.random((sessions, assets)) < 0.15
    delisted = np.zeros((sessions, assets), bool)
    for k in range(assets):
        if rng.random() < 0.4:
            last = int(rng.integers(sessions))
            gap[last + 1 :, k] = True
            if last + 1 < sessions:
                delisted[last + 1, k] = True
    close, open_ = np.where(gap, np.nan, close), np.where(gap, np.nan, open_)
    halted = rng.random((sessions, assets)) < 0.1
    tradable = ~gap & (np.nan_to_num(open_, nan=-1.0) > 0.0) & ~halted
    observed = ~gap & (rng.random((sessions, assets)) < 0.9)
    return panel(
        open_,
        close,
        tradable=tradable,
        observed=observed,
        delisted=delisted,
        one_way_cost=rng.uniform(0.0, 0.02, assets),
    )


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), as_weights=st.booleans(), long_only=st.booleans())
def test_kernel_agrees_with_the_reference_on_random_markets(seed: int, as_weights: bool, long_only: bool) -> None:
    rng = np.random.default_rng(seed)
    sessions, assets = int(rng.integers(2, 15)), int(rng.integers(1, 6))
    market = random_market(rng, sessions, assets)
    decisions: FloatArray = rng.uniform(-1.5, 1.5, (sessions - 1, assets))
    if as_weights:
        decisions[rng.random(decisions.shape) < 0.1] = np.nan
    account_rules = rules(
        long_only=long_only,
        max_weight=rng.uniform(0.2, 1.0),
        max_gross=rng.uniform(0.5, 3.0),
        concentration=rng.uniform(1.0, 3.0),
        delisting_haircut=rng.uniform(0.0, 1.0),
        borrow_per_session=rng.uniform(0.0, 0.01),
    )

    compiled = trade(market, decisions, account_rules, as_weights=as_weights, cost_multiplier=1.5)
    plain = reference(market, decisions, account_rules, as_weights=as_weights, cost_multiplier=1.5)

    for name, expected in vars(plain).items():
        np.testing.assert_allclose(getattr(compiled, name), expected, rtol=1e-9, atol=1e-9, err_msg=name)


def test_random_markets_reach_every_branch() -> None:
    """The comparison above means something only if its markets bankrupt, delist and lock accounts now and then."""
    bankrupt, bound = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        market = random_market(rng, 14, 4)
        path = reference(market, rng.uniform(-1.5, 1.5, (13, 4)), rules(max_gross=2.5), as_weights=True)
        bankrupt += bool((path.equity <= 0).any())
        bound |= int(np.bitwise_or.reduce(path.limits.astype(int)))
    assert bankrupt > 10
    assert bound == pytest.approx(4 | 8 | 16 | 2)
