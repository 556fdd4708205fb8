"""Figures of histories: what is known of constant and of related series, and how wide the intervals are."""

import numpy as np
import pytest

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.metrics import sharpe_ratio
from wealtharena.evaluation.walk_forward import OutOfSample
from wealtharena.evaluation.walk_forward_table import RESAMPLES, bootstrap_sharpes, walk_forward_table

CASH = 1e-4


def history(excess: FloatArray, toll: float = 0.0, first: str = "2019-01-02") -> OutOfSample:
    """An account with these returns over cash; twice the costs take ``toll`` more a session."""
    dates = np.datetime64(first) + np.arange(len(excess))
    cash, half = np.full(len(excess), CASH), np.full(len(excess), 0.5)
    return OutOfSample(dates, excess + cash, cash, half, np.full(len(excess), toll), half, excess + cash - toll)


def noise(seed: int, mean: float = 0.0) -> FloatArray:
    return np.random.default_rng(seed).normal(mean, 0.01, 756)


STILL = history(np.zeros(756))


def test_figures_are_those_of_the_history() -> None:
    excess = noise(1, 0.001)
    own, *_ = walk_forward_table({"stocks": ("stocks@1", history(excess, 1e-4))}, {"cash": ("c", STILL)}, 252, 7)
    assert (own.name, own.lane_id, own.is_baseline, own.sessions) == ("stocks", "stocks@1", False, 756)
    assert (own.first, own.last) == ("2019-01-02", "2021-01-26")
    assert own.sharpe.value == sharpe_ratio(excess, 252)
    assert own.sharpe_double_cost.value == pytest.approx(sharpe_ratio(excess - 1e-4, 252))
    assert own.annual_turnover == pytest.approx(126.0) and own.annual_cost == pytest.approx(0.0252)
    assert own.annual_return == pytest.approx(np.prod(1.0 + excess + CASH) ** (1 / 3) - 1.0)


def test_cash_has_no_ratio_and_is_the_best_of_bad_rules() -> None:
    rules = {"cash": ("c", STILL), "bad": ("b", history(noise(3, -0.002)))}
    own, cash, bad = walk_forward_table({"stocks": ("s", history(noise(1)))}, rules, 252, 7)
    assert cash.sharpe.value is None and cash.sharpe.low is None
    assert bad.is_baseline and bad.gain is None and bad.best_baseline == ""
    assert own.best_baseline == "cash" and own.gain is not None
    # Against cash the gain is the ratio itself, with its own interval.
    assert (own.gain.value, own.gain.low, own.gain.high) == pytest.approx(
        (own.sharpe.value, own.sharpe.low, own.sharpe.high)
    )


def test_a_gain_over_a_rule_that_moves_alike_is_known_better_than_either_ratio() -> None:
    shared = noise(1, 0.0005)
    own, rule = walk_forward_table(
        {"stocks": ("s", history(shared + noise(2) / 20 + 2e-4))}, {"rule": ("r", history(shared))}, 252, 7
    )
    assert own.best_baseline == "rule" and own.gain is not None
    assert own.gain.value == pytest.approx((own.sharpe.value or 0.0) - (rule.sharpe.value or 0.0))
    assert width(own.gain) < width(own.sharpe) / 5
    assert own.gain.low is not None and own.gain.low > 0.0


def width(estimate: object) -> float:
    return float(estimate.high - estimate.low)  # type: ignore[attr-defined]


def test_only_sessions_that_both_have_are_compared() -> None:
    shared = noise(1, 0.001)
    later = history(shared[378:], first="2020-01-15")
    own, _ = walk_forward_table({"stocks": ("s", later)}, {"rule": ("r", history(shared))}, 252, 7)
    assert own.gain is not None and own.gain.value == pytest.approx(0.0)
    assert width(own.gain) == pytest.approx(0.0)


def test_the_interval_of_independent_returns_is_the_one_of_theory() -> None:
    sharpes = bootstrap_sharpes(noise(5)[:, None], 252, 1)
    assert sharpes.shape == (RESAMPLES, 1)
    # Lo (2002): the standard error of a small ratio over three years is near 1 / sqrt(3).
    assert sharpes.std() == pytest.approx(1 / np.sqrt(3), rel=0.15)
    assert (sharpes == bootstrap_sharpes(noise(5)[:, None], 252, 1)).all()
    assert not (sharpes == bootstrap_sharpes(noise(5)[:, None], 252, 2)).all()


def test_trends_in_the_returns_widen_the_interval() -> None:
    shocks = noise(5)
    slow = np.array([shocks[max(0, k - 20) : k + 1].mean() for k in range(len(shocks))])
    blocks, single = bootstrap_sharpes(slow[:, None], 252, 1), np.random.default_rng(1)
    alone = [sharpe_ratio(single.choice(slow, len(slow)), 252) for _ in range(300)]
    assert blocks.std() > 1.5 * np.std(alone)


def test_series_that_do_not_move_have_no_ratios() -> None:
    assert np.isnan(bootstrap_sharpes(np.full((300, 2), 1e-4), 252, 1)).all()
