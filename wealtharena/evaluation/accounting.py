"""What a backtest paid, earned and traded, and where it stands against its limits: as figures and as rows."""

from collections.abc import Mapping

import pandas as pd

from wealtharena.core.numbers import number_or_none
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.execution import monitor, trade_ledger

TRADE_COLUMNS = (
    "strategy", "sequence", "session_date", "symbol", "side", "units", "price", "value", "commission", "spread",
    "impact", "position", "realised",
)  # fmt: skip


def account_figures(result: BacktestResult) -> dict[str, float | None]:
    """The risk monitor's figures by name, see ``wealtharena.execution.monitor``; None where undefined.

    A result that was made by hand has none.
    """
    if result.trading is None:
        return {}
    figures = monitor(result.trading.path, result.trading.rules, result.annualisation)
    return {name: number_or_none(value) for name, value in figures.items()}


def account_frame(result: BacktestResult) -> pd.DataFrame:
    """One row per figure of ``account_figures``: strategy, metric, value."""
    figures = account_figures(result)
    values = pd.Series(list(figures.values()), dtype="float64")
    return pd.DataFrame({"strategy": result.name, "metric": pd.Series(list(figures), dtype="object"), "value": values})


def trade_rows(results: Mapping[str, BacktestResult]) -> pd.DataFrame:
    """Every trade of some backtests, see ``wealtharena.execution.trade_ledger``; ``sequence`` counts them from 1."""
    frames = []
    for name, result in results.items():
        if result.trading is not None:
            ledger = trade_ledger(result.trading.path, result.trading.panel, result.trading.rules)
            frames.append(ledger.assign(strategy=name, sequence=range(1, len(ledger) + 1)))
    filled = [frame for frame in frames if len(frame)]
    everything = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(TRADE_COLUMNS))
    return everything[list(TRADE_COLUMNS)]
