"""From what a rule thinks of each asset to target weights within the limits."""

from dataclasses import replace

import numpy as np

from wealtharena.core.panel import BoolArray, FloatArray, MarketPanel
from wealtharena.evaluation.baselines.history import forecast_volatility
from wealtharena.execution import TradingRules, target_weights

_SHARE_OF_A_LEG = 3


def within_limits(weights: FloatArray, observed: BoolArray, rules: TradingRules) -> FloatArray:
    """``weights`` (T, A) cut to the limits on sizes by the kernel; 0 where unobserved or NaN."""
    if rules.max_weight == 0.0 or rules.max_gross == 0.0:
        return np.zeros(weights.shape)
    # So that a score of 1 is the largest weight, however many assets there are.
    whole = replace(rules, concentration=2.0 * weights.shape[1] * rules.max_weight / rules.max_gross)
    return target_weights(np.nan_to_num(weights) / rules.max_weight, observed, whole)


def equal_risk(direction: FloatArray, panel: MarketPanel, rules: TradingRules) -> FloatArray:
    """The whole gross exposure over assets with a ``direction`` (T, A) that is not 0, in proportion to 1 / volatility.

    A direction of NaN, an unobserved asset, and one whose volatility is unknown or 0 gets nothing.
    """
    volatility = forecast_volatility(panel)
    usable = panel.observed & np.isfinite(direction) & (direction != 0.0) & (volatility > 0.0)
    sizes = np.divide(1.0, volatility, out=np.zeros(direction.shape), where=usable)
    total = sizes.sum(axis=1, keepdims=True)
    shares = np.divide(sizes, total, out=np.zeros(sizes.shape), where=total > 0.0)
    return within_limits(rules.max_gross * np.sign(np.nan_to_num(direction)) * shares, panel.observed, rules)


def thirds(scores: FloatArray, panel: MarketPanel, rules: TradingRules, *, short: bool) -> FloatArray:
    """Long the third of the assets with the highest scores (T, A), short the third with the lowest, equal inside each.

    Each side has half of the gross exposure; all of it is long if not ``short``, or if the rules are long only. An
    equal score is treated alike, so that ties make a side larger. NaN and unobserved assets are left out; a single one
    that is left has nothing to be compared with, and nothing is held.
    """
    known = panel.observed & np.isfinite(scores)
    count = known.sum(axis=1, keepdims=True)
    size = np.maximum(count // _SHARE_OF_A_LEG, 1)
    ordered = np.sort(np.where(known, scores, np.nan), axis=1)
    lowest = np.take_along_axis(ordered, size - 1, axis=1)
    highest = np.take_along_axis(ordered, np.maximum(count - size, 0), axis=1)
    comparable = known & (count > 1)
    long_side = _equal_shares(comparable & (scores >= highest))
    if rules.long_only or not short:
        return within_limits(rules.max_gross * long_side, panel.observed, rules)
    short_side = _equal_shares(comparable & (scores <= lowest))
    return within_limits(rules.max_gross * 0.5 * (long_side - short_side), panel.observed, rules)


def _equal_shares(chosen: BoolArray) -> FloatArray:
    shares: FloatArray = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1)
    return shares
