"""Speed and memory of the environments: ``bench_envs.py [--quick] [--json] [--only copy|peers|start|memory]``.

``copy``: 1,024 accounts x 30 assets x 16 features; how fast a step writes observations, as a fraction of the speed of
copying the same bytes with NumPy, with costs and no limit, and what each limit adds. ``peers``: env steps per second
beside FinRL (30 stocks x 8 indicators, 2,520 sessions) and Gym-Trading-Env (one asset, 16 features), all with random
actions and their own costs, resets included. ``start``: seconds until the first step of a process is done, with a cold
and a warm compilation cache, imports left out. ``memory``: what a further environment of the same panel takes, in one
process and in a process of its own that maps a saved market. Peers that are not installed are left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import cycle
from pathlib import Path

# NumPy, Numba and vectorbt's compiled engine read these when they are imported.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
)

import numpy as np
import peers_finrl
import peers_gym_trading_env
from peers_figures import Figure, Report, beside, calls_per_second, interleaved, seconds_per_call

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.execution import TradingRules
from wealtharena.execution.market import load_market, market_arrays, save_market
from wealtharena.settings.models import Settings

BATCH = 1_024
UNIVERSE = (1_500, 30, 16)
FINRL = (2_520, 30, 8)
ONE_ASSET = (2_520, 1, 16)
ONE_WAY_COST = 3e-4
HELD = (2_520, 100, 32)
FURTHER_ENVS = 32
ROLLOUT = 8


def market(shape: tuple[int, int, int], *, events: bool = False) -> MarketPanel:
    """A random walk of T sessions x A assets x F features with the default costs of stocks; no real prices.

    Args:
        events: four dividends a year per asset.
    """
    sessions, assets, _ = shape
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (sessions, assets)), axis=0))
    everything = np.ones((sessions, assets), bool)
    paid = np.arange(sessions)[:, None] % 63 == np.arange(assets)[None, :] % 63
    return MarketPanel(
        dates=np.datetime64("2010-01-01") + np.arange(sessions),
        symbols=tuple(f"S{k:03d}" for k in range(assets)),
        feature_names=tuple(f"f{k}" for k in range(shape[2])),
        features=rng.normal(size=shape).astype(np.float32),
        open=close * np.exp(rng.normal(0.0, 0.003, close.shape)),
        close=close,
        tradable=everything,
        observed=everything,
        delisted=~everything,
        dollar_volume=np.full(close.shape, 1e8),
        volatility=np.full(close.shape, 0.01),
        costs=default_costs(assets),
        annualisation=252,
        dividend=np.where(paid, 0.5, 0.0) if events else None,
        cash_rate=np.full(sessions, 0.03),
    )


def default_costs(num_assets: int) -> AssetCosts:
    """What the settings charge for stocks."""
    own = Settings().costs[AssetClass.STOCKS]
    values = {
        "commission": own.commission_bps / 1e4,
        "commission_per_unit": own.commission_per_unit,
        "min_commission": own.min_commission,
        "half_spread": own.half_spread_bps / 1e4,
        "spread_volatility": own.spread_volatility,
        "impact": own.impact,
        "max_participation": own.max_participation,
        "borrow": own.borrow_bps_per_year / 1e4,
        "holding": own.holding_bps_per_year / 1e4,
    }
    return AssetCosts(**{name: np.full(num_assets, value) for name, value in values.items()})


def default_rules() -> TradingRules:
    """What the settings allow the agent of stocks."""
    return TradingRules.from_settings(Settings(), "stocks")


def one_limit_each() -> dict[str, TradingRules]:
    """Rules that bind nowhere, with one limit of the default rules each."""
    wanted, none = default_rules(), without_limits()
    same = ("delisting_haircut", "concentration", "reentry_sessions", "risk_window", "risk_confidence")
    names = [entry.name for entry in fields(TradingRules) if entry.name not in same]
    changed = [name for name in names if getattr(wanted, name) != getattr(none, name)]
    return {name: replace(none, **{name: getattr(wanted, name)}) for name in changed}


def without_limits() -> TradingRules:
    """Rules that bind nowhere, with the default account."""
    wanted = default_rules()
    return TradingRules.unlimited(capital=wanted.capital, debit_rate=wanted.debit_rate)


def copying(rounds: int) -> list[Figure]:
    """A step's observations against a copy of as many bytes, and what every limit costs."""
    panel = market(UNIVERSE)
    free = replace(panel, costs=AssetCosts.flat(len(panel.symbols), 0.0))
    base, everything, fresh = "costs, no limit", "all default limits", "costs, no limit, a fresh array each step"
    rollout = f"costs, no limit, the last {ROLLOUT} observations kept"
    limits = one_limit_each()
    steps = {
        "no costs, no limit": _stepper(free, without_limits()),
        base: _stepper(panel, without_limits()),
        **{name: _stepper(panel, rules) for name, rules in limits.items()},
        everything: _stepper(panel, default_rules()),
        fresh: _stepper(panel, without_limits(), copy=True),
        rollout: _stepper(panel, without_limits(), copy=True, keep=ROLLOUT),
    }
    shape = (BATCH, UNIVERSE[1], UNIVERSE[2] + 4)
    rollout_copy = _rollout_copier(shape)
    observations, target = np.full(shape, 1.0, np.float32), np.full(shape, 2.0, np.float32)
    # A whole episode and its reset, so that every measurement has as much of each.
    calls = EnvConfig().episode_days + 1
    sides: dict[str, Callable[[], float]] = {
        "copy": lambda: seconds_per_call(lambda: np.copyto(target, observations), 4 * calls),
        "fresh copy": lambda: seconds_per_call(observations.copy, 4 * calls),
        "rollout copy": lambda: seconds_per_call(rollout_copy, 4 * calls),
        **{name: (lambda step=step: seconds_per_call(step, calls)) for name, step in steps.items()},
    }
    seconds = interleaved(sides, rounds)
    per_step = {name: [value / BATCH * 1e9 for value in own] for name, own in seconds.items()}
    compared = {
        "no costs, no limit": "copy",
        base: "copy",
        everything: "copy",
        fresh: "fresh copy",
        rollout: "rollout copy",
    }
    lines = [
        beside(
            f"{copy} of the observations / step: {name}",
            "ns per account",
            per_step[name],
            per_step[copy],
            at_least=0.4 if name == base else None,
        )
        for name, copy in compared.items()
    ]
    name = "step with {} / step without limits"
    lines += [
        beside(name.format(limit), "ns per account", per_step[limit], per_step[base], how_slow=True)
        for limit in (*limits, everything)
    ]
    return lines


def beside_peers(rounds: int, seconds: float, report: Report) -> list[Figure]:
    """Env steps per second."""
    lines: list[Figure] = []
    if peers_finrl.is_installed():
        lines += _beside_finrl(rounds, seconds)
    else:
        report.lacks(peers_finrl.NAME)
        rate = _vector_rate(market(FINRL, events=True), seconds / 2)
        lines += _alone(f"TradingVectorEnv N={BATCH:,}, all defaults, 30 x 8", rate, rounds)
    if peers_gym_trading_env.is_installed():
        lines += _beside_gym_trading_env(rounds, seconds)
    else:
        report.lacks(peers_gym_trading_env.NAME)
        rate = _single_rate(market(ONE_ASSET, events=True), seconds / 2)
        lines += _alone("TradingEnv, all defaults, one asset", rate, rounds)
    return lines


def _beside_finrl(rounds: int, seconds: float) -> list[Figure]:
    panel = market(FINRL, events=True)
    theirs = peers_finrl.stepper(panel.close, panel.features, ONE_WAY_COST, seed=1)
    rates = interleaved(
        {
            "finrl": lambda: calls_per_second(theirs, seconds),
            "vector": _vector_rate(panel, seconds / 2),
            "single": _single_rate(panel, seconds / 2),
        },
        rounds,
    )
    names = {"vector": (f"TradingVectorEnv N={BATCH:,}", 5_000.0), "single": ("TradingEnv", 50.0)}
    return [
        beside(
            f"{name}, all defaults, 30 x 8, against FinRL",
            "steps/s",
            rates[side],
            rates["finrl"],
            speeds=True,
            at_least=aim,
        )
        for side, (name, aim) in names.items()
    ]


def _beside_gym_trading_env(rounds: int, seconds: float) -> list[Figure]:
    panel = market(ONE_ASSET, events=True)
    theirs = peers_gym_trading_env.stepper(
        panel.close[:, 0], panel.features[:, 0], ONE_WAY_COST, borrow_per_session=1e-5, seed=1
    )
    rates = interleaved(
        {
            "theirs": lambda: calls_per_second(theirs, seconds / 2),
            "weights": _single_rate(panel, seconds / 2),
            "levels": _single_rate(panel, seconds / 2, levels=True),
        },
        rounds,
    )
    return [
        beside(
            f"TradingEnv ({action}), all defaults, one asset, against Gym-Trading-Env",
            "steps/s",
            rates[action],
            rates["theirs"],
            speeds=True,
            at_least=2.0,
        )
        for action in ("weights", "levels")
    ]


def _alone(name: str, rate: Callable[[], float], rounds: int) -> list[Figure]:
    return [Figure(name, "steps/s", interleaved({"ours": rate}, rounds)["ours"])]


def _vector_rate(panel: MarketPanel, seconds: float) -> Callable[[], float]:
    step = _stepper(panel, default_rules())
    return lambda: BATCH * calls_per_second(step, seconds)


def _single_rate(panel: MarketPanel, seconds: float, *, levels: bool = False) -> Callable[[], float]:
    config = EnvConfig(
        rules=default_rules(),
        action="levels" if levels else "weights",
        episode_days=len(panel.dates),
        random_starts=False,
    )
    env = TradingEnv(panel, config)
    actions = _random_actions((1_024, len(panel.symbols)), levels=levels)
    count = 0
    env.reset()

    def step() -> None:
        nonlocal count
        _, _, terminated, truncated, _ = env.step(actions[count % len(actions)])
        count += 1
        if terminated or truncated:
            env.reset()

    return lambda: calls_per_second(step, seconds)


def _rollout_copier(shape: tuple[int, ...]) -> Callable[[], object]:
    """Copies arrays in turn and keeps the last copies, as a learner does that collects a batch: out of the cache."""
    sources = [np.full(shape, float(place), np.float32) for place in range(ROLLOUT)]
    kept: deque[np.ndarray] = deque(maxlen=ROLLOUT)
    turns = cycle(sources)
    return lambda: kept.append(next(turns).copy())


def _stepper(panel: MarketPanel, rules: TradingRules, *, copy: bool = False, keep: int = 1) -> Callable[[], object]:
    kept: deque[np.ndarray] = deque(maxlen=keep)
    env = TradingVectorEnv(panel, EnvConfig(rules=rules), BATCH, 0, copy=copy)
    env.reset()
    actions = _random_actions((4, BATCH, len(panel.symbols)))
    count = 0

    def step() -> None:
        nonlocal count
        kept.append(env.step(actions[count % len(actions)])[0])
        count += 1

    return step


def _random_actions(shape: tuple[int, ...], *, levels: bool = False) -> np.ndarray | list[int]:
    rng = np.random.default_rng(1)
    if levels:
        return [int(action) for action in rng.integers(0, 3, shape[0])]
    return rng.uniform(-1.0, 1.0, shape).astype(np.float32)


def starting(rounds: int) -> list[Figure]:
    """Seconds of a first step."""
    cold, warm = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_in_new_process("first-step", {"NUMBA_CACHE_DIR": folder}))
            warm.append(_in_new_process("first-step", {"NUMBA_CACHE_DIR": folder}))
    return [
        Figure("first step of a process, nothing compiled yet", "CPU s", [own["cpu"] for own in cold]),
        Figure("first step of a process, compiled code on disk", "CPU s", [own["cpu"] for own in warm], at_most=1.0),
        Figure("first step of a process, compiled code on disk", "s", [own["wall"] for own in warm], at_most=1.0),
    ]


def first_step() -> dict[str, float]:
    """Seconds until the first step of this process is done, imports left out."""
    panel = market(UNIVERSE)
    wall, cpu = time.perf_counter(), time.process_time()
    env = TradingVectorEnv(panel, EnvConfig(rules=default_rules()), num_envs=2)
    env.reset()
    env.step(np.zeros((2, UNIVERSE[1]), np.float32))
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def holding(rounds: int) -> list[Figure]:
    """What environments of one market take beyond it."""
    here = [_in_new_process("many-envs", {}) for _ in range(rounds)]
    with tempfile.TemporaryDirectory() as folder:
        save_market(market_arrays(market(HELD)), Path(folder))
        mapped = [_in_new_process("mapped-env", {"MARKET": folder}) for _ in range(rounds)]
    panel_mib = here[0]["panel"]
    little = panel_mib / 100
    return [
        Figure("panel", "MiB", [panel_mib]),
        Figure("first environment of it, with the kernel's arrays", "MiB", [own["first"] for own in here]),
        Figure("a further environment of it", "MiB", [own["further"] for own in here], at_most=little),
        Figure("environment of a saved market: own memory", "MiB", [own["own"] for own in mapped], at_most=little),
        Figure("environment of a saved market: mapped, shared by processes", "MiB", [own["mapped"] for own in mapped]),
    ]


def many_envs() -> dict[str, float]:
    """MiB of memory that this process gains by environments of one panel."""
    panel = market(HELD)
    _one_session(TradingVectorEnv(market((10, HELD[1], HELD[2])), EnvConfig(episode_days=5)))  # compiled code
    start = _memory_mib("Rss")
    kept = [_one_session(TradingVectorEnv(panel))]
    first = _memory_mib("Rss")
    kept += [_one_session(TradingVectorEnv(panel)) for _ in range(FURTHER_ENVS)]
    further = (_memory_mib("Rss") - first) / FURTHER_ENVS
    size = sum(array.nbytes for array in vars(panel).values() if isinstance(array, np.ndarray)) / 2**20
    return {"panel": size, "first": first - start, "further": further}


def mapped_env(folder: str) -> dict[str, float]:
    """MiB of its own and of mapped memory that this process gains by an environment of a saved market."""
    _one_session(TradingVectorEnv(market((10, HELD[1], HELD[2])), EnvConfig(episode_days=5)))
    own, resident = _memory_mib("Anonymous"), _memory_mib("Rss")
    config = EnvConfig(rules=default_rules(), episode_days=HELD[0], random_starts=False)
    env = TradingVectorEnv(load_market(Path(folder)), config)
    env.reset()
    for _ in range(HELD[0] - 1):
        env.step(np.zeros((1, HELD[1]), np.float32))
    own = _memory_mib("Anonymous") - own
    return {"own": own, "mapped": _memory_mib("Rss") - resident - own}


def _one_session(env: TradingVectorEnv) -> TradingVectorEnv:
    env.reset()
    env.step(np.zeros((1, HELD[1]), np.float32))
    return env


def _memory_mib(entry: str) -> float:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{entry}:"))


def _in_new_process(what: str, variables: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", what],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few short rounds: does it run, roughly how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--only", choices=("copy", "peers", "start", "memory"))
    parser.add_argument("--child", choices=("first-step", "many-envs", "mapped-env"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        act = {"first-step": first_step, "many-envs": many_envs, "mapped-env": lambda: mapped_env(os.environ["MARKET"])}
        sys.stdout.write(json.dumps(act[options.child]()))
        return
    report = Report("Environments, one core")
    rounds, seconds, processes = (2, 0.4, 1) if options.quick else (9, 2.0, 3)
    sections: dict[str, Callable[[], list[Figure]]] = {
        "copy": lambda: copying(rounds),
        "peers": lambda: beside_peers(rounds, seconds, report),
        "start": lambda: starting(processes),
        "memory": lambda: holding(processes),
    }
    for name, measure in sections.items():
        if options.only in (None, name):
            report.add(*measure())
    report.write(as_json=options.json)


if __name__ == "__main__":
    main()
