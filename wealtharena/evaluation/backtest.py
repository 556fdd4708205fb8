"""Backtests over one window: a policy, given weights or the baselines, through the execution kernel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from wealtharena.agents import Policy
from wealtharena.core.errors import DataWindowError, SettingsError, unknown_name
from wealtharena.core.panel import DateArray, Float32Array, FloatArray, MarketPanel
from wealtharena.envs.simulation import SimulationPath, run_policy, run_weights
from wealtharena.evaluation.baselines import BASELINES, GENERAL
from wealtharena.evaluation.metrics import Metrics, summarise
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules


@dataclass(frozen=True)
class Trading:
    """What a result was worked out from: for portfolios, trade ledgers and the risk monitor.

    Attributes:
        path: of the account.
        panel: market that it was traded on.
        rules: limits that it was traded under.
    """

    path: SimulationPath
    panel: MarketPanel
    rules: TradingRules


@dataclass(frozen=True)
class BacktestResult:
    """One account over the T sessions of a window, net of costs; it starts with an equity of 1 in cash.

    Attributes:
        name: agent or baseline.
        symbols: A names, the columns of ``weights`` and ``target_weights``.
        dates: (T,) sessions.
        equity_open: (T,) equity at the open, before trading.
        equity: (T,) equity at the close.
        returns: (T,) simple net return from close to close, the first from the initial equity.
        cash_returns: (T,) what an account that holds nothing but cash earns.
        turnover: (T,) traded value over equity at the open.
        cost: (T,) costs over equity at the open.
        gross: (T,) sum of absolute weights at the close.
        weights: (T, A) held at the close.
        target_weights: (T, A) asked for at the open of ``t`` within the limits, that is decided after the close
            before; NaN where no order was given.
        metrics: of the whole window.
        annualisation: sessions per year.
        finite: False if the policy yielded NaN or infinite scores; these counted as 0.
        trading: what the result was worked out from; None for one made by hand.
    """

    name: str
    symbols: tuple[str, ...]
    dates: DateArray
    equity_open: FloatArray
    equity: FloatArray
    returns: FloatArray
    cash_returns: FloatArray
    turnover: FloatArray
    cost: FloatArray
    gross: FloatArray
    weights: FloatArray
    target_weights: FloatArray
    metrics: Metrics
    annualisation: int
    finite: bool = True
    trading: Trading | None = field(default=None, repr=False)

    @property
    def excess_returns(self) -> FloatArray:
        """(T,) returns above those of cash: what ratios of return to risk are taken of."""
        return self.returns - self.cash_returns

    def equity_frame(self) -> pd.DataFrame:
        """One row per session: strategy, session_date, equity, return, turnover, cost, gross."""
        return pd.DataFrame(
            {
                "strategy": self.name,
                "session_date": self._session_dates(),
                "equity": self.equity,
                "return": self.returns,
                "turnover": self.turnover,
                "cost": self.cost,
                "gross": self.gross,
            }
        )

    def weights_frame(self) -> pd.DataFrame:
        """One row per session and symbol: strategy, session_date, symbol, weight (held at the close)."""
        return pd.DataFrame(
            {
                "strategy": self.name,
                "session_date": np.repeat(self._session_dates(), len(self.symbols)),
                "symbol": list(self.symbols) * len(self.dates),
                "weight": self.weights.ravel(),
            }
        )

    def metrics_frame(self) -> pd.DataFrame:
        """One row per metric: strategy, metric, value."""
        values = {name: float(value) for name, value in self.metrics.as_dict().items()}
        return pd.DataFrame({"strategy": self.name, "metric": list(values), "value": list(values.values())})

    def _session_dates(self) -> DateArray:
        return self.dates.astype("datetime64[us]")


def backtest_policy(
    policy: Policy,
    panel: MarketPanel,
    window: Window,
    rules: TradingRules,
    name: str,
    *,
    observation_window: int = 1,
    actions: str = "weights",
) -> BacktestResult:
    """Trade a window with a policy. Scores that are not finite count as 0 and mark the result as not ``finite``.

    Args:
        panel: whole history; the first decision is made after the close before the window.
        window: rows, first included, last excluded.
        observation_window, actions: what the policy sees and says, see ``window`` and ``actions`` of ``run_policy``.

    Raises:
        DataWindowError: the window is empty, not inside the panel, or has fewer rows before it than an observation
            shows.
        ExecutionError: the scores have the wrong shape.
        SettingsError: there are no such actions.
    """
    first, last = _checked(window, panel)
    watched = _Watched(policy)
    path = run_policy(watched.act, panel, first, last - 1, rules, window=observation_window, actions=actions)
    return _result(Trading(path, panel, rules), name, finite=watched.finite)


def backtest_weights(
    weights: FloatArray, panel: MarketPanel, window: Window, rules: TradingRules, name: str
) -> BacktestResult:
    """Trade a window towards given target weights.

    Args:
        weights: one row per row of ``panel`` (T, A): row ``t`` is what was decided after the close of ``t`` and fills
            at the open of ``t + 1``. NaN gives no order. Rows outside the window are not read.
        panel: whole history.
        window: rows that are traded, first included, last excluded.

    Raises:
        DataWindowError: the window is empty, not inside the panel, or starts at its first row; or the weights are not
            those of this panel.
    """
    first, last = _checked(window, panel)
    if weights.shape != panel.observed.shape:
        raise DataWindowError(
            f"{name}: weights must have the panel's shape {panel.observed.shape}, got {weights.shape}"
        )
    path = run_weights(weights[first - 1 : last - 1], panel, first, last - 1, rules)
    return _result(Trading(path, panel, rules), name)


def backtest_baselines(
    panel: MarketPanel, window: Window, rules: TradingRules, names: Sequence[str] = GENERAL
) -> dict[str, BacktestResult]:
    """Baselines over a window, by name and in the order asked for, under the same limits and costs.

    Args:
        names: keys of ``BASELINES``, see ``baselines_of``; the general ones by default.

    Raises:
        SettingsError: there is no such baseline.
        DataWindowError: as for ``backtest_weights``.
    """
    for name in names:
        if name not in BASELINES:
            raise SettingsError(unknown_name("baseline", name, BASELINES))
    return {name: backtest_weights(BASELINES[name](panel, rules), panel, window, rules, name) for name in names}


class _Watched:
    """A policy whose scores are checked on the way to the kernel, which takes finite ones only."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.finite = True

    def act(self, observation: Float32Array) -> FloatArray:
        scores = np.asarray(self._policy.act(observation), dtype=np.float64)
        if not np.isfinite(scores).all():
            self.finite = False
            scores = np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0)
        return scores


def _checked(window: Window, panel: MarketPanel) -> Window:
    first, last = window
    if not 1 <= first < last <= len(panel.dates):
        raise DataWindowError(
            f"a window must satisfy 1 <= first < last <= {len(panel.dates)} (the first decision needs a close before "
            f"it), got {first} and {last}"
        )
    return window


def _result(trading: Trading, name: str, *, finite: bool = True) -> BacktestResult:
    path, annualisation = trading.path, trading.panel.annualisation
    return BacktestResult(
        name=name,
        symbols=path.symbols,
        dates=path.dates,
        equity_open=path.equity_open,
        equity=path.equity,
        returns=path.returns,
        cash_returns=path.cash_returns,
        turnover=path.turnover,
        cost=path.cost,
        gross=path.gross,
        weights=path.weights,
        target_weights=path.targets,
        metrics=summarise(
            path.returns,
            path.turnover,
            path.gross,
            annualisation,
            path.cash_returns,
            path.weights.sum(axis=1),
        ),
        annualisation=annualisation,
        finite=finite,
        trading=trading,
    )
