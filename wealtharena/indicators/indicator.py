"""What an indicator is, and the only way one is called: on finite values of consecutive bars."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from wealtharena.core.panel import BoolArray, FloatArray
from wealtharena.indicators.intermediates import shared

BAR_INPUTS = ("open", "high", "low", "close", "traded_value", "carry")
FEATURE_LIMIT = 5.0
MAX_STALE_BARS = 5


@dataclass(frozen=True, slots=True)
class Indicator:
    """A scale-free function of the bars of one symbol.

    Attributes:
        name: key in ``INDICATORS`` and name of the feature.
        function: takes one (n,) float64 array per name in ``inputs``, finite, one value per bar, oldest first, and
            returns (n,) float64 that is finite from index ``lookback_bars`` on. Value ``i`` may depend on bars up to
            ``i`` only, and not on the unit of the prices.
        inputs: names out of ``BAR_INPUTS``. Prices are adjusted and positive; ``traded_value`` is the unadjusted close
            times the volume and not negative; ``carry`` is a yearly rate as a fraction, of either sign.
        lookback_bars: number of first bars without an output.
        description: formula and source, one line.
        group: what kind of indicator it is.
    """

    name: str
    function: Callable[..., FloatArray]
    inputs: tuple[str, ...]
    lookback_bars: int
    description: str
    group: str = ""


def evaluate(indicator: Indicator, bars: Mapping[str, FloatArray]) -> FloatArray:
    """The indicator on the bars of one symbol, clipped to ``±FEATURE_LIMIT``.

    TA-Lib never recovers from a NaN: most functions return NaN for ever, RSI returns 0.0. So the function sees only the
    bars on which all of its inputs exist, as one contiguous series, and its output is scattered back to them. A bar
    that lacks an input (a high of 0, say) keeps the last output for at most ``MAX_STALE_BARS`` bars.

    Args:
        indicator: what to compute.
        bars: (n,) float64 per input, one value per bar of the symbol, oldest first. NaN, infinite values, prices <= 0
            and traded values < 0 count as missing.

    Returns:
        (n,) float64; NaN in the lookback, and where there is no recent output.
    """
    return bounded(*evaluate_unbounded(indicator, bars))


def evaluate_unbounded(indicator: Indicator, bars: Mapping[str, FloatArray]) -> tuple[FloatArray, int]:
    """What ``bounded`` turns into the result of ``evaluate``: the values, and how many of the first are none."""
    usable, arrays = _usable_arrays(indicator.inputs, *[bars[name] for name in indicator.inputs])
    if len(arrays[0]) <= indicator.lookback_bars:
        return np.full(len(usable), np.nan), 0
    values = indicator.function(*arrays)
    if len(values) == len(usable):
        return values, indicator.lookback_bars
    return _carried_forward(bounded(values, indicator.lookback_bars), usable), 0


@njit(cache=True)
def bounded(values: FloatArray, missing: int) -> FloatArray:
    """(n,) the values clipped to ``±FEATURE_LIMIT``, the first ``missing`` NaN."""
    result = np.empty(len(values))
    result[:missing] = np.nan
    clipped, given = result[missing:], values[missing:]
    for place in range(len(clipped)):
        value = given[place]
        clipped[place] = -FEATURE_LIMIT if value < -FEATURE_LIMIT else FEATURE_LIMIT if value > FEATURE_LIMIT else value
    return result


def usable_bars(inputs: tuple[str, ...], bars: Mapping[str, FloatArray]) -> BoolArray:
    """(n,) True where every input exists: finite, prices above 0, traded value not below 0, carry anything."""
    usable = np.ones(len(bars[inputs[0]]), dtype=np.bool_)
    for name in inputs:
        usable &= _usable_values(bars[name], name)
    return usable


@shared
def _usable_values(values: FloatArray, name: str) -> BoolArray:
    finite: BoolArray = np.isfinite(values)
    if name == "carry":
        return finite
    large_enough: BoolArray = (values >= 0.0) if name == "traded_value" else (values > 0.0)
    return large_enough & finite


@shared
def _usable_arrays(names: tuple[str, ...], *arrays: FloatArray) -> tuple[BoolArray, list[FloatArray]]:
    usable = usable_bars(names, dict(zip(names, arrays, strict=True)))
    # Arrays without a gap stay the same objects, by which intermediates are shared.
    chosen = arrays if usable.all() else [array[usable] for array in arrays]
    return usable, [np.ascontiguousarray(array) for array in chosen]


def _carried_forward(values: FloatArray, usable: BoolArray) -> FloatArray:
    index = np.arange(len(usable))
    last = np.maximum.accumulate(np.where(usable, index, -1))
    recent = (last >= 0) & (index - last <= MAX_STALE_BARS)
    place = np.maximum(np.cumsum(usable) - 1, 0)
    return np.where(recent, values[place], np.nan)
