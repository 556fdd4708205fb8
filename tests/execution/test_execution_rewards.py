"""The terms of the reward against their formulas; the reference has them on random markets."""

from dataclasses import fields

import numpy as np
import pytest
from execution_markets import costs, panel, random_reward, random_walk, rules, trade

from wealtharena.core.errors import SettingsError
from wealtharena.execution import TERMS, RewardWeights

NOTHING = {entry.name: 0.0 for entry in fields(RewardWeights)}
MARKET = panel([[10.0], [10.0], [8.0]], [[10.0], [12.0], [9.0]], costs=costs(1, commission=0.01, borrow=0.365))


def only(name: str, weight: float = 1.0) -> RewardWeights:
    return RewardWeights(**NOTHING | {name: weight})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("log_return", np.log(0.895)),
        ("variance", -(np.log(0.895) ** 2) / 2),
        ("downside", -(np.log(0.895) ** 2) / 2),
        ("drawdown", 0.895 - 1.0),
        ("cost", -0.005),
        ("turnover", -0.5),
        ("concentration", -((0.5 * 1.2 / 0.895) ** 2)),
        ("coordination", 0.0),
    ],
)
def test_a_term_is_what_its_formula_says(name: str, expected: float) -> None:
    """Half the account sold short at 10, closed at 12: a tenth lost, and half a per cent of commission."""
    path = trade(MARKET, [[-0.5]], rules(), reward=only(name, 2.0))
    assert path.equity[0] == pytest.approx(0.895)
    assert path.reward[0] == pytest.approx(2.0 * expected)
    assert path.terms[0][TERMS.index(name)] == path.reward[0]
    assert np.count_nonzero(path.terms) == (expected != 0.0)


def test_carrying_is_a_cost_and_gains_are_no_downside() -> None:
    path = trade(MARKET, [[-0.5], [np.nan]], rules(), reward=only("cost"))
    assert path.reward[1] == pytest.approx(-0.6 * 0.001 / path.equity_open[1])
    assert trade(MARKET, [[-0.5], [np.nan]], rules(), reward=only("downside")).reward[1] == 0.0


def test_a_loss_of_more_than_99_per_cent_counts_as_99() -> None:
    path = trade(panel([[10.0], [10.0]], [[10.0], [30.0]]), [[-1.0]], rules(), reward=only("log_return"))
    assert path.reward[0] == pytest.approx(np.log(0.01))


def test_the_differential_sharpe_ratio_is_what_a_session_adds_to_the_ratio() -> None:
    """Moody and Saffell: the first derivative of the ratio of exponential moments by their rate."""
    path = trade(
        random_walk(np.random.default_rng(3), 60, 3), np.full((59, 3), 0.3), rules(), reward=only("differential_sharpe")
    )
    mean = square = 0.0
    for session, r in enumerate(path.log_return):
        if session > 5:

            def ratio(rate: float, m: float = mean, s: float = square, r: float = r) -> float:
                m, s = m + rate * (r - m), s + rate * (r * r - s)
                return m / np.sqrt(s - m * m)

            step = 1e-6
            slope = (ratio(step) - ratio(-step)) / (2 * step)
            assert path.reward[session] == pytest.approx(np.clip(slope / 63, -1.0, 1.0), rel=1e-4, abs=1e-7)
        mean, square = mean + (r - mean) / 63, square + (r * r - square) / 63


def test_the_reward_is_the_sum_of_its_terms() -> None:
    rng = np.random.default_rng(0)
    path = trade(random_walk(rng, 50, 4), rng.uniform(-1, 1, (49, 4)), rules(), reward=random_reward(rng))
    np.testing.assert_allclose(path.terms.sum(axis=1), path.reward, rtol=1e-12)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(SettingsError, match="reward weight turnover"):
        RewardWeights(turnover=weight)
