"""Compiled loops over activations and their derivatives: what gradients by hand do between products of matrices."""

import numpy as np

from wealtharena.agents.networks import MASK_COLUMN
from wealtharena.core.panel import Float32Array
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.training.compiled import compiled
from wealtharena.training.losses import tanh32


@compiled
def add_bias_tanh(columns: Float32Array, bias: Float32Array) -> None:
    """Columns (R, H) become the hyperbolic tangent of them and a bias."""
    for i in range(len(columns)):
        row = columns[i]
        for k in range(len(bias)):
            row[k] = tanh32(row[k] + bias[k])


@compiled
def add_bias_relu(columns: Float32Array, bias: Float32Array) -> None:
    """The same with 0 for what is negative."""
    for i in range(len(columns)):
        row = columns[i]
        for k in range(len(bias)):
            value = row[k] + bias[k]
            row[k] = np.float32(0.0) if value <= np.float32(0.0) else value  # NaN stays


@compiled
def derive_tanh(slopes: Float32Array, hidden: Float32Array, by_bias: Float32Array) -> None:
    """Derivatives by activations become those by what they were made of, and are added up for the bias."""
    for i in range(len(slopes)):
        slope, value = slopes[i], hidden[i]
        for k in range(len(by_bias)):
            slope[k] *= np.float32(1.0) - value[k] * value[k]
            by_bias[k] += slope[k]


@compiled
def derive_relu(slopes: Float32Array, hidden: Float32Array, by_bias: Float32Array) -> None:
    """As ``derive_tanh``, for ``add_bias_relu``."""
    for i in range(len(slopes)):
        slope, value = slopes[i], hidden[i]
        for k in range(len(by_bias)):
            slope[k] = slope[k] if value[k] > np.float32(0.0) else np.float32(0.0)
            by_bias[k] += slope[k]


@compiled
def scale_rows(
    observations: Float32Array, mean: Float32Array, factor: Float32Array, window: int, limit: np.float32,
    rows: Float32Array,
) -> None:  # fmt: skip
    """``ScaledRows`` of observations (R, A, D), and 0 where the mask is."""
    count, num_assets, width = observations.shape
    features = (width - ACCOUNT_COLUMNS) // window
    for i in range(count):
        for a in range(num_assets):
            seen, row = observations[i, a], rows[i, a]
            if seen[width + MASK_COLUMN] == np.float32(0.0):
                row[:] = np.float32(0.0)
                continue
            for k in range(width):
                row[k] = min(max((seen[k] - mean[k]) * factor[k], -limit), limit)
            for session in range(window if window > 1 else 0):
                start, stop = session * features, (session + 1) * features
                if not np.any(seen[start:stop]):
                    row[start:stop] = np.float32(0.0)


@compiled
def pool_rows(encoded: Float32Array, rows: Float32Array, num_assets: int, pooled: Float32Array) -> None:
    """Means (B, H) of encodings (B*A, H) over the assets that ``rows`` (B*A, D) show as observed."""
    place = rows.shape[1] + MASK_COLUMN
    for i in range(len(pooled)):
        mean, observed = pooled[i], np.float32(0.0)
        mean[:] = np.float32(0.0)
        for k in range(i * num_assets, (i + 1) * num_assets):
            if rows[k, place] > np.float32(0.0):
                observed += np.float32(1.0)
                mean += encoded[k]
        if observed > np.float32(1.0):
            mean /= observed


@compiled
def spread_twins(by_pooled: Float32Array, rows: Float32Array, num_assets: int, slopes: Float32Array) -> None:
    """Adds derivatives by the actor's encodings through their mean, and sets those by the critic's."""
    place, width = rows.shape[1] + MASK_COLUMN, by_pooled.shape[1] // 2
    for i in range(len(by_pooled)):
        observed = np.float32(0.0)
        for k in range(i * num_assets, (i + 1) * num_assets):
            observed += rows[k, place]
        share = np.float32(1.0) / max(observed, np.float32(1.0))
        for k in range(i * num_assets, (i + 1) * num_assets):
            slope, part = slopes[k], by_pooled[i]
            weight = share * rows[k, place]
            for j in range(width):
                slope[j] += weight * part[j]
                slope[width + j] = weight * part[width + j]


@compiled
def mix_context(mixed: Float32Array, context: Float32Array, bias: Float32Array) -> None:
    """Hyperbolic tangent of (B*A, H) and a bias and, for each account, its context (B, H)."""
    num_assets = len(mixed) // len(context)
    for i in range(len(mixed)):
        row, shift = mixed[i], context[i // num_assets]
        for k in range(len(bias)):
            row[k] = tanh32(row[k] + shift[k] + bias[k])


@compiled
def derive_mix(slopes: Float32Array, mixed: Float32Array, by_context: Float32Array) -> None:
    """Derivatives by what ``mix_context`` made become those by what it took; summed over an account's assets, those by
    the context."""
    num_assets = len(slopes) // len(by_context)
    by_context[:] = np.float32(0.0)
    for i in range(len(slopes)):
        slope, value, total = slopes[i], mixed[i], by_context[i // num_assets]
        for k in range(len(total)):
            slope[k] *= np.float32(1.0) - value[k] * value[k]
            total[k] += slope[k]
