"""Everything that is simulated of one strategy in one window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.monte_carlo.blocks import mean_block_length
from wealtharena.evaluation.monte_carlo.cost_stress import (
    BreakEven,
    Stress,
    break_even_cost,
    cost_stress,
    slippage_stress,
)
from wealtharena.evaluation.monte_carlo.jitter import (
    feature_noise,
    lag_loss,
    lagged_stress,
    limit_noise,
    start_shifts,
)
from wealtharena.evaluation.monte_carlo.market_bootstrap import MarketHistory, bootstrap_markets
from wealtharena.evaluation.monte_carlo.return_bootstrap import bootstrap_returns
from wealtharena.evaluation.monte_carlo.simulation import WHOLE, Simulation, simulation_rows
from wealtharena.evaluation.monte_carlo.strategies import FrozenPolicy, MarketStrategy, Strategy
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.settings import AnalysisSettings


@dataclass(frozen=True)
class Robustness:
    """How a held-out result holds up.

    Attributes:
        base: the backtest that everything is compared with.
        simulations: distributions, by method.
        stresses: single accounts under changed conditions.
        break_even: multiple of the costs at which nothing is earned above cash.
        lag_loss: share of the return above cash that a session's delay costs; None where there was none.
        mean_block: of the bootstrap of returns.
    """

    base: BacktestResult
    simulations: tuple[Simulation, ...]
    stresses: tuple[Stress, ...]
    break_even: BreakEven
    lag_loss: float | None
    mean_block: float

    def rows(self) -> pd.DataFrame:
        """method, scenario, metric, session, quantile, value; see ``simulation_rows``."""
        rows = simulation_rows([*self.simulations, *(item.simulation() for item in self.stresses)])
        found = {
            ("cost", "break-even", "multiple"): self.break_even.multiple,
            ("lag", "1 session", "lost_share"): self.lag_loss,
            ("return_bootstrap", "held-out", "mean_block"): self.mean_block,
        }
        single = [(*place, WHOLE, "value", value) for place, value in found.items() if value is not None]
        return pd.concat([rows, pd.DataFrame(single, columns=rows.columns)], ignore_index=True)


def robustness(
    strategy: Strategy,
    panel: MarketPanel,
    window: Window,
    rules: TradingRules,
    settings: AnalysisSettings,
    seed: Sequence[int],
    market: tuple[MarketStrategy, MarketHistory] | None = None,
) -> Robustness:
    """All simulations of a strategy in one window.

    Equal inputs give equal figures, to the bit: every method draws from a generator of its own, made of the seed and
    its name, so that leaving one out changes no other.

    Args:
        strategy: frozen; trading changes nothing of it.
        panel: market with what the strategy observes.
        window: rows that it is judged on.
        rules: limits that it trades under.
        settings: sizes of the simulations.
        seed: numbers, at least 0, that the generators are made of.
        market: the strategy as one that trades other markets, and the sessions that these are made of; None where its
            decisions fit the real market only.
    """
    base = strategy.trade(panel, window, rules)

    def trade(other: MarketPanel) -> BacktestResult:
        return strategy.trade(other, window, rules)

    costs = cost_stress(trade, panel, base, settings.cost_multiples)
    slipped = slippage_stress(trade, panel, base, settings.slippage_bps)
    lagged = lagged_stress(strategy, panel, window, rules, base)
    mean_block = float(settings.block_sessions or mean_block_length(base.returns))
    returns = bootstrap_returns(
        base.returns, base.cash_returns, base.annualisation, settings.return_paths, mean_block,
        _generator(seed, "returns"),
    )  # fmt: skip
    return Robustness(
        base=base,
        simulations=(
            returns,
            *_markets(market, rules, settings, seed),
            *_feature_noise(strategy, panel, window, rules, settings, seed),
            limit_noise(
                strategy, panel, window, rules, settings.limit_noise, settings.limit_paths, _generator(seed, "limits")
            ),
            start_shifts(strategy, panel, window, rules, settings.start_shifts),
        ),
        stresses=(*costs, *slipped, lagged),
        break_even=break_even_cost(trade, panel, costs),
        lag_loss=lag_loss(lagged),
        mean_block=mean_block,
    )


def _markets(
    market: tuple[MarketStrategy, MarketHistory] | None,
    rules: TradingRules,
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> Iterator[Simulation]:
    if market is not None and settings.market_paths:
        strategy, history = market
        generator = _generator(seed, "markets")
        yield bootstrap_markets(
            strategy, history, rules, settings.market_paths, float(settings.market_block_sessions), generator
        )


def _feature_noise(
    strategy: Strategy,
    panel: MarketPanel,
    window: Window,
    rules: TradingRules,
    settings: AnalysisSettings,
    seed: Sequence[int],
) -> Iterator[Simulation]:
    """Only what observes features has any."""
    if isinstance(strategy, FrozenPolicy):
        for share in settings.feature_noise:
            generator = _generator(seed, f"features {share:g}")
            yield feature_noise(strategy, panel, window, rules, share, settings.noise_paths, generator)


def _generator(seed: Sequence[int], name: str) -> np.random.Generator:
    return np.random.default_rng([*seed, *name.encode()])
