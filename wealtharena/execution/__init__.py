"""The execution kernel: decisions, fills, costs, accounts; the same for training, backtests and signals."""

from wealtharena.execution.accounts import INITIAL_EQUITY, Accounts, Limit, SessionReport
from wealtharena.execution.market import MarketArrays, market_arrays
from wealtharena.execution.rules import TradingRules
from wealtharena.execution.targets import target_weights

__all__ = [
    "INITIAL_EQUITY",
    "Accounts",
    "Limit",
    "MarketArrays",
    "SessionReport",
    "TradingRules",
    "market_arrays",
    "target_weights",
]
