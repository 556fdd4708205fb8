"""The compiled kernel against a plain reference on random markets with everything in them."""

from functools import reduce
from operator import or_

import numpy as np
import pytest
from execution_markets import Path, random_market, random_reward, random_rules, trade
from execution_reference import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.execution import Limit
from wealtharena.execution.kernel import CHANGES, SCORES, WEIGHTS

MODES = (SCORES, WEIGHTS, CHANGES)
SEEDS = st.integers(0, 2**32 - 1)


def both(seed: int, mode: int, *, risk: bool, sessions: int = 60) -> tuple[Path, Path]:
    """A random market, traded at random under random rules, by the kernel and by the reference."""
    rng = np.random.default_rng(seed)
    assets = int(rng.integers(1, 12))
    market = random_market(rng, int(rng.integers(3, sessions)), assets, volatility=float(rng.uniform(0.02, 0.1)))
    decisions = rng.normal(0.0, 0.6, (len(market.dates) - 1, assets)) * rng.choice([0.3, 1.0])
    if mode == WEIGHTS:
        decisions[rng.random(decisions.shape) < 0.1] = np.nan
    account_rules, reward = random_rules(rng, risk=risk), random_reward(rng)
    multiplier = float(rng.choice([0.5, 1.0, 2.0]))
    compiled = trade(market, decisions, account_rules, mode=mode, cost_multiplier=multiplier, reward=reward)
    plain = reference(market, decisions, account_rules, mode=mode, cost_multiplier=multiplier, reward=reward)
    return compiled, plain


def assert_same(compiled: Path, plain: Path, tolerance: float) -> None:
    """Observations are single precision; what is left of a lost account has weights of as much less precision."""
    values = np.concatenate([[1.0], plain.equity_open, plain.equity])
    tolerance /= values[values > 0.0].min()
    for name, expected in vars(plain).items():
        close = max(tolerance, 1e-5) if name == "observations" else tolerance
        np.testing.assert_allclose(getattr(compiled, name), expected, rtol=close, atol=close, err_msg=name)


@settings(max_examples=60)
@given(seed=SEEDS, mode=st.sampled_from(MODES))
def test_kernel_agrees_with_the_reference(seed: int, mode: int) -> None:
    assert_same(*both(seed, mode, risk=False), tolerance=1e-10)


@settings(max_examples=40)
@given(seed=SEEDS, mode=st.sampled_from(MODES))
def test_kernel_agrees_with_the_reference_on_limits_of_risk(seed: int, mode: int) -> None:
    """Risk is replayed in single precision."""
    assert_same(*both(seed, mode, risk=True), tolerance=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("risk", "tolerance"), [(False, 1e-10), (True, 1e-5)])
def test_kernel_agrees_with_the_reference_on_many_markets(risk: bool, tolerance: float) -> None:
    for seed in range(1_000):
        assert_same(*both(seed, MODES[seed % 3], risk=risk), tolerance)


def test_random_markets_reach_every_branch() -> None:
    """The comparison means something only if its markets bankrupt, stop, delist, pay and limit in every way."""
    paths = [both(seed, MODES[seed % 3], risk=True)[0] for seed in range(150)]
    assert sum((path.equity <= 0.0).any() for path in paths) > 5
    for name in ("commission", "spread", "impact", "carrying", "interest", "dividends", "delisting", "stopped"):
        assert sum((getattr(path, name) != 0.0).any() for path in paths) > 20, name
    seen = reduce(or_, (Limit(int(flags)) for path in paths for flags in path.limits))
    assert seen == reduce(or_, Limit)
    assert all((paths_of_term != 0.0).any() for paths_of_term in np.concatenate([p.terms for p in paths]).T[:-1])
