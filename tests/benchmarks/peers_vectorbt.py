"""vectorbt's ``Portfolio.from_orders`` on the cost model that both sides have.

Target weights of the value at the open, filled at that open, with costs in proportion to the traded value. Cash
suffices as long as the weights leave room for the costs: vectorbt cuts an order that cash does not cover.
"""

import importlib.util

import numpy as np

NAME = "vectorbt 1.2.0 (Portfolio.from_orders)"

# vectorbt takes a size below 1e-9 units for nothing, so that an account of 1 would lose its smallest orders.
_CASH = 1e6


def is_installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("vectorbt") is not None


def engines() -> list[str]:
    """Numba, and the compiled one if ``vectorbt-rust`` is there."""
    return ["numba", "rust"] if importlib.util.find_spec("vectorbt_rust") else ["numba"]


def final_equity_of_strategies(
    weights: np.ndarray, opens: np.ndarray, closes: np.ndarray, cost: float, engine: str
) -> np.ndarray:
    """Final equity (S,) of S strategies on one asset, each with an account of 1.

    Args:
        weights: (T, S) weight that fills at ``opens[t]``; NaN gives no order.
        opens, closes: (T, 1).
    """
    return np.asarray(_portfolio(weights, opens, closes, cost, engine, shared=False).final_value()) / _CASH


def final_equity_of_portfolio(
    weights: np.ndarray, opens: np.ndarray, closes: np.ndarray, cost: float, engine: str
) -> float:
    """Final equity of one account of 1 over A assets; all arrays are (T, A)."""
    return float(_portfolio(weights, opens, closes, cost, engine, shared=True).final_value()) / _CASH


def _portfolio(
    weights: np.ndarray, opens: np.ndarray, closes: np.ndarray, cost: float, engine: str, *, shared: bool
) -> "object":
    import vectorbt

    return vectorbt.Portfolio.from_orders(
        closes,
        size=weights,
        size_type="targetpercent",
        direction="both",
        price=opens,
        fees=cost,
        init_cash=_CASH,
        cash_sharing=shared,
        group_by=True if shared else None,
        call_seq="auto" if shared else None,  # sales before purchases, as in one auction
        freq="1D",
        engine=engine,
    )
