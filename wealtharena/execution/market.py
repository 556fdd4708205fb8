"""A market panel as the contiguous arrays that the compiled kernel reads."""

from typing import NamedTuple

import numpy as np

from wealtharena.core.panel import BoolArray, Float32Array, FloatArray, MarketPanel

ACCOUNT_COLUMNS = 4
"""Observation columns after the features: position, observed mask, gross exposure, drawdown."""


class MarketArrays(NamedTuple):
    """T sessions x A assets, all C-contiguous and writable (one compiled specialisation).

    Attributes:
        observation: (T, A, F + 4) float32: features, 0, observed, 0, 0; the kernel fills in the zeros.
        open_mark: (T, A) value of a unit at the open: the open, else the last close; NaN before the first bar.
        close_mark: (T, A) value of a unit at the close: the last close up to ``t``; NaN before the first bar.
        tradable: (T, A) True where an order fills; never at an open that is not positive.
        observed: (T, A) see ``MarketPanel``.
        delisted: (T, A) see ``MarketPanel``.
        one_way_cost: (A,) fraction of traded value.
    """

    observation: Float32Array
    open_mark: FloatArray
    close_mark: FloatArray
    tradable: BoolArray
    observed: BoolArray
    delisted: BoolArray
    one_way_cost: FloatArray


def market_arrays(panel: MarketPanel) -> MarketArrays:
    """Marks and flags of a panel; prices are only carried forward, so row ``t`` depends on rows up to ``t``."""
    bar_close = np.where(np.isnan(panel.close), panel.open, panel.close)
    close_mark = _carry_forward(bar_close)
    previous = np.vstack([np.full((1, close_mark.shape[1]), np.nan), close_mark[:-1]])
    return MarketArrays(
        observation=_observation_template(panel),
        open_mark=np.ascontiguousarray(np.where(np.isnan(panel.open), previous, panel.open)),
        close_mark=np.ascontiguousarray(close_mark),
        tradable=np.ascontiguousarray(panel.tradable & (panel.open > 0.0)),
        observed=np.require(panel.observed, np.bool_, ["C", "W"]),
        delisted=np.require(panel.delisted, np.bool_, ["C", "W"]),
        one_way_cost=np.require(panel.one_way_cost, np.float64, ["C", "W"]),
    )


def _observation_template(panel: MarketPanel) -> Float32Array:
    num_sessions, num_assets, num_features = panel.features.shape
    template: Float32Array = np.zeros((num_sessions, num_assets, num_features + ACCOUNT_COLUMNS), np.float32)
    template[:, :, :num_features] = np.where(panel.observed[:, :, None], panel.features, np.float32(0.0))
    template[:, :, num_features + 1] = panel.observed
    return template


def _carry_forward(values: FloatArray) -> FloatArray:
    """(T, A) with each NaN replaced by the last value above it; leading NaNs stay."""
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)
