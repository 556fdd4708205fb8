"""Backtests beside vectorbt: ``bench_backtest.py [--quick] [--json]``.

1,000 strategies x 2,520 sessions of one asset, each with its own account, and one portfolio of 100 assets x 5,000
sessions; with orders in every session and in every 21st. Both sides have the same costs (in proportion to traded value)
and fill target weights at the next open; their final equities must agree. Ours builds its arrays anew from the panel
each time, as vectorbt does from its prices, and returns the whole path of equity; vectorbt returns the final values, by
each of its engines, warm. Then the first call of a process whose compiled code is on disk, imports left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

# NumPy, Numba and vectorbt's compiled engine read these when they are imported.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
)

import numpy as np
import peers_vectorbt
from peers_figures import Figure, Report, beside, interleaved, seconds_per_call

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import run_weights
from wealtharena.envs.simulation import run_strategies
from wealtharena.execution import TradingRules

ONE_WAY_COST = 3e-4
STRATEGIES = (2_520, 1_000)
PORTFOLIO = (5_000, 100)
# Leaves room for costs and for positions that grow between orders: nothing is limited by cash.
LARGEST_GROSS = 0.9
EQUAL_TO = 1e-9


@dataclass(frozen=True)
class Case:
    """A backtest that both sides can run.

    Attributes:
        panel: one session more than the weights; the first has only the decision.
        weights: (T, columns) strategies or assets; NaN gives no order.
        shared: the columns are assets of one account.
    """

    name: str
    panel: MarketPanel
    weights: np.ndarray
    shared: bool

    def ours(self) -> np.ndarray:
        """Final equity of every account."""
        panel = replace(self.panel)  # another object: nothing of it is known yet
        return self.ours_again(panel)

    def ours_again(self, panel: MarketPanel | None = None) -> np.ndarray:
        """The same on a panel that was used before."""
        panel, last = panel or self.panel, len(self.weights)
        if self.shared:
            return run_weights(self.weights, panel, 1, last, TradingRules.unlimited()).equity[-1:]
        return run_strategies(self._by_strategy, panel, 1, last, TradingRules.unlimited())[:, -1]

    def theirs(self, engine: str) -> np.ndarray:
        """vectorbt's final equity of every account."""
        opens, closes = self.panel.open[1:], self.panel.close[1:]
        if self.shared:
            final = peers_vectorbt.final_equity_of_portfolio(self.weights, opens, closes, ONE_WAY_COST, engine)
            return np.array([final])
        return peers_vectorbt.final_equity_of_strategies(self.weights, opens, closes, ONE_WAY_COST, engine)

    @property
    def _by_strategy(self) -> np.ndarray:
        """(S, T, 1), a view: memory lies as vectorbt has it."""
        return self.weights.T[:, :, None]


def cases() -> list[Case]:
    """The four backtests."""
    made = []
    for (sessions, columns), shared in ((STRATEGIES, False), (PORTFOLIO, True)):
        panel = market(sessions + 1, columns if shared else 1)
        weights = np.random.default_rng(1).uniform(-1.0, 1.0, (sessions, columns))
        weights *= LARGEST_GROSS / np.abs(weights).sum(axis=1, keepdims=True) if shared else LARGEST_GROSS
        what = f"1 portfolio x {columns} assets" if shared else f"{columns:,} strategies"
        for every in (1, 21):
            own = np.where(np.arange(sessions)[:, None] % every == 0, weights, np.nan)
            made.append(Case(f"{what} x {sessions:,}, orders every {every}", panel, own, shared))
    return made


def market(sessions: int, assets: int) -> MarketPanel:
    """A random walk with costs in proportion to traded value; no real prices."""
    rng = np.random.default_rng(0)
    shape = (sessions, assets)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=0))
    everything = np.ones(shape, bool)
    return MarketPanel(
        dates=np.datetime64("2005-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k:03d}" for k in range(assets)),
        feature_names=("none",),
        features=np.zeros((*shape, 1), np.float32),
        open=close * np.exp(rng.normal(0.0, 0.003, shape)),
        close=close,
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full(shape, 1e8),
        volatility=np.full(shape, 0.01),
        costs=AssetCosts.flat(assets, ONE_WAY_COST),
        annualisation=252,
    )


def compare(rounds: int, report: Report) -> None:
    """Speed and equality."""
    is_there = peers_vectorbt.is_installed()
    if not is_there:
        report.lacks(peers_vectorbt.NAME)
    for case in cases():
        engines = peers_vectorbt.engines() if is_there else []
        sides: dict[str, Callable[[], float]] = {
            "ours": lambda case=case: seconds_per_call(case.ours, 1),
            "again": lambda case=case: seconds_per_call(case.ours_again, 1),
            **{
                engine: (lambda case=case, engine=engine: seconds_per_call(lambda: case.theirs(engine), 1))
                for engine in engines
            },
        }
        seconds = interleaved(sides, rounds)
        report.add(*_figures(case, seconds, engines))


def _figures(case: Case, seconds: dict[str, list[float]], engines: list[str]) -> list[Figure]:
    if not engines:
        return [Figure(case.name, "s", seconds["ours"]), Figure("  panel used before", "s", seconds["again"])]
    lines = []
    for side, name, aim in (("ours", case.name, 1.0), ("again", "  panel used before", None)):
        for engine in engines:
            own, theirs = seconds[side], seconds[engine]
            lines.append(beside(name, "s", own, theirs, at_least=aim, note=f"vectorbt by {engine}"))
    gap = max(float(np.abs(case.ours() / case.theirs(engine) - 1.0).max()) for engine in engines)
    return [*lines, Figure("  largest difference of final equity", "of it", [gap], at_most=EQUAL_TO)]


def starting(rounds: int) -> list[Figure]:
    """The first call of a process, compiled code on disk."""
    sides = {"ours": "ours"} | ({"theirs": "theirs"} if peers_vectorbt.is_installed() else {})
    measured: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        for side in sides:
            _in_new_process(side, folder)
        for _ in range(rounds):
            for side in sides:
                measured[side].append(_in_new_process(side, folder))
    return [
        Figure(
            "first backtest of a process, compiled code on disk",
            "CPU s" if clock == "cpu" else "s",
            [own[clock] for own in measured["ours"]],
            [own[clock] for own in measured.get("theirs", ())],
            at_most=1.0,
        )
        for clock in ("cpu", "wall")
    ]


def first_call(side: str) -> dict[str, float]:
    """Seconds of the first backtest of this process, imports left out."""
    case = Case("", market(253, 10), np.full((252, 10), LARGEST_GROSS / 10), shared=True)
    if side == "theirs":
        import vectorbt  # noqa: F401
    wall, cpu = time.perf_counter(), time.process_time()
    case.ours() if side == "ours" else case.theirs("numba")
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def _in_new_process(side: str, cache: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", side],
        env=os.environ | {"NUMBA_CACHE_DIR": cache},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run, roughly how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--child", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        sys.stdout.write(json.dumps(first_call(options.child)))
        return
    report = Report("Backtests, one core")
    compare(2 if options.quick else 9, report)
    report.add(*starting(1 if options.quick else 3))
    report.write(as_json=options.json)


if __name__ == "__main__":
    main()
