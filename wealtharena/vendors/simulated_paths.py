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
    martingales. High and low lie ``0.4 sigma |N|`` beyond open and close, about what a Brownian path would reach.
Volume
    ``V = V_i exp((h + h_c) / 2 + 0.25 N + 0.45 A) (0.6 + 0.5 min(|r| / sigma, 6))`` with ``A`` an AR(1) of half-life 14
    days: it grows with the size of the move and has busy and quiet weeks.
Spread
    half of it is ``half_spread_bps + spread_volatility sigma_i(t)``; it is in no bar.
Events
    change ``sigma``, gaps, prices, spread and volume as ``simulated_events`` says; by default there are none.
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

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.panel import BoolArray, DateArray, FloatArray
from wealtharena.vendors.simulated_events import Event, conditions
from wealtharena.vendors.simulated_models import CALENDAR_DAYS_PER_SESSION, AssetModel, ClassModel, WorldModel
from wealtharena.vendors.simulated_noise import Stream, ar1, generator, moving_average, normal, student, two_states

IndexArray = NDArray[np.intp]

_TURBULENCE = 0.35
_RETURN_LIMIT = 0.5
_RATE_HALF_LIFE_DAYS = 250
_RATE_TREND_HALF_LIFE_DAYS = 60
_VOLUME_TREND = 0.45
_VOLUME_HALF_LIFE_DAYS = 14
_WORLD = WorldModel()


@dataclass(frozen=True)
class World:
    """What all classes share, one row per calendar day from the first simulated day on.

    Attributes:
        days: (D,) ``datetime64[D]``.
        bull: (D,) regime; global_shock: (D,) ``G``; gap_shock: (D,) overnight counterpart; log_volatility: (D,) ``h``.
        regime_volatility: (D,) ``b``; stress: (D,) factor on it by events that hit the whole market.
        rate: (D,) policy rate in per cent; rate_momentum: (D,) ``R``; carry: (D,) ``D``.
    """

    days: DateArray
    bull: BoolArray
    global_shock: FloatArray
    gap_shock: FloatArray
    log_volatility: FloatArray
    regime_volatility: FloatArray
    stress: FloatArray
    rate: FloatArray
    rate_momentum: FloatArray
    carry: FloatArray


def simulate_world(
    seed: int, start: date, end: date, model: WorldModel = _WORLD, events: Sequence[Event] = ()
) -> World:
    """The shared state from ``start`` to ``end``; a later ``end`` appends rows and changes none.

    Args:
        events: those that hit the whole market.
    """
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + 1)
    count = len(days)
    policy = ar1(normal(seed, 0, 0, Stream.MACRO, count), _RATE_HALF_LIFE_DAYS)
    momentum = policy - moving_average(policy, _RATE_TREND_HALF_LIFE_DAYS)
    # Variance of an Ornstein-Uhlenbeck process less its exponential average, for unit variance and these half-lives.
    spread = np.sqrt(_RATE_TREND_HALF_LIFE_DAYS / (_RATE_HALF_LIFE_DAYS + _RATE_TREND_HALF_LIFE_DAYS))
    bull = two_states(seed, model.bull_stay, model.bear_stay, count)
    return World(
        days=days,
        bull=bull,
        global_shock=student(seed, 0, 0, Stream.SHOCK, count, model.student_df),
        gap_shock=student(seed, 0, 0, Stream.GAP, count, model.student_df),
        log_volatility=model.volatility * ar1(normal(seed, 0, 0, Stream.VOLATILITY, count), model.half_life),
        regime_volatility=np.where(bull, 1.0, model.bear_volatility),
        stress=conditions(events, days).volatility,
        rate=3.0 + 1.2 * policy,
        rate_momentum=momentum / spread,
        carry=ar1(normal(seed, 0, 1, Stream.MACRO, count), 120),
    )


def simulate_bars(
    world: World, seed: int, edge: float, asset: AssetModel, open_days: BoolArray, events: Sequence[Event] = ()
) -> pd.DataFrame:
    """Daily bars of one symbol on the days of ``open_days`` (D,): ``session_date``, prices and ``volume``.

    Args:
        asset: the same class and index are the same path, whatever else is simulated.
        events: those that hit the symbol, the whole market's among them.
    """
    model, index, count = asset.model, asset.index, len(world.days)
    rows = np.flatnonzero(open_days)
    faced = conditions(events, world.days[rows])
    shock = _shock(world, seed, model, index)[rows]
    log_volatility = _log_volatility(world, seed, asset)
    sigma = _volatility(world, seed, asset, log_volatility)[rows] * faced.volatility
    drift = edge * _drift(world, seed, model, index, rows, shock, log_volatility)
    overnight = np.clip(
        model.overnight * sigma * _gap_shock(world, seed, model, index)[rows] * faced.gap, -_RETURN_LIMIT, _RETURN_LIMIT
    )
    daytime = np.sqrt(1.0 - model.overnight**2) * shock
    intraday = np.clip(sigma * (drift + daytime) + asset.mean_return, -_RETURN_LIMIT, _RETURN_LIMIT)
    # Factors that are 1 without events leave every figure as it was, to the last bit.
    day_growth = (1.0 + intraday) * faced.slip
    growth = np.cumprod((1.0 + overnight) * faced.jump * day_growth)
    close = _first_price(seed, model, index) * growth
    opened = close / day_growth
    reach = np.abs(normal(seed, model.code, index, Stream.RANGE, 2 * count).reshape(count, 2)[rows])
    high = np.maximum(opened, close) * (1.0 + model.reach * sigma * reach[:, 0]) * (1.0 + faced.spurt)
    low = np.minimum(opened, close) * (1.0 - np.minimum(model.reach * sigma * reach[:, 1], 0.5)) * (1.0 - faced.dip)
    size_of_move = np.abs(overnight + intraday + (faced.jump - 1.0)) / sigma
    frame = pd.DataFrame(
        {
            "session_date": world.days[rows].astype("datetime64[us]"),
            "open": _quoted(opened),
            "high": _quoted(high),
            "low": _quoted(low),
            "close": _quoted(close),
            "adj_close": np.nan,
            "volume": _volume(seed, asset, size_of_move, log_volatility, rows, faced.volume),
        }
    )
    return frame[~_halted(seed, model, index, count)[rows]].reset_index(drop=True)


def simulate_conditions(
    world: World, seed: int, asset: AssetModel, open_days: BoolArray, events: Sequence[Event] = ()
) -> pd.DataFrame:
    """What bars do not show, on the days on which ``simulate_bars`` has one: ``session_date``, ``volatility`` (standard
    deviation of the day's return) and ``half_spread`` (fraction of the price)."""
    rows = np.flatnonzero(open_days)
    faced = conditions(events, world.days[rows])
    calm = _volatility(world, seed, asset, _log_volatility(world, seed, asset))[rows]
    sigma = calm * faced.volatility
    frame = pd.DataFrame(
        {
            "session_date": world.days[rows].astype("datetime64[us]"),
            "volatility": sigma,
            "half_spread": asset.model.half_spread(sigma) * faced.spread,
        }
    )
    halted = _halted(seed, asset.model, asset.index, len(world.days))[rows]
    return frame[~halted].reset_index(drop=True)


def macro_noise(seed: int, series: str, count: int) -> FloatArray:
    """Standard normal noise of a macro series, on a stream of its own."""
    return normal(seed, 0, int.from_bytes(series.encode()), Stream.MACRO, count)


def _log_volatility(world: World, seed: int, asset: AssetModel) -> FloatArray:
    """(D,) the logarithm of the volatility's swings: the world's, the class's and the symbol's."""
    model, count = asset.model, len(world.days)
    swings = model.class_volatility * ar1(normal(seed, model.code, 0, Stream.VOLATILITY, count), model.class_half_life)
    total: FloatArray = world.log_volatility + swings
    if model.own_volatility == 0.0:
        return total
    own = ar1(normal(seed, model.code, asset.index, Stream.VOLATILITY, count), model.own_half_life)
    return total + model.own_volatility * own


def _volatility(world: World, seed: int, asset: AssetModel, log_volatility: FloatArray) -> FloatArray:
    """(D,) standard deviation of each day's return without events."""
    model, base = asset.model, asset.daily_volatility
    if base is None:
        base = model.daily_volatility * np.exp(0.15 * normal(seed, model.code, asset.index, Stream.LEVEL, 2)[0])
    sigma: FloatArray = base * np.exp(log_volatility) * world.regime_volatility
    return sigma


def _drift(
    world: World, seed: int, model: ClassModel, index: int, rows: IndexArray, shock: FloatArray, log_vol: FloatArray
) -> FloatArray:
    """Drift of each session in units of its standard deviation, made of states at the close of the session before."""
    pair, sign = ((index + 1) // 2, 2.0 * (index % 2) - 1.0) if model.paired else (index, 1.0)
    innovations = normal(seed, model.code, pair, Stream.DRIFT, len(world.days))
    stretch = 1.0 if model.switching else CALENDAR_DAYS_PER_SESSION
    trend = sign * model.trend * ar1(innovations, model.trend_half_life * stretch)[rows]
    reversal = model.reversal * ar1(shock, model.reversal_half_life)
    if model.switching:
        turbulent = log_vol[rows] > _TURBULENCE
        trend, reversal = np.where(turbulent, 0.0, trend), np.where(turbulent, reversal, 0.0)
    regime = model.regime * np.where(world.bull, 1.0, -1.0)
    carry = model.carry * (2.0 * (index % 2) - 1.0) * world.carry
    known = trend + reversal + (regime + carry + model.rate * world.rate_momentum)[rows]
    return np.concatenate(([0.0], known))[: len(rows)]


def _shock(world: World, seed: int, model: ClassModel, index: int) -> FloatArray:
    count = len(world.days)
    own = student(seed, model.code, index, Stream.SHOCK, count, model.student_df)
    shared = student(seed, model.code, 0, Stream.SHOCK, count, model.student_df)
    own_share = 1.0 - model.global_share - model.class_share
    shock: FloatArray = np.sqrt(model.global_share) * world.global_shock + np.sqrt(model.class_share) * shared
    shock += np.sqrt(own_share) * own
    return shock


def _gap_shock(world: World, seed: int, model: ClassModel, index: int) -> FloatArray:
    count = len(world.days)
    own_share = 1.0 - model.shared_gap**2 - model.class_gap**2
    own = np.sqrt(own_share) * student(seed, model.code, index, Stream.GAP, count, model.student_df)
    shock: FloatArray = model.shared_gap * world.gap_shock + own
    if model.class_gap != 0.0:
        shock += model.class_gap * student(seed, model.code, 0, Stream.GAP, count, model.student_df)
    return shock


def _quoted(prices: FloatArray) -> FloatArray:
    """Prices with seven significant digits, so that none becomes zero, however far it falls."""
    digits = np.power(10.0, np.floor(np.log10(prices)) - 6.0)
    quoted: FloatArray = np.round(prices / digits) * digits
    return quoted


def _first_price(seed: int, model: ClassModel, index: int) -> float:
    spread = 0.15 if model.volume == 0.0 else 0.5
    return float(model.first_price * np.exp(spread * normal(seed, model.code, index, Stream.LEVEL, 2)[1]))


def _volume(
    seed: int,
    asset: AssetModel,
    size_of_move: FloatArray,
    log_volatility: FloatArray,
    rows: IndexArray,
    factor: FloatArray,
) -> FloatArray:
    """Units traded: more on large moves and in volatile times, with busy and quiet weeks; NaN for a class without."""
    model, count = asset.model, len(log_volatility)
    if model.volume == 0.0:
        return np.full(len(rows), np.nan)
    noise = 0.25 * normal(seed, model.code, asset.index, Stream.VOLUME, count)
    noise += _VOLUME_TREND * ar1(
        normal(seed, model.code, asset.index, Stream.VOLUME_TREND, count), _VOLUME_HALF_LIFE_DAYS
    )
    typical = model.volume if asset.volume is None else asset.volume
    level = typical * np.exp(0.5 * log_volatility[rows] + noise[rows]) * factor
    return np.rint(level * (0.6 + 0.5 * np.minimum(size_of_move, 6.0)))


def _halted(seed: int, model: ClassModel, index: int, count: int) -> BoolArray:
    halted: BoolArray = generator(seed, model.code, index, Stream.HALT).random(count) < model.halt_rate
    return halted
