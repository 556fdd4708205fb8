"""Simulated prices with a documented structure that an agent can learn, and nothing else that it could.

Every price starts from its own random streams, so that a later end date or more symbols never change a number that was
there before. One day of the grid is one calendar day; an instrument uses the days on which its exchange is open.

Noise (any ``edge``)
    ``e_i = a_g G + a_c C + a_i E_i``: global, class and own shocks, each Student t with 5 degrees of freedom, scaled to
    unit variance and cut at 8; ``a_g^2 + a_c^2 + a_i^2 = 1``.
    ``sigma_i(t) = s_i exp(h(t) + h_c(t)) b(t)``: ``h`` and ``h_c`` are AR(1) (half-lives 40 and 25 days), ``b`` is 1 in
    the bull and 1.5 in the bear regime, a Markov chain shared by all classes (mean stays 300 and 120 sessions).
Prices
    ``open(t) = close(t-1) (1 + w_i sigma_i(t) n_i(t))``,
    ``close(t) = open(t) (1 + sigma_i(t) (mu_i(t) + v_i e_i(t)))``
    with ``w^2 + v^2 = 1`` and ``w`` small: the drift ``mu`` is earned between open and close, so that a decision after
    the close that fills at the next open can still profit. All shocks are symmetric: with ``mu = 0`` prices are
    martingales.
Drift, in units of the day's standard deviation, known at the close before
    Every drift is ``edge`` times a sum of these terms; with ``edge = 0`` each term is exactly 0.

    ``x_i``: hidden AR(1) state with unit variance and innovations independent of the price noise. Past returns reveal
    it slowly, which is momentum. ``f_i``: AR(1) average of the asset's own past shocks ``e_i`` with unit variance; a
    negative weight on it is mean reversion. ``m``: +1 in the bull regime, -1 in the bear regime.

    ============  ==========================================================================================
    stocks        ``0.16 x`` (half-life 60 sessions) ``+ 0.05 m``: momentum over one to three months
    crypto        calm days: ``0.22 x`` (half-life 30); turbulent days (``h + h_c`` above 0.35): ``-0.25 f`` (half-life
                  3); always ``+ 0.03 m``
    etfs          ``0.13 x`` (half-life 50) ``+ 0.04 m``; neighbours (ETF01 and ETF02, …) have opposite ``x``: rotation
    currencies    ``0.12 x`` (half-life 50) ``+ 0.05 q_i D``: trend, and carry on the published differential ``D``
                  (``SIM_CARRY``); ``q_i`` is +1 for odd and -1 for even symbols
    reits         ``-0.21 f`` (half-life 8) ``+ 0.03 m - 0.08 R``: reversal, and the published rate momentum ``R``
                  (``SIM_RATE`` less its own exponential average, half-life 60 days, in standard units)
    commodities   ``0.16 x`` (half-life 40): trends in both directions
    ============  ==========================================================================================
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from itertools import accumulate

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import BoolArray, DateArray, FloatArray

IndexArray = NDArray[np.intp]

# Weeks have seven days on the grid and five sessions: half-lives in sessions are stretched by this.
_CALENDAR_DAYS_PER_SESSION = 7 / 5
_STUDENT_DF = 5.0
_SHOCK_LIMIT = 8.0
BEAR_VOLATILITY = 1.5
_MEAN_STAY_DAYS = {True: 300 * _CALENDAR_DAYS_PER_SESSION, False: 120 * _CALENDAR_DAYS_PER_SESSION}
_TURBULENCE = 0.35
_RETURN_LIMIT = 0.5
_RATE_HALF_LIFE_DAYS = 250
_RATE_TREND_HALF_LIFE_DAYS = 60


class _Stream(IntEnum):
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


@dataclass(frozen=True)
class ClassModel:
    """Constants of one class; the table in the module's docstring gives the drift in formulas.

    Attributes:
        code: number of the class's random streams.
        daily_volatility: typical standard deviation of a day's return.
        global_share, class_share: share of the variance that the global and the class shock explain.
        overnight: ``w``, share of the day's standard deviation between close and open.
        trend, trend_half_life: weight and half-life (sessions) of the hidden state ``x``.
        reversal, reversal_half_life: weight and half-life (sessions) of the own past shocks ``f``.
        regime: weight of the regime ``m``.
        carry, rate: weights of the published rate differential and of the rate momentum.
        paired: neighbours have opposite hidden states.
        switching: trend on calm days only, reversal on turbulent days only.
        first_price: typical first price; volume: typical traded units a day, 0 for a class without volume.
        halt_rate: probability that a session has no bar.
    """

    code: int
    daily_volatility: float
    global_share: float
    class_share: float
    overnight: float
    first_price: float
    volume: float
    trend: float = 0.0
    trend_half_life: float = 1.0
    reversal: float = 0.0
    reversal_half_life: float = 1.0
    regime: float = 0.0
    carry: float = 0.0
    rate: float = 0.0
    paired: bool = False
    switching: bool = False
    halt_rate: float = 0.0


CLASS_MODELS: dict[AssetClass, ClassModel] = {
    AssetClass.STOCKS: ClassModel(
        1, 0.013, 0.18, 0.10, 0.25, 60.0, 4e6, trend=0.16, trend_half_life=60, regime=0.05, halt_rate=0.002
    ),
    AssetClass.CRYPTO: ClassModel(
        2, 0.026, 0.05, 0.20, 0.02, 500.0, 2e6, trend=0.22, trend_half_life=30, reversal=-0.25, reversal_half_life=3,
        regime=0.03, switching=True,
    ),
    AssetClass.ETFS: ClassModel(
        3, 0.010, 0.22, 0.13, 0.25, 80.0, 9e6, trend=0.13, trend_half_life=50, regime=0.04, paired=True
    ),
    AssetClass.CURRENCIES: ClassModel(
        4, 0.0045, 0.03, 0.15, 0.05, 1.2, 0.0, trend=0.12, trend_half_life=50, carry=0.05, halt_rate=0.001
    ),
    AssetClass.REITS: ClassModel(
        5, 0.012, 0.15, 0.15, 0.25, 45.0, 2e6, reversal=-0.21, reversal_half_life=8, regime=0.03, rate=-0.08
    ),
    AssetClass.COMMODITIES: ClassModel(
        6, 0.015, 0.06, 0.12, 0.20, 70.0, 2e5, trend=0.16, trend_half_life=40, halt_rate=0.003
    ),
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """What all classes share, one row per calendar day from the first simulated day on.

    Attributes:
        days: (D,) ``datetime64[D]``.
        bull: (D,) regime; global_shock: (D,) ``G``; gap_shock: (D,) overnight counterpart; log_volatility: (D,) ``h``.
        rate: (D,) policy rate in per cent; rate_momentum: (D,) ``R``; carry: (D,) ``D``.
    """

    days: DateArray
    bull: BoolArray
    global_shock: FloatArray
    gap_shock: FloatArray
    log_volatility: FloatArray
    rate: FloatArray
    rate_momentum: FloatArray
    carry: FloatArray


def simulate_world(seed: int, start: date, end: date) -> World:
    """The shared state from ``start`` to ``end``; a later ``end`` appends rows and changes none."""
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    count = len(days)
    policy = _ar1(_normal(seed, 0, 0, _Stream.MACRO, count), _RATE_HALF_LIFE_DAYS)
    momentum = policy - moving_average(policy, _RATE_TREND_HALF_LIFE_DAYS)
    # Variance of an Ornstein-Uhlenbeck process less its exponential average, for unit variance and these half-lives.
    spread = np.sqrt(_RATE_TREND_HALF_LIFE_DAYS / (_RATE_HALF_LIFE_DAYS + _RATE_TREND_HALF_LIFE_DAYS))
    carry = _ar1(_normal(seed, 0, 1, _Stream.MACRO, count), 120)
    return World(
        days=days,
        bull=_regime(seed, count),
        global_shock=_student(seed, 0, 0, _Stream.SHOCK, count),
        gap_shock=_student(seed, 0, 0, _Stream.GAP, count),
        log_volatility=0.22 * _ar1(_normal(seed, 0, 0, _Stream.VOLATILITY, count), 40),
        rate=3.0 + 1.2 * policy,
        rate_momentum=momentum / spread,
        carry=carry,
    )


def simulate_bars(
    world: World, seed: int, edge: float, asset_class: AssetClass, index: int, open_days: BoolArray
) -> pd.DataFrame:
    """Daily bars of one symbol on the days of ``open_days`` (D,): ``session_date``, prices and ``volume``.

    Args:
        index: number of the symbol in its class, from 1; the same number is the same path, whatever else is simulated.
    """
    model = CLASS_MODELS[asset_class]
    count = len(world.days)
    rows = np.flatnonzero(open_days)
    shock = _shock(world, seed, model, index)[rows]
    class_volatility = 0.20 * _ar1(_normal(seed, model.code, 0, _Stream.VOLATILITY, count), 25)
    log_volatility = world.log_volatility + class_volatility
    base = model.daily_volatility * np.exp(0.15 * _normal(seed, model.code, index, _Stream.LEVEL, 2)[0])
    sigma = (base * np.exp(log_volatility) * np.where(world.bull, 1.0, BEAR_VOLATILITY))[rows]
    drift = edge * _drift(world, seed, model, index, rows, shock, log_volatility)
    gap = 0.6 * world.gap_shock[rows] + 0.8 * _student(seed, model.code, index, _Stream.GAP, count)[rows]
    overnight = np.clip(model.overnight * sigma * gap, -_RETURN_LIMIT, _RETURN_LIMIT)
    daytime = np.sqrt(1.0 - model.overnight**2) * shock
    intraday = np.clip(sigma * (drift + daytime), -_RETURN_LIMIT, _RETURN_LIMIT)
    growth = np.cumprod((1.0 + overnight) * (1.0 + intraday))
    close = _first_price(seed, model, index) * growth
    opened = close / (1.0 + intraday)
    reach = np.abs(_normal(seed, model.code, index, _Stream.RANGE, 2 * count).reshape(count, 2)[rows])
    high = np.maximum(opened, close) * (1.0 + 0.4 * sigma * reach[:, 0])
    low = np.minimum(opened, close) * (1.0 - np.minimum(0.4 * sigma * reach[:, 1], 0.5))
    frame = pd.DataFrame(
        {
            "session_date": world.days[rows].astype("datetime64[us]"),
            "open": _quoted(opened),
            "high": _quoted(high),
            "low": _quoted(low),
            "close": _quoted(close),
            "adj_close": np.nan,
            "volume": _volume(seed, model, index, np.abs(overnight + intraday) / sigma, log_volatility, rows),
        }
    )
    halted = _generator(seed, model.code, index, _Stream.HALT).random(count)[rows] < model.halt_rate
    return frame[~halted].reset_index(drop=True)


def macro_noise(seed: int, series: str, count: int) -> FloatArray:
    """Standard normal noise of a macro series, on a stream of its own."""
    return _normal(seed, 0, int.from_bytes(series.encode()), _Stream.MACRO, count)


def moving_average(values: FloatArray, half_life: float) -> FloatArray:
    """Exponential moving average that starts at the first value."""
    keep = float(0.5 ** (1.0 / half_life))
    averages = accumulate(values.tolist(), lambda average, value: keep * average + (1.0 - keep) * value)
    return np.fromiter(averages, dtype=np.float64, count=len(values))


def _drift(
    world: World, seed: int, model: ClassModel, index: int, rows: IndexArray, shock: FloatArray, log_vol: FloatArray
) -> FloatArray:
    """Drift of each session in units of its standard deviation, made of states at the close of the session before."""
    pair, sign = ((index + 1) // 2, 2.0 * (index % 2) - 1.0) if model.paired else (index, 1.0)
    innovations = _normal(seed, model.code, pair, _Stream.DRIFT, len(world.days))
    stretch = 1.0 if model.switching else _CALENDAR_DAYS_PER_SESSION
    trend = sign * model.trend * _ar1(innovations, model.trend_half_life * stretch)[rows]
    reversal = model.reversal * _ar1(shock, model.reversal_half_life)
    if model.switching:
        turbulent = log_vol[rows] > _TURBULENCE
        trend, reversal = np.where(turbulent, 0.0, trend), np.where(turbulent, reversal, 0.0)
    regime = model.regime * np.where(world.bull, 1.0, -1.0)
    carry = model.carry * (2.0 * (index % 2) - 1.0) * world.carry
    known = trend + reversal + (regime + carry + model.rate * world.rate_momentum)[rows]
    return np.concatenate(([0.0], known))[: len(rows)]


def _shock(world: World, seed: int, model: ClassModel, index: int) -> FloatArray:
    own = _student(seed, model.code, index, _Stream.SHOCK, len(world.days))
    shared = _student(seed, model.code, 0, _Stream.SHOCK, len(world.days))
    own_share = 1.0 - model.global_share - model.class_share
    shock: FloatArray = np.sqrt(model.global_share) * world.global_shock + np.sqrt(model.class_share) * shared
    shock += np.sqrt(own_share) * own
    return shock


def _quoted(prices: FloatArray) -> FloatArray:
    """Prices with seven significant digits, so that none becomes zero, however far it falls."""
    digits = np.power(10.0, np.floor(np.log10(prices)) - 6.0)
    quoted: FloatArray = np.round(prices / digits) * digits
    return quoted


def _first_price(seed: int, model: ClassModel, index: int) -> float:
    spread = 0.15 if model.volume == 0.0 else 0.5
    return float(model.first_price * np.exp(spread * _normal(seed, model.code, index, _Stream.LEVEL, 2)[1]))


def _volume(
    seed: int, model: ClassModel, index: int, size_of_move: FloatArray, log_volatility: FloatArray, rows: IndexArray
) -> FloatArray:
    """Units traded: more on large moves and in volatile times; NaN for a class without volume."""
    if model.volume == 0.0:
        return np.full(len(rows), np.nan)
    noise = _normal(seed, model.code, index, _Stream.VOLUME, len(log_volatility))
    level = model.volume * np.exp(0.5 * log_volatility[rows] + 0.25 * noise[rows])
    return np.rint(level * (0.6 + 0.5 * np.minimum(size_of_move, 6.0)))


def _regime(seed: int, count: int) -> BoolArray:
    """True in the bull regime; the first day is one."""
    draws = _generator(seed, 0, 0, _Stream.REGIME).random(count).tolist()

    def step(bull: bool, draw: float) -> bool:
        return bull != (draw < 1.0 / _MEAN_STAY_DAYS[bull])

    return np.fromiter(accumulate(draws[1:], step, initial=True), dtype=np.bool_, count=count)


def _ar1(shocks: FloatArray, half_life: float) -> FloatArray:
    """AR(1) with unit variance when the shocks have it; starts at the first shock."""
    phi = float(0.5 ** (1.0 / half_life))
    scale = float(np.sqrt(1.0 - phi * phi))
    scaled = (scale * shocks).tolist()
    if not scaled:
        return shocks
    states = accumulate(scaled[1:], lambda state, shock: phi * state + shock, initial=float(shocks[0]))
    return np.fromiter(states, dtype=np.float64, count=len(scaled))


def _student(seed: int, code: int, index: int, stream: _Stream, count: int) -> FloatArray:
    draws = _generator(seed, code, index, stream).standard_t(_STUDENT_DF, count)
    shocks: FloatArray = np.clip(draws * np.sqrt((_STUDENT_DF - 2.0) / _STUDENT_DF), -_SHOCK_LIMIT, _SHOCK_LIMIT)
    return shocks


def _normal(seed: int, code: int, index: int, stream: _Stream, count: int) -> FloatArray:
    return _generator(seed, code, index, stream).standard_normal(count)


def _generator(seed: int, code: int, index: int, stream: _Stream) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, code, index, int(stream)])))
