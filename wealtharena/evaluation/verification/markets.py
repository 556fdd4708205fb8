"""The random laws of the verification markets; volatilities and costs per session, in the units of the formulas."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.verification.worlds import Draw


@dataclass(frozen=True, slots=True)
class Martingale:
    """M0: independent Normal returns; the feature is the last return. Hidden: a fair coin, -1 or 1."""

    feature_names: ClassVar[tuple[str, ...]] = ("last_return",)
    volatility: float = 0.01

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        shocks = generator.normal(size=(num_sessions, 1))
        coin = generator.choice([-1.0, 1.0], size=(num_sessions, 1))
        return Draw(self.volatility * shocks, shocks[:, :, None], coin)


@dataclass(frozen=True, slots=True)
class AutoregressiveReturns:
    """M1: ``r[t + 1] = phi r[t] + noise``; the feature is the last return over its volatility."""

    feature_names: ClassVar[tuple[str, ...]] = ("last_return",)
    phi: float
    volatility: float = 0.01

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        scaled = _autoregression(generator.normal(size=(num_sessions, 1)), self.phi)
        return Draw(self.volatility * scaled, scaled[:, :, None], np.zeros(scaled.shape))


@dataclass(frozen=True, slots=True)
class ForecastReturns:
    """M2: ``r[t + 1] = strength f[t] + noise`` with a slowly fading forecast ``f`` of unit variance, the feature.

    The market of Garleanu and Pedersen (2013), "Dynamic trading with predictable returns and transaction costs".

    Attributes:
        half_life: of the forecast, in sessions.
        strength: expected return per unit of ``f``.
        volatility: of the noise.
        risk_aversion: ``gamma``.
        quadratic_cost: ``Lambda``: a change of position by ``dx`` costs ``Lambda / 2 dx**2``.
        discount: ``rho`` per session.
        full_position: the position that a weight of 1 stands for; the best policy's has a standard deviation of 6.5.
    """

    feature_names: ClassVar[tuple[str, ...]] = ("forecast",)
    half_life: float = 20.0
    strength: float = 0.001
    volatility: float = 0.01
    risk_aversion: float = 1.0
    quadratic_cost: float = 0.01
    discount: float = 1e-4
    full_position: float = 60.0

    @property
    def fading(self) -> float:
        """Share of the forecast that is gone after one session."""
        return float(1.0 - 0.5 ** (1.0 / self.half_life))

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        forecast = _autoregression(generator.normal(size=(num_sessions, 1)), 1.0 - self.fading)
        noise = self.volatility * generator.normal(size=(num_sessions, 1))
        return Draw(noise + self.strength * _lagged(forecast), forecast[:, :, None], np.zeros(forecast.shape))


@dataclass(frozen=True, slots=True)
class MeanRevertingSpread:
    """M3: the price is a spread ``X`` that reverts to 0 (Ornstein-Uhlenbeck); the feature is ``X`` over its s.d.

    Attributes:
        half_life: of a deviation, in sessions.
        deviation: stationary standard deviation of the spread.
    """

    feature_names: ClassVar[tuple[str, ...]] = ("spread",)
    half_life: float = 10.0
    deviation: float = 0.05

    @property
    def reversion(self) -> float:
        """Share of a deviation that is gone after one session, ``theta``."""
        return float(1.0 - 0.5 ** (1.0 / self.half_life))

    @property
    def volatility(self) -> float:
        return float(self.deviation * np.sqrt(2.0 * self.reversion))

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        scaled = _autoregression(generator.normal(size=(num_sessions + 1, 1)), 1.0 - self.reversion)
        return Draw(self.deviation * np.diff(scaled, axis=0), scaled[1:, :, None], np.zeros((num_sessions, 1)))


@dataclass(frozen=True, slots=True)
class HiddenRegimes:
    """M4: the mean return is ``drift`` or ``-drift`` and rarely switches. Hidden: the regime of ``t``, -1 or 1.

    The features hold the last return over its volatility, and exponential means of it with several spans (each scaled
    to unit variance), from which an agent without a memory can guess the regime.

    Attributes:
        stay: probability that the regime of the next session is the same.
        volatility: of the noise.
    """

    feature_names: ClassVar[tuple[str, ...]] = ("last_return", "mean_10", "mean_30", "mean_100")
    drift: float = 0.001
    stay: float = 0.99
    volatility: float = 0.01

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        switches = generator.random(num_sessions) < np.concatenate([[0.5], np.full(num_sessions - 1, 1.0 - self.stay)])
        regime = np.where(np.cumsum(switches) % 2, 1.0, -1.0)[:, None]
        scaled = generator.normal(size=regime.shape) + regime * self.drift / self.volatility
        means = [_exponential_mean(scaled, 2.0 / (span + 1.0)) * np.sqrt(span) for span in (10, 30, 100)]
        return Draw(self.volatility * scaled, np.stack([scaled, *means], axis=2), regime)


@dataclass(frozen=True, slots=True)
class CarryPortfolio:
    """M5: assets that pay their carry and share a market factor; the feature is the carry signal (unit variance).

    ``r[i, t + 1] = payoff s[i, t] + market[t + 1] + noise``; the signals are independent first-order autoregressions.

    Attributes:
        payoff: expected return per unit of signal, ``kappa``.
        persistence: autocorrelation of the signals.
        noise: standard deviation of an asset's own return.
        market_volatility: of the common factor, which pays nothing.
    """

    feature_names: ClassVar[tuple[str, ...]] = ("carry",)
    num_assets: int = 20
    payoff: float = 4e-4
    persistence: float = 0.98
    noise: float = 0.01
    market_volatility: float = 0.01

    @property
    def volatility(self) -> float:
        return float(np.sqrt(self.noise**2 + self.market_volatility**2 + self.payoff**2))

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        shape = (num_sessions, self.num_assets)
        signal = _autoregression(generator.normal(size=shape), self.persistence)
        market = self.market_volatility * generator.normal(size=(num_sessions, 1))
        returns = self.payoff * _lagged(signal) + market + self.noise * generator.normal(size=shape)
        return Draw(returns, signal[:, :, None], np.zeros(shape))


@dataclass(frozen=True, slots=True)
class TrapFeature:
    """M6: a martingale with a feature that knows tomorrow and is published a session late.

    The feature dated ``t`` correlates with the return of ``t + 1`` and becomes known after the close of ``t + 1``:
    row ``t`` of the panel holds the one dated ``t - 1``, which is worthless. Hidden: the one dated ``t``, which a
    pipeline reads if it joins on the date instead of the release.

    Attributes:
        correlation: of the feature with tomorrow's return.
    """

    feature_names: ClassVar[tuple[str, ...]] = ("published",)
    correlation: float = 0.668
    volatility: float = 0.01

    def draw(self, generator: np.random.Generator, num_sessions: int) -> Draw:
        shocks = generator.normal(size=(num_sessions + 1, 1))
        own = generator.normal(size=(num_sessions, 1))
        dated = self.correlation * shocks[1:] + np.sqrt(1.0 - self.correlation**2) * own
        return Draw(self.volatility * shocks[:-1], _lagged(dated)[:, :, None], dated)


M0 = Martingale()
M1 = AutoregressiveReturns(phi=0.1)
M1_WEAK = AutoregressiveReturns(phi=0.05)
M2 = ForecastReturns()
M3 = MeanRevertingSpread()
M4 = HiddenRegimes()
M5 = CarryPortfolio()
M6 = TrapFeature()


def _autoregression(shocks: FloatArray, coefficient: float) -> FloatArray:
    """(T, A) stationary first-order autoregressions of unit variance from standard Normal shocks."""
    innovations = np.sqrt(1.0 - coefficient**2) * shocks
    innovations[0] = shocks[0]
    # An exponential mean is the same recursion with its input scaled, and pandas runs it compiled.
    innovations[1:] /= 1.0 - coefficient
    return _exponential_mean(innovations, 1.0 - coefficient)


def _exponential_mean(values: FloatArray, weight: float) -> FloatArray:
    """(T, A): ``y[t] = (1 - weight) y[t - 1] + weight x[t]``, ``y[0] = x[0]``."""
    mean: FloatArray = pd.DataFrame(values).ewm(alpha=weight, adjust=False).mean().to_numpy()
    return mean


def _lagged(values: FloatArray) -> FloatArray:
    """(T, A) the row before; 0 in the first."""
    return np.vstack([np.zeros((1, values.shape[1])), values[:-1]])
