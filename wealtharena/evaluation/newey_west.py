"""Least squares with standard errors that allow for autocorrelation and changing variance."""

import math
from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import FloatArray


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients of a linear regression.

    Attributes:
        coefficients: (K,).
        standard_errors: (K,); NaN with fewer observations than coefficients plus one.
        residuals: (n,).
        lags: autocovariances that the standard errors take in.
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    residuals: FloatArray
    lags: int


def regress(values: FloatArray, inputs: FloatArray) -> Regression:
    """Least squares of ``values`` (n,) on ``inputs`` (n, K) of full rank, a column of ones included where wanted.

    Covariance by Newey and West (1987), "A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix": Bartlett weights over ``floor(4 (n / 100)^(2/9))`` lags (Newey and West 1994), scaled
    by ``n / (n - K)`` for small samples.
    """
    count, width = inputs.shape
    coefficients = np.asarray(np.linalg.lstsq(inputs, values, rcond=None)[0], dtype=np.float64)
    residuals = values - inputs @ coefficients
    lags = min(math.floor(4.0 * (count / 100.0) ** (2.0 / 9.0)), count - 1) if count else 0
    if count <= width:
        return Regression(coefficients, np.full(width, np.nan), residuals, lags)
    scores = inputs * residuals[:, None]
    middle = scores.T @ scores
    for lag in range(1, lags + 1):
        product = scores[lag:].T @ scores[:-lag]
        middle += (1.0 - lag / (lags + 1.0)) * (product + product.T)
    bread = np.linalg.inv(inputs.T @ inputs)
    variance = np.diag(bread @ middle @ bread) * count / (count - width)
    return Regression(coefficients, np.sqrt(np.maximum(variance, 0.0)), residuals, lags)


def long_run_standard_error(values: FloatArray) -> float:
    """Standard error of the mean of a series (n,), see ``regress``; NaN below two values."""
    return float(regress(values, np.ones((len(values), 1))).standard_errors[0]) if len(values) else math.nan
