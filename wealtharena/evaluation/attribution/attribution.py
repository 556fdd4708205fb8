"""Where the result of a window came from: by asset, class, cost, factor and timing."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import pandas as pd

from wealtharena.core.errors import DataWindowError
from wealtharena.evaluation.attribution.factors import FactorModel, factor_model
from wealtharena.evaluation.attribution.sessions import SessionProfits, session_profits
from wealtharena.evaluation.attribution.timing import timing_contributions
from wealtharena.evaluation.backtest import BacktestResult

CASH = "cash"
_COST_NAMES = {"borrow": "borrow and holding"}


@dataclass(frozen=True)
class Attribution:
    """Contributions to the total return of an account, as shares of its initial equity.

    Every session's contribution counts in money: at the equity that it was earned on. So the contributions of each
    dimension add up to the total return, with no residual to share out, and gains on a grown account weigh more.

    Attributes:
        total_return: of the account.
        dimensions: contribution by name for each of ``asset``, ``class`` (where groups were given), ``source``,
            ``factor`` and ``timing``.
        factors: the regression behind ``factor``.
    """

    total_return: float
    dimensions: Mapping[str, Mapping[str, float]]
    factors: FactorModel

    def rows(self) -> pd.DataFrame:
        """dimension, name, contribution."""
        rows = [
            (dimension, name, value) for dimension, parts in self.dimensions.items() for name, value in parts.items()
        ]
        return pd.DataFrame(rows, columns=["dimension", "name", "contribution"])


def attribute(result: BacktestResult, groups: Mapping[str, str] | None = None) -> Attribution:
    """Contributions to a backtest's total return.

    Args:
        result: of a backtest; one made by hand has no orders to look at.
        groups: class per symbol, for books of several classes.

    Raises:
        DataWindowError: the result was made by hand.
    """
    if result.trading is None:
        raise DataWindowError(f"{result.name}: an attribution needs a backtest, got a result made by hand")
    path, panel = result.trading.path, result.trading.panel
    profits = session_profits(path, panel, result.trading.rules)
    by_asset = _by_asset(profits, result.symbols)
    factors = factor_model(path, panel)
    dimensions = {"asset": by_asset}
    if groups is not None:
        dimensions["class"] = _by_class(by_asset, groups)
    dimensions["source"] = _by_source(profits)
    dimensions["factor"] = factors.contributions
    dimensions["timing"] = timing_contributions(path, panel, profits)
    return Attribution(float(path.equity[-1]) - 1.0, dimensions, factors)


def _by_asset(profits: SessionProfits, symbols: tuple[str, ...]) -> dict[str, float]:
    """Net of the costs of each; cash has its interest."""
    sums = profits.by_asset.sum(axis=0).tolist()
    return {**dict(zip(symbols, sums, strict=True)), CASH: float(profits.interest.sum())}


def _by_class(by_asset: Mapping[str, float], groups: Mapping[str, str]) -> dict[str, float]:
    classes: dict[str, float] = {}
    for symbol, value in by_asset.items():
        name = groups.get(symbol, symbol)
        classes[name] = classes.get(name, 0.0) + value
    return classes


def _by_source(profits: SessionProfits) -> dict[str, float]:
    return {_COST_NAMES.get(part.name, part.name): float(getattr(profits, part.name).sum()) for part in fields(profits)}
