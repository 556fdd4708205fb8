"""What an indicator is, and the only way one is called: on finite values of consecutive bars."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import BoolArray, FloatArray

BAR_INPUTS = ("open", "high", "low", "close", "traded_value")
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
            times the volume and not negative.
        lookback_bars: number of first bars without an output.
        description: formula and source, one line.
    """

    name: str
    function: Callable[..., FloatArray]
    inputs: tuple[str, ...]
    lookback_bars: int
    description: str


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
    usable = usable_bars(indicator.inputs, bars)
    arrays = [np.ascontiguousarray(bars[name][usable]) for name in indicator.inputs]
    if not all(np.isfinite(array).all() for array in arrays):
        raise AssertionError(f"{indicator.name} must be given finite bars")
    output = np.full(len(usable), np.nan)
    if int(usable.sum()) > indicator.lookback_bars:
        values = np.clip(indicator.function(*arrays), -FEATURE_LIMIT, FEATURE_LIMIT)
        values[: indicator.lookback_bars] = np.nan
        output[usable] = values
    return _carry_forward(output, usable)


def usable_bars(inputs: tuple[str, ...], bars: Mapping[str, FloatArray]) -> BoolArray:
    """(n,) True where every input exists: finite, prices above 0, traded value not below 0."""
    usable = np.ones(len(bars[inputs[0]]), dtype=np.bool_)
    for name in inputs:
        values = bars[name]
        usable &= np.isfinite(values) & ((values >= 0.0) if name == "traded_value" else (values > 0.0))
    return usable


def _carry_forward(values: FloatArray, usable: BoolArray) -> FloatArray:
    if usable.all():
        return values
    index = np.arange(len(values))
    last = np.maximum.accumulate(np.where(usable, index, -1))
    recent = (last >= 0) & (index - last <= MAX_STALE_BARS)
    return np.where(recent, values[np.maximum(last, 0)], np.nan)
