"""Forward evidence of a challenger against a champion, session by session: the second key."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wealtharena.core.panel import FloatArray
from wealtharena.promotion.e_process import log_e_process, loss_stops, surprises
from wealtharena.promotion.matching import matched
from wealtharena.settings import PromotionSettings


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the paper accounts tell after each of T sessions; every array is (..., T).

    Attributes:
        log_e: natural logarithm of the e-process that the challenger is better.
        surprises: the challenger's advantage of each session in standard deviations; NaN where none is known.
        sessions: in which both accounts had a return, so far.
        drawdown: of the challenger's account from its highest equity so far, a share.
        stopped: whether the hard loss stop has been hit.
    """

    log_e: FloatArray
    surprises: FloatArray
    sessions: NDArray[np.int64]
    drawdown: FloatArray
    stopped: NDArray[np.bool_]


def challenge(challenger: FloatArray, champion: FloatArray, known_before: int, rules: PromotionSettings) -> Challenge:
    """Evidence from the excess returns of two accounts.

    Args:
        challenger: (..., K + T) excess returns; NaN where there is none.
        champion: (..., K + T) of the same sessions.
        known_before: K sessions of history that only tell how volatile the accounts are, and are no evidence.
        rules: thresholds.
    """
    advantage = surprises(matched(challenger), matched(champion))[..., known_before:]
    present = ~(np.isnan(challenger) | np.isnan(champion))[..., known_before:]
    return Challenge(
        log_e=log_e_process(advantage),
        surprises=advantage,
        sessions=np.cumsum(present, axis=-1),
        drawdown=_drawdown(challenger[..., known_before:]),
        stopped=loss_stops(advantage, rules.loss_stop),
    )


def second_key(evidence: Challenge, rules: PromotionSettings) -> NDArray[np.bool_]:
    """(..., T) whether a lane may take over after each session as far as forward evidence goes."""
    enough = evidence.log_e >= np.log(rules.provisional_evidence)
    in_time = (evidence.sessions >= rules.min_sessions) & (evidence.sessions <= rules.max_sessions)
    return np.asarray(enough & in_time & ~evidence.stopped)


def reversed_log_e(evidence: Challenge, since: int) -> FloatArray:
    """(..., T - since) log evidence that the challenger is the worse one, gathered from session ``since`` on."""
    return log_e_process(-evidence.surprises[..., since:])


def _drawdown(excess_returns: FloatArray) -> FloatArray:
    equity = np.cumprod(1.0 + np.nan_to_num(excess_returns), axis=-1)
    return np.asarray(1.0 - equity / np.maximum(np.maximum.accumulate(equity, axis=-1), 1.0))
