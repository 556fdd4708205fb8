"""What a simulation ends with: figures of many accounts, as quantiles, as fans and as rows of the warehouse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import FloatArray

QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
WHOLE = -1
"""Session of a figure that is about the whole window."""


@dataclass(frozen=True)
class Simulation:
    """Figures of N simulated accounts.

    Attributes:
        method: how they were simulated (``return_bootstrap`` …).
        scenario: of the method (``2x`` …).
        figures: (N,) by name; NaN where a figure is not defined.
        equity: (N, T) at the close, from 1; None where no fan is of interest.
    """

    method: str
    scenario: str
    figures: Mapping[str, FloatArray]
    equity: FloatArray | None = None

    def quantiles(self, figure: str) -> dict[float, float]:
        """Quantiles of a figure over the accounts that have it; NaN if none has."""
        return dict(zip(QUANTILES, _quantiles(self.figures[figure][:, None])[:, 0].tolist(), strict=True))

    @property
    def loss_probability(self) -> float:
        """Share of the accounts that end below where they began."""
        return float(np.mean(self.figures["total_return"] < 0.0))

    @property
    def fan(self) -> FloatArray | None:
        """(quantiles, T) of the equity at each close."""
        return None if self.equity is None else _quantiles(self.equity)


def simulation_rows(simulations: Sequence[Simulation]) -> pd.DataFrame:
    """method, scenario, metric, session, quantile, value: quantiles and mean of figures, probability of loss, fans.

    A simulation of a single account has one row per figure, with the quantile ``value``.
    """
    return pd.concat([pd.DataFrame(_rows(item), columns=_COLUMNS) for item in simulations], ignore_index=True)


_COLUMNS = ["method", "scenario", "metric", "session", "quantile", "value"]
Row = tuple[str, str, str, int, str, float]


def _rows(item: Simulation) -> list[Row]:
    def row(metric: str, quantile: str, value: float, session: int = WHOLE) -> Row:
        return item.method, item.scenario, metric, session, quantile, value

    if len(next(iter(item.figures.values()))) == 1:
        return [row(name, "value", float(values[0])) for name, values in item.figures.items()]
    rows = [row("loss_probability", "mean", item.loss_probability)]
    for name, values in item.figures.items():
        rows += [row(name, f"{level:.2f}", value) for level, value in item.quantiles(name).items()]
        rows.append(row(name, "mean", float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")))
    fan = item.fan
    if fan is not None:
        rows += [
            row("equity", f"{level:.2f}", float(value), session)
            for level, values in zip(QUANTILES, fan, strict=True)
            for session, value in enumerate(values)
        ]
    return rows


def _quantiles(values: FloatArray) -> FloatArray:
    """(quantiles, T) over the first axis; NaN where nothing is known."""
    known = np.isfinite(values).any(axis=0)
    result = np.full((len(QUANTILES), values.shape[1]), np.nan)
    if known.any():
        result[:, known] = np.nanquantile(values[:, known], QUANTILES, axis=0)
    return result
