"""From evidence to states: a replay."""

import math

import numpy as np
from promotion_samples import RULES, noise

from wealtharena.promotion.challenge import Challenge, challenge, reversed_log_e, second_key
from wealtharena.promotion.states import Service, State, confirmation_threshold, service, shadow_state
from wealtharena.settings import PromotionSettings


def evidence(e: list[float], surprises: list[float] | None = None, drawdown: float = 0.0, start: int = 0) -> Challenge:
    """A challenge with these values of the e-process."""
    count = len(e)
    return Challenge(
        log_e=np.log(e),
        surprises=np.array(surprises if surprises is not None else [0.0] * count),
        sessions=np.arange(start + 1, start + count + 1),
        drawdown=np.full(count, drawdown),
        stopped=np.zeros(count, dtype=bool),
    )


def test_the_second_key_asks_for_evidence_and_sessions_in_time() -> None:
    rules = PromotionSettings(min_sessions=2, max_sessions=4, provisional_evidence=3.0)
    assert second_key(evidence([9.0, 2.9, 3.1, 5.0, 9.0]), rules).tolist() == [False, False, True, True, False]


def test_sessions_count_where_both_accounts_have_a_return_and_history_only_tells_the_volatility() -> None:
    one, other = noise(1, 150), noise(2, 150)
    one[120] = np.nan
    found = challenge(one, other, 100, RULES)
    assert found.log_e.shape == (50,)
    assert found.sessions[[0, 19, 20, 49]].tolist() == [1, 20, 20, 49]
    assert not np.isnan(found.surprises[0])
    assert np.isnan(challenge(one, other, 0, RULES).surprises[:20]).all()


def test_drawdown_counts_from_the_start_of_the_account() -> None:
    returns = np.array([0.1, -0.5, 0.0])
    assert np.allclose(challenge(returns, np.zeros(3), 0, RULES).drawdown, [0.0, 0.5, 0.5])


def test_a_challenger_is_dropped_when_its_time_is_over_or_it_lost_too_much() -> None:
    rules = PromotionSettings(min_sessions=2, max_sessions=4)
    assert shadow_state(evidence([1.0] * 4), rules, 0.4) is State.SHADOW
    assert shadow_state(evidence([1.0] * 5), rules, 0.4) is State.DROPPED
    assert shadow_state(evidence([1.0], drawdown=0.41), rules, 0.4) is State.DROPPED
    assert shadow_state(evidence([]), rules, 0.4) is State.SHADOW
    crash = challenge(np.append(noise(1, 60), -0.5), noise(2, 61), 0, rules)
    assert shadow_state(crash, PromotionSettings(), 0.9) is State.DROPPED


def test_confirmation_asks_for_more_where_there_are_many_challengers() -> None:
    assert [confirmation_threshold(lanes, RULES) for lanes in (1, 2, 4, 8)] == [20.0, 20.0, 30.0, 60.0]


def test_a_champion_is_confirmed_by_the_evidence_that_brought_it_and_what_follows() -> None:
    assert service(evidence([3.0, 5.0, 21.0, 4.0]), 1, 1, RULES, 0.4) == Service(2, -1)
    assert service(evidence([3.0, 5.0, 21.0, 4.0]), 1, 4, RULES, 0.4) == Service(-1, -1)
    assert Service(2, -1).state(State.PROVISIONAL) is State.CONFIRMED
    assert Service(-1, -1).state(State.PROVISIONAL) is State.PROVISIONAL
    assert Service(-1, 3).state(State.CONFIRMED) is State.ROLLED_BACK


def test_only_losses_after_the_takeover_roll_back() -> None:
    losing = [-2.0] * 60
    lost = evidence([3.0] * 60, losing)
    back = reversed_log_e(lost, 0)
    assert back[-1] > math.log(RULES.rollback_evidence)
    first = int(np.argmax(back >= math.log(RULES.rollback_evidence)))
    assert service(lost, 0, 1, RULES, 0.4).rolled_back == first
    assert service(lost, 30, 1, RULES, 0.4).rolled_back == 30 + first
    assert service(lost, 60, 1, RULES, 0.4).rolled_back == -1


def test_the_drawdown_limit_rolls_back() -> None:
    assert service(evidence([3.0, 3.0], drawdown=0.5), 1, 1, RULES, 0.4).rolled_back == 1
