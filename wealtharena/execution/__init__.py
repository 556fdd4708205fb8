"""The execution kernel: decisions, fills, costs, accounts; the same for training, backtests and signals."""

from wealtharena.execution.accounts import INITIAL_EQUITY, Accounts, Limit, SessionReport
from wealtharena.execution.ledger import trade_ledger
from wealtharena.execution.market import MarketArrays, load_market, market_arrays, save_market
from wealtharena.execution.monitor import active_limits, bound_shares, drawdown_state, monitor
from wealtharena.execution.portfolio import Portfolio, portfolio_of
from wealtharena.execution.reward import TERMS, RewardWeights
from wealtharena.execution.rules import TradingRules
from wealtharena.execution.targets import target_weights

__all__ = [
    "INITIAL_EQUITY",
    "TERMS",
    "Accounts",
    "Limit",
    "MarketArrays",
    "Portfolio",
    "RewardWeights",
    "SessionReport",
    "TradingRules",
    "active_limits",
    "bound_shares",
    "drawdown_state",
    "load_market",
    "market_arrays",
    "monitor",
    "portfolio_of",
    "save_market",
    "target_weights",
    "trade_ledger",
]
