"""What a rule is: something that an agent has to beat and that needs no training."""

from collections.abc import Callable

from wealtharena.core.panel import FloatArray, MarketPanel
from wealtharena.execution import TradingRules

Baseline = Callable[[MarketPanel, TradingRules], FloatArray]
"""Targets (T, A) within the limits on sizes; row ``t`` is decided after the close of ``t`` from rows up to it alone.

An asset that is not observed gets 0, and every number is finite.
"""
