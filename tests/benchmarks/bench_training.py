"""Speed of training beside RLlib as it comes and Stable-Baselines3, and that it learns the same.

``bench_training.py [--quick] [--json] [--only NAME]``, NAME being one of

``sampling``, ``ppo``, ``ppo256``, ``a2c``, ``sac``, ``dqn``: environment steps per CPU second, alone and with learning.
``evaluation``: 64 deterministic episodes of 252 sessions.
``six``: the six agents of a night, 200,000 environment steps each, on two cores, wall time. RLlib's is measured over
fewer steps of each algorithm, two at a time as well, and extrapolated, without imports and start.
``learning``: returns of deterministic episodes after k steps, RLlib's own engine (``training.engine: stock``) and ours
with the same networks and figures, three seeds each.

10 assets, 6 features, window 3, episodes of 252 sessions, all default costs and limits; random walks, but for
``learning``. Networks are 64-64 with an actor and a critic of their own where nothing else is said: ``plain``, one
multilayer perceptron over the flattened observation, is the peers' network; ``feed_forward`` shares one encoder among
the assets, which is more arithmetic for fewer parameters. RLlib and Stable-Baselines3 have 16 copies of ``TradingEnv``
in one process, ours has 64 accounts. One thread.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

# Torch, NumPy and Numba read these when they are imported, here and in Ray's processes.
os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
)

import numpy as np
import peers_rllib
import peers_sb3
import torch
from bench_envs import default_rules, market
from peers_figures import Figure, Report, beside, interleaved

from wealtharena.agents import AGENTS
from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.envs import EnvConfig, TradingEnv, TradingVectorEnv
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.settings.models import AgentSettings, Algorithm, Settings, TrainingSettings
from wealtharena.training.cluster import submit_training
from wealtharena.training.evaluation import deterministic_episodes
from wealtharena.training.markets import TrainingMarket
from wealtharena.training.recipe import build_config
from wealtharena.training.result import TrainingJob
from wealtharena.training.session import quieten_rllib, ray_session

SHAPE = (1_500, 10, 6)
BATCH, MINIBATCH, EPOCHS = 4_096, 512, 4
SMALL, LARGE = (64, 64), (256, 256)
REPLAY_BATCH = 256
STEPS_PER_UPDATE = 16
PLAIN, SHARED = "plain", "feed_forward"
EPISODES = 64
NIGHT_STEPS = 200_000
CORES = 2

PPO_FIGURES = {"train_batch_size": BATCH, "minibatch_size": MINIBATCH, "num_epochs": EPOCHS}
REPLAY_FIGURES = {"train_batch_size": REPLAY_BATCH, "updates_per_step": 1.0 / STEPS_PER_UPDATE}

Train = Callable[[int], int]
Side = tuple[str, Train]


def environment(recipe: AgentSettings) -> EnvConfig:
    """What an agent of this recipe trades in."""
    return EnvConfig(
        rules=replace(default_rules(), long_only=recipe.long_only),
        action=recipe.action_kind.value,
        levels=recipe.position_levels,
        window=recipe.window,
        episode_days=252,
        symbols_per_episode=1 if recipe.algorithm is Algorithm.DQN else None,
    )


def recipe_of(algorithm: Algorithm, **figures: Any) -> AgentSettings:
    """The default recipe with other figures; without shadow accounts, which nobody else has."""
    return AgentSettings(algorithm=algorithm, **{"window": 3, "shadow_accounts": False, **figures})


class Bench:
    """The panel, a folder for its arrays, and what trades it."""

    def __init__(self, folder: Path) -> None:
        self.panel = market(SHAPE)
        self._folder = folder
        self._numbers = count(1)

    def ours(self, recipe: AgentSettings) -> Any:
        """Our algorithm on the market."""
        return algorithm_of(recipe, self.panel, self._folder / f"market-{next(self._numbers)}")

    def accounts(self, recipe: AgentSettings) -> Callable[[], TradingEnv]:
        """Makes single environments for the peers, each with a seed of its own."""
        config = environment(recipe)
        return lambda: TradingEnv(self.panel, config, next(self._numbers))

    def together(self, recipe: AgentSettings) -> TradingVectorEnv:
        """Accounts side by side."""
        return TradingVectorEnv(self.panel, environment(recipe), recipe.num_accounts, 1, autoreset_mode="SameStep")


def algorithm_of(
    recipe: AgentSettings, panel: MarketPanel, folder: Path, seed: int = 1, training: TrainingSettings | None = None
) -> Any:
    """RLlib's algorithm of a recipe, the panel's arrays in ``folder``."""
    trained_on = TrainingMarket.write(panel, environment(recipe), seed, folder)
    config = build_config(recipe, trained_on, trained_on.spaces(), seed, training or TrainingSettings())
    return config.build_algo()


def by_training(algorithm: Any) -> Train:
    """Trains one of our algorithms for so many steps or a few more."""

    def train(least: int) -> int:
        before = algorithm.steps_sampled
        while algorithm.steps_sampled - before < least:
            algorithm.train()
        return int(algorithm.steps_sampled - before)

    return train


def speeds(sides: Sequence[Side], least: int, rounds: int, warm_up: int = 0) -> dict[str, list[float]]:
    """Environment steps per CPU second of each side, in interleaved rounds of at least ``least`` steps and 0.4 s."""
    for _, train in sides:
        train(max(warm_up, least))
    return interleaved({name: partial(_speed, train, least) for name, train in sides}, rounds)


def _speed(train: Train, least: int) -> float:
    steps, start = 0, time.process_time()
    while True:
        steps += train(least)
        elapsed = time.process_time() - start
        if elapsed >= 0.4:
            return steps / elapsed


def figures_of(
    title: str, measured: dict[str, list[float]], aims: dict[str, float | None], networks: Sequence[str]
) -> list[Figure]:
    """Our networks beside each peer; aims, and peers without one, are about the first, which is the peers' own."""
    return [
        beside(
            f"{title}, {network}, against {peer}",
            "steps/s",
            measured[network],
            measured[peer],
            speeds=True,
            at_least=aim if network == networks[0] else None,
        )
        for network in networks
        for peer, aim in aims.items()
        if peer in measured and (aim is not None or network == networks[0])
    ]


def sampling(bench: Bench, rounds: int) -> list[Figure]:
    """The exploring policy alone, no learning."""
    sides: list[Side] = []
    stock = peers_rllib.ppo(bench.accounts(recipe_of(Algorithm.PPO)), SMALL, BATCH, MINIBATCH, EPOCHS)
    sides.append((peers_rllib.NAME, lambda least: sum(map(len, stock.env_runner.sample(num_timesteps=least)))))
    for network in (PLAIN, SHARED):
        own = bench.ours(recipe_of(Algorithm.PPO, network=network, hidden_sizes=SMALL, **PPO_FIGURES))
        sides.append((network, lambda least, own=own: own.rollout(least // own.num_accounts).rewards.numel()))
    measured = speeds(sides, BATCH, rounds)
    stock.stop()
    return figures_of("sampling", measured, {peers_rllib.NAME: 20.0}, (PLAIN, SHARED))


def ppo(bench: Bench, rounds: int) -> list[Figure]:
    """PPO with networks of 64-64."""
    return _ppo(bench, rounds, SMALL, {peers_rllib.NAME: 5.5, peers_sb3.NAME: 2.5, peers_sb3.OVER_ACCOUNTS: None})


def ppo_large(bench: Bench, rounds: int) -> list[Figure]:
    """PPO with networks of 256-256."""
    return _ppo(bench, rounds, LARGE, {peers_rllib.NAME: 2.2, peers_sb3.NAME: 1.4, peers_sb3.OVER_ACCOUNTS: None})


def _ppo(bench: Bench, rounds: int, hidden: tuple[int, ...], aims: dict[str, float | None]) -> list[Figure]:
    own = recipe_of(Algorithm.PPO, hidden_sizes=hidden, **PPO_FIGURES)
    # RLlib's has a divergence term as it comes: ours beside it too.
    networks = {name: own.model_copy(update={"network": name, "kl_coeff": 0.2}) for name in (PLAIN, SHARED)}
    shadowed = own.model_copy(update={"network": SHARED, "shadow_accounts": True})
    stock = peers_rllib.ppo(bench.accounts(own), hidden, BATCH, MINIBATCH, EPOCHS)
    sides = [_rllib(stock), *_ours(bench, networks | {f"{SHARED} with shadows": shadowed})]
    if peers_sb3.is_installed():
        sides.append(_sb3(peers_sb3.ppo(bench.accounts(own), hidden, BATCH, MINIBATCH, EPOCHS)))
        over = peers_sb3.ppo_over(bench.together(own), hidden, BATCH, MINIBATCH, EPOCHS)
        sides.append((peers_sb3.OVER_ACCOUNTS, partial(peers_sb3.steps_of_training, over)))
    measured = speeds(sides, BATCH, rounds)
    stock.stop()
    title = f"PPO {'-'.join(map(str, hidden))}"
    return figures_of(title, measured, aims, (PLAIN, SHARED, f"{SHARED} with shadows"))


def a2c(bench: Bench, rounds: int) -> list[Figure]:
    """A2C; RLlib has none any more, so that its PPO does one step over the whole batch."""
    own = recipe_of(Algorithm.A2C, hidden_sizes=SMALL, train_batch_size=BATCH)
    stock = peers_rllib.actor_critic(bench.accounts(own), SMALL, BATCH)
    sides = [_rllib(stock), *_ours(bench, {name: own.model_copy(update={"network": name}) for name in (PLAIN, SHARED)})]
    if peers_sb3.is_installed():
        sides.append(_sb3(peers_sb3.a2c(bench.accounts(own), SMALL, BATCH)))
    measured = speeds(sides, BATCH, rounds)
    stock.stop()
    return figures_of("A2C", measured, {peers_rllib.NAME: 6.5, peers_sb3.NAME: 2.5}, (PLAIN, SHARED))


def sac(bench: Bench, rounds: int) -> list[Figure]:
    """SAC, one update per 16 environment steps."""
    own = recipe_of(Algorithm.SAC, hidden_sizes=SMALL, **REPLAY_FIGURES)
    stock = peers_rllib.sac(bench.accounts(own), SMALL, REPLAY_BATCH)
    sides = [_rllib(stock), *_ours(bench, {name: own.model_copy(update={"network": name}) for name in (PLAIN, SHARED)})]
    if peers_sb3.is_installed():
        sides.append(_sb3(peers_sb3.sac(bench.accounts(own), SMALL, REPLAY_BATCH)))
    measured = speeds(sides, 256, rounds, warm_up=2 * peers_rllib.WARM_UP)
    stock.stop()
    return figures_of("SAC", measured, {peers_rllib.NAME: 10.0, peers_sb3.NAME: 1.0}, (PLAIN, SHARED))


def dqn(bench: Bench, rounds: int) -> list[Figure]:
    """DQN on one asset per account, where the shared encoder is a plain network."""
    own = recipe_of(Algorithm.DQN, network=SHARED, hidden_sizes=SMALL, long_only=False, **REPLAY_FIGURES)
    stock = peers_rllib.dqn(bench.accounts(own), SMALL, REPLAY_BATCH)
    sides = [_rllib(stock), *_ours(bench, {SHARED: own})]
    if peers_sb3.is_installed():
        sides.append(_sb3(peers_sb3.dqn(bench.accounts(own), SMALL, REPLAY_BATCH)))
    measured = speeds(sides, 256, rounds, warm_up=2 * peers_rllib.WARM_UP)
    stock.stop()
    return figures_of("DQN", measured, {peers_rllib.NAME: 13.0, peers_sb3.NAME: 0.65}, (SHARED,))


def evaluation(bench: Bench, rounds: int) -> list[Figure]:
    """Deterministic episodes through ``Algorithm.evaluate``."""
    stock = peers_rllib.ppo(bench.accounts(recipe_of(Algorithm.PPO)), SMALL, BATCH, MINIBATCH, EPOCHS)
    sides: dict[str, Callable[[], float]] = {peers_rllib.NAME: partial(_cpu_seconds, stock.evaluate, 1)}
    for network in (PLAIN, SHARED):
        own = bench.ours(recipe_of(Algorithm.PPO, network=network, hidden_sizes=SMALL, **PPO_FIGURES))
        sides[network] = partial(_cpu_seconds, own.evaluate, 5)
    measured = interleaved(sides, rounds)
    stock.stop()
    return [
        beside(
            f"{EPISODES} deterministic episodes, {network}, against {peers_rllib.NAME}",
            "s",
            measured[network],
            measured[peers_rllib.NAME],
            at_least=20.0 if network == PLAIN else None,
        )
        for network in (PLAIN, SHARED)
    ]


def _cpu_seconds(act: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        act()
    return (time.process_time() - start) / calls


def _rllib(algorithm: Any) -> Side:
    return peers_rllib.NAME, partial(peers_rllib.steps_of_training, algorithm)


def _sb3(algorithm: Any) -> Side:
    return peers_sb3.NAME, partial(peers_sb3.steps_of_training, algorithm)


def _ours(bench: Bench, recipes: dict[str, AgentSettings]) -> list[Side]:
    return [(name, by_training(bench.ours(recipe))) for name, recipe in recipes.items()]


NIGHT = {
    "crypto": Algorithm.SAC,
    "currencies": Algorithm.DQN,
    "stocks": Algorithm.PPO,
    "reits": Algorithm.PPO,
    "commodities": Algorithm.PPO,
    "etfs": Algorithm.A2C,
}
"""The six agents, the longest training first."""


def six_agents(folder: Path, steps: int) -> list[Figure]:
    """A night's trainings side by side: wall time of ours, and RLlib's from its speed in the same layout."""
    seconds = {network: _night(folder / network, network, steps) for network in (PLAIN, SHARED)}
    with ray_session(TrainingSettings(), CORES):
        theirs = stock_night(steps)
    return [
        beside(
            f"six agents x {steps:,} steps on {CORES} cores, {network}, against {peers_rllib.NAME} (extrapolated)",
            "s",
            [seconds[network]],
            [theirs],
            at_least=6.0 if network == PLAIN else None,
        )
        for network in (PLAIN, SHARED)
    ]


def _night(folder: Path, network: str, steps: int) -> float:
    """Wall seconds from Ray's start to its end."""
    started = time.perf_counter()
    with ray_session(TrainingSettings(), CORES), ThreadPoolExecutor(len(NIGHT)) as threads:
        list(threads.map(lambda name: submit_training(night_job(name, folder, network, steps)), NIGHT))
    return time.perf_counter() - started


def night_job(name: str, folder: Path, network: str, steps: int) -> TrainingJob:
    """One agent's training with its default recipe, but for network, window and updates; DQN's network stays."""
    settings = Settings()
    changes: dict[str, Any] = {"env_steps": steps, "window": 3}
    if NIGHT[name] in (Algorithm.SAC, Algorithm.DQN):
        changes["updates_per_step"] = 1.0 / STEPS_PER_UPDATE
    if NIGHT[name] is not Algorithm.DQN:
        changes["network"] = network
    panel = market(SHAPE)
    return TrainingJob(
        agent=AGENTS[name],
        recipe=AgentSettings.model_validate(settings.agents[name].model_dump() | changes),
        panel_train=panel.rows(0, 1_200),
        panel_validation=panel.rows(1_199, SHAPE[0]),
        rules=TradingRules.from_settings(settings, name),
        reward=RewardWeights.from_settings(settings, name),
        training=TrainingSettings(episode_days=252),
        seed=1,
        output_dir=folder / name,
    )


def stock_night(steps: int) -> float:
    """Seconds that RLlib would take for the six, two at a time: each speed measured while both cores work."""
    import ray

    task = ray.remote(num_cpus=1)(stock_seconds_per_step)
    pairs = ((Algorithm.SAC, Algorithm.DQN), (Algorithm.PPO, Algorithm.A2C))
    per_step = {
        kind: value
        for pair in pairs
        for kind, value in zip(pair, ray.get([task.remote(kind) for kind in pair]), strict=True)
    }
    cores = [0.0] * CORES
    for seconds in sorted((per_step[kind] * steps for kind in NIGHT.values()), reverse=True):
        cores[cores.index(min(cores))] += seconds
    return max(cores)


def stock_seconds_per_step(kind: Algorithm) -> float:
    """Wall seconds of an environment step with RLlib's own algorithm, over about 20 s."""
    torch.set_num_threads(1)
    quieten_rllib()
    recipe = Settings().agents[next(name for name, value in NIGHT.items() if value is kind)]
    recipe = recipe.model_copy(update={"window": 3})
    panel, seeds, config = market(SHAPE), count(1), environment(recipe)
    make = {
        Algorithm.PPO: partial(
            peers_rllib.ppo, batch=recipe.train_batch_size, minibatch=recipe.minibatch_size, epochs=recipe.num_epochs
        ),
        Algorithm.A2C: partial(peers_rllib.actor_critic, batch=recipe.train_batch_size),
        Algorithm.SAC: partial(peers_rllib.sac, batch=recipe.train_batch_size),
        Algorithm.DQN: partial(peers_rllib.dqn, batch=recipe.train_batch_size),
    }[kind]
    algorithm = make(lambda: TradingEnv(panel, config, next(seeds)), SMALL)
    peers_rllib.steps_of_training(algorithm, 2 * peers_rllib.WARM_UP)
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < 20.0:
        steps += peers_rllib.steps_of_training(algorithm, 1)
    return elapsed / steps


LEARNING = {
    Algorithm.PPO: (36_864, {"learning_rate": 1e-3, **PPO_FIGURES}),
    Algorithm.A2C: (36_864, {"learning_rate": 2e-3, "train_batch_size": 1_024}),
    Algorithm.SAC: (9_216, REPLAY_FIGURES),
    Algorithm.DQN: (9_216, {**REPLAY_FIGURES, "long_only": False}),
}
"""Environment steps and figures of the trainings that are compared."""
POINTS = 3
SEEDS = 3


def learning(folder: Path, share: float = 1.0) -> list[Figure]:
    """Returns of deterministic episodes on another path of the same law, after a third, two thirds and all steps."""
    import ray

    with ray_session(TrainingSettings(), CORES):
        task = ray.remote(num_cpus=1)(curve)
        runs = [
            (kind, engine, seed) for kind in LEARNING for engine in ("stock", "fast") for seed in range(1, SEEDS + 1)
        ]
        runs.sort(key=lambda run: run[0] not in (Algorithm.SAC, Algorithm.DQN))  # the long ones first
        curves = dict(zip(runs, ray.get([task.remote(*run, str(folder), share) for run in runs]), strict=True))
    figures = []
    for kind in LEARNING:
        for point in range(POINTS):
            fast, stock = (
                [curves[kind, engine, seed][point][1] for seed in range(1, SEEDS + 1)] for engine in ("fast", "stock")
            )
            steps = curves[kind, "fast", 1][point][0]
            apart = max(min(fast), min(stock)) > min(max(fast), max(stock))
            note = f"{min(fast):.3f} to {max(fast):.3f} beside {min(stock):.3f} to {max(stock):.3f}"
            name = f"{kind} after {steps:,} steps, return of an episode, fast beside stock engine"
            figures.append(Figure(name, "", fast, stock, note=note + (": apart" if apart else ": overlap")))
    return figures


def curve(kind: Algorithm, engine: str, seed: int, folder: str, share: float) -> list[tuple[int, float]]:
    """Steps and mean log return of 64 deterministic episodes at ``POINTS`` moments of one training."""
    torch.set_num_threads(1)
    quieten_rllib()
    steps, figures = LEARNING[kind]
    recipe = recipe_of(kind, hidden_sizes=(32, 32), env_steps=int(steps * share), **figures)
    own = Path(folder) / f"{kind}-{engine}-{seed}"
    training = TrainingSettings.model_validate({"engine": engine})
    algorithm = algorithm_of(recipe, planted_market(1), own / "train", seed, training)
    shown = TrainingMarket.write(planted_market(2), environment(recipe), 1, own / "shown")
    points, done = [], 0
    for point in range(1, POINTS + 1):
        done += peers_rllib.steps_of_training(algorithm, int(steps * share) * point // POINTS - done)
        result = deterministic_episodes(algorithm.module, shown, EPISODES)
        points.append((done, result["episode_return_mean"] / shown.config.reward_scale))
    algorithm.stop()
    return points


def planted_market(seed: int) -> MarketPanel:
    """``market`` with a drift of a fifth of a daily deviation times feature 0, a slow AR(1) state; 2 bp a trade."""
    rng = np.random.default_rng(seed)
    sessions, assets, _ = SHAPE
    state = np.zeros((sessions, assets))
    shocks = rng.standard_normal(state.shape)
    for row in range(1, sessions):
        state[row] = 0.95 * state[row - 1] + np.sqrt(1.0 - 0.95**2) * shocks[row]
    returns = 0.01 * rng.standard_normal(state.shape)
    returns[1:] += 0.002 * state[:-1]
    close = 100.0 * np.exp(np.cumsum(returns, axis=0))
    features = rng.normal(size=SHAPE).astype(np.float32)
    features[:, :, 0] = state
    opening = np.vstack([np.full((1, assets), 100.0), close[:-1]])
    return replace(
        market(SHAPE), features=features, close=close, open=opening, costs=AssetCosts.flat(assets, 2e-4), cash_rate=None
    )


def main() -> None:
    """Prints the table."""
    sections: dict[str, Callable[[Bench, int], list[Figure]]] = {
        "sampling": sampling,
        "ppo": ppo,
        "ppo256": ppo_large,
        "a2c": a2c,
        "sac": sac,
        "dqn": dqn,
        "evaluation": evaluation,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few short rounds: does it run, roughly how fast")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--only", choices=(*sections, "six", "learning"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    quieten_rllib()
    report = Report("Training, one core")
    if not peers_sb3.is_installed():
        report.lacks(peers_sb3.NAME)
    with tempfile.TemporaryDirectory() as folder:
        for name, measure in sections.items():
            if options.only in (None, name):
                with ray_session(TrainingSettings(), 1):
                    report.add(*measure(Bench(Path(folder) / name), 2 if options.quick else 7))
        if options.only in (None, "six"):
            report.add(*six_agents(Path(folder) / "six", 8_192 if options.quick else NIGHT_STEPS))
        if options.only in (None, "learning"):
            report.add(*learning(Path(folder) / "learning", 0.1 if options.quick else 1.0))
    report.write(as_json=options.json)


if __name__ == "__main__":
    main()
