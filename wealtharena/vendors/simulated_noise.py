"""Random streams of the simulated world and the processes made of them. Nothing here reads or sets a global state."""

from enum import IntEnum
from itertools import accumulate

import numpy as np

from wealtharena.core.panel import BoolArray, FloatArray

SHOCK_LIMIT = 8.0


class Stream(IntEnum):
    """Independent random streams of one symbol, class or world; numbers are part of every path's identity."""

    SHOCK = 0
    GAP = 1
    DRIFT = 2
    VOLATILITY = 3
    RANGE = 4
    VOLUME = 5
    HALT = 6
    REGIME = 7
    MACRO = 8
    LEVEL = 9
    EVENT = 10
    VOLUME_TREND = 11


def generator(seed: int, code: int, index: int, stream: Stream) -> np.random.Generator:
    """The stream of a symbol (``code`` of its class, ``index`` from 1), of a class (index 0) or of the world (0, 0)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, code, index, int(stream)])))


def normal(seed: int, code: int, index: int, stream: Stream, count: int) -> FloatArray:
    """(count,) standard normal draws; a larger count appends and changes none."""
    return generator(seed, code, index, stream).standard_normal(count)


def student(seed: int, code: int, index: int, stream: Stream, count: int, df: float) -> FloatArray:
    """(count,) Student t draws with ``df`` > 2 degrees of freedom, scaled to unit variance, then cut at 8."""
    return unit_student(generator(seed, code, index, stream).standard_t(df, count), df)


def unit_student(draws: FloatArray, df: float) -> FloatArray:
    """Student t draws scaled to unit variance and cut at 8, which leaves a variance a little below 1."""
    shocks: FloatArray = np.clip(draws * np.sqrt((df - 2.0) / df), -SHOCK_LIMIT, SHOCK_LIMIT)
    return shocks


def ar1(shocks: FloatArray, half_life: float) -> FloatArray:
    """AR(1) with unit variance when the shocks have it; starts at the first shock."""
    phi = float(0.5 ** (1.0 / half_life))
    scale = float(np.sqrt(1.0 - phi * phi))
    scaled = (scale * shocks).tolist()
    if not scaled:
        return shocks
    states = accumulate(scaled[1:], lambda state, shock: phi * state + shock, initial=float(shocks[0]))
    return np.fromiter(states, dtype=np.float64, count=len(scaled))


def moving_average(values: FloatArray, half_life: float) -> FloatArray:
    """Exponential moving average that starts at the first value."""
    keep = float(0.5 ** (1.0 / half_life))
    averages = accumulate(values.tolist(), lambda average, value: keep * average + (1.0 - keep) * value)
    return np.fromiter(averages, dtype=np.float64, count=len(values))


def two_states(seed: int, stay_true: float, stay_false: float, count: int) -> BoolArray:
    """(count,) Markov chain of the world's regime that begins True and stays ``stay_true`` or ``stay_false`` steps on
    average."""
    draws = generator(seed, 0, 0, Stream.REGIME).random(count).tolist()
    mean_stay = {True: stay_true, False: stay_false}

    def step(state: bool, draw: float) -> bool:
        return state != (draw < 1.0 / mean_stay[state])

    return np.fromiter(accumulate(draws[1:], step, initial=True), dtype=np.bool_, count=count)
