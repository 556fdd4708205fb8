"""How much of a result are factors that anybody can have: market, momentum, carry, volatility."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import BoolArray, FloatArray, MarketPanel, last_known
from wealtharena.envs.simulation import SimulationPath
from wealtharena.evaluation.attribution.asset_returns import asset_returns, holdable
from wealtharena.evaluation.attribution.sessions import capital_before
from wealtharena.evaluation.newey_west import regress
from wealtharena.evaluation.nights import cash_returns_of

MONTHS_PER_YEAR = 12
_LEAST_ASSETS = 3
_NOISE = 1e-12
_CARRY_FEATURE = "carry"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Sensitivity to a factor, with its Newey-West standard error."""

    beta: float
    standard_error: float


@dataclass(frozen=True)
class FactorModel:
    """Regression of an account's returns above cash on factor portfolios.

    Attributes:
        exposures: by factor; a factor that does not move, or is a sum of others, is left out.
        alpha: return that no factor explains, a year; NaN if the regression could not be made.
        alpha_standard_error: Newey-West, a year.
        contributions: shares of the total return by name: cash, the factors, ``alpha`` and ``residual``.
    """

    exposures: dict[str, Exposure]
    alpha: float
    alpha_standard_error: float
    contributions: dict[str, float]

    def rows(self) -> pd.DataFrame:
        """scenario (a factor, or ``alpha``), metric (``beta``, ``annual_return``), quantile, value."""
        rows = [("alpha", "annual_return", "value", self.alpha)]
        rows.append(("alpha", "annual_return", "standard_error", self.alpha_standard_error))
        for name, exposure in self.exposures.items():
            rows.append((name, "beta", "value", exposure.beta))
            rows.append((name, "beta", "standard_error", exposure.standard_error))
        return pd.DataFrame(rows, columns=["scenario", "metric", "quantile", "value"])


def factor_model(path: SimulationPath, panel: MarketPanel) -> FactorModel:
    """Time-series regression ``r_t - cash_t = alpha + sum_k beta_k f_kt + e_t`` over the sessions of a path.

    Contributions are ``sum_t E_(t-1) x_t`` of each term ``x``, ``E`` being the equity that the session's return was
    earned on: they add up to the total return. ``residual`` is that sum of ``e_t``, which is 0 only where the equity
    does not change.
    """
    first = int(np.searchsorted(panel.dates, path.dates[0]))
    capital = capital_before(path.equity)
    found = {name: values[first : first + len(capital)] for name, values in factor_returns(panel).items()}
    factors = _independent(found, len(capital))
    inputs = np.column_stack([np.ones(len(capital)), *factors.values()])
    fit = regress(path.excess_returns, inputs)
    terms = dict(zip(["alpha", *factors], (inputs * fit.coefficients).T, strict=True))
    terms = {"cash": path.cash_returns, **terms, "residual": fit.residuals}
    betas = zip(factors, fit.coefficients[1:].tolist(), fit.standard_errors[1:].tolist(), strict=True)
    return FactorModel(
        exposures={name: Exposure(beta, error) for name, beta, error in betas},
        alpha=float(fit.coefficients[0]) * panel.annualisation,
        alpha_standard_error=float(fit.standard_errors[0]) * panel.annualisation,
        contributions={name: float(capital @ values) for name, values in terms.items()},
    )


def factor_returns(panel: MarketPanel) -> dict[str, FloatArray]:
    """Returns (T,) of the factor portfolios of a panel, without costs; weights of ``t`` are known at the close before.

    - ``market``: every asset with a recent bar alike, less what cash earns;
    - ``momentum``: long what rose in the twelve months up to a month ago, short what fell (Jegadeesh and Titman 1993,
      with the month that Asness 1994 leaves out);
    - ``volatility``: long the calm, short the restless, by the panel's volatility (Frazzini and Pedersen 2014, without
      their leverage);
    - ``carry``: long what earns by being held, short what costs (Koijen et al. 2018), by the panel's carry where it
      differs between assets, else by its feature ``carry``; only where there is one.

    Long-short portfolios weigh by rank, one unit long and one short, over at least three assets; else they return 0.
    """
    returns, held = asset_returns(panel), holdable(panel)
    signals = {"momentum": _momentum(panel), "volatility": -panel.volatility}
    carry = _carry(panel)
    if carry is not None:
        signals["carry"] = carry
    factors = {"market": _earned(_equal(held), returns) - cash_returns_of(panel)}
    for name, signal in signals.items():
        factors[name] = _earned(_ranked(np.where(held, signal, np.nan)), returns)
    return factors


def _equal(held: BoolArray) -> FloatArray:
    weights: FloatArray = held / np.maximum(held.sum(axis=1, keepdims=True), 1)
    return weights


def _ranked(signal: FloatArray) -> FloatArray:
    """(T, A) weights by rank: those above the middle sum to 1, those below to -1; 0 with too few or equal signals."""
    ranks = pd.DataFrame(signal).rank(axis=1).to_numpy()
    count = np.isfinite(signal).sum(axis=1, keepdims=True)
    centred = np.where(np.isfinite(signal), ranks - (count + 1) / 2.0, 0.0)
    size = np.abs(centred).sum(axis=1, keepdims=True)
    usable = (count >= _LEAST_ASSETS) & (size > 0.0)
    weights = np.zeros(centred.shape)
    np.divide(2.0 * centred, size, out=weights, where=usable)
    return weights


def _earned(weights: FloatArray, returns: FloatArray) -> FloatArray:
    return np.append(0.0, (weights[:-1] * returns[1:]).sum(axis=1))


def _momentum(panel: MarketPanel) -> FloatArray:
    """(T, A) price change from a year to a month before; NaN without a year of history."""
    value = np.log(np.where(last_known(panel.total_return_close) > 0.0, last_known(panel.total_return_close), np.nan))
    year, month = panel.annualisation, panel.annualisation // MONTHS_PER_YEAR
    signal = np.full(value.shape, np.nan)
    if len(value) > year:
        signal[year:] = value[year - month : len(value) - month] - value[: len(value) - year]
    return signal


def _carry(panel: MarketPanel) -> FloatArray | None:
    if panel.carry is not None and np.ptp(np.nan_to_num(panel.carry), axis=1).max(initial=0.0) > _NOISE:
        return panel.carry
    if _CARRY_FEATURE not in panel.feature_names:
        return None
    feature = panel.features[:, :, panel.feature_names.index(_CARRY_FEATURE)].astype(np.float64)
    return np.where(panel.observed, feature, np.nan)


def _independent(factors: Mapping[str, FloatArray], count: int) -> dict[str, FloatArray]:
    """The factors that move and are no sum of those before them."""
    kept: dict[str, FloatArray] = {}
    for name, values in factors.items():
        columns = np.column_stack([np.ones(count), *kept.values(), values])
        scale = np.abs(columns).max(axis=0)
        if scale.min() > _NOISE and np.linalg.matrix_rank(columns / scale) == columns.shape[1]:
            kept[name] = values
    return kept
