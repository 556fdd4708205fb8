"""Watch a live-style night without internet: serves the vendors' stand-in and runs the night against it.

    python tests/doubles/demo_live.py                                  # serve until Ctrl-C, and say how to use it
    python tests/doubles/demo_live.py --run -- --agent stocks          # wealtharena nightly --profile nightly --agent …
    python tests/doubles/demo_live.py --faults storm --run -- --force

What the stand-in tells are demo data, made from a seed; they say nothing about real markets.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event

from rich.console import Console
from stand_in import StandIn
from stand_in_faults import FaultPlan
from stand_in_macro import DEFAULT_SERIES, RATE_SERIES, MacroSpec
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.settings import Settings
from wealtharena.settings.loading import CONFIG_FOLDER, HOME_VARIABLE
from wealtharena.vendors.universe import Universe, load_universe

_HOME = Path("data-demo-live")
# The lengths of the quickstart: the nightly profile trains for a quarter of an hour, and this shows the collection.
_SHORT_TRAININGS = {
    f"WEALTHARENA_AGENTS__{name}__ENV_STEPS".upper(): str(recipe.env_steps)
    for name, recipe in Settings().agents.items()
} | {"WEALTHARENA_META__ENV_STEPS": str(Settings().meta.env_steps), "WEALTHARENA_TRAINING__SEEDS": "1"}
_PLANS = {"none": lambda seed: FaultPlan(seed=seed), "mild": FaultPlan.mild, "storm": FaultPlan.storm}


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the stand-in; returns the exit status of the night, or 0 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    now = datetime.now(UTC)
    world = demo_world(load_universe(CONFIG_FOLDER / "universe"), options.seed, options.start, now.date())
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with StandIn(world, _PLANS[options.faults](options.seed), now) as stand_in:
        environment = {
            HOME_VARIABLE: os.environ.get(HOME_VARIABLE) or str(_HOME.absolute()),
            "WEALTHARENA_RUN__HISTORY_START": str(options.start),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1"),
            **stand_in.environment(),
            **({} if options.full else _SHORT_TRAININGS),
        }
        console.print(
            f"Demo data: {len(world.symbols())} symbols and {len(world.series())} macro series, made from seed "
            f"{options.seed}, from {options.start} to {now.date()}, faults: {options.faults}. They say nothing about "
            "real markets."
        )
        if not options.run:
            return _serve(console, stand_in, environment)
        status = _night(options.arguments, environment)
        asked = {vendor: stand_in.count(vendor) for vendor in ("yahoo", "alpha_vantage", "fred", "coingecko")}
        console.print("Requests: " + ", ".join(f"{vendor} {count}" for vendor, count in asked.items()))
        return status


def demo_world(universe: Universe, seed: int, start: date, end: date) -> World:
    """A world with everything that a universe names."""
    known = {spec.series: spec for spec in (*DEFAULT_SERIES, *RATE_SERIES)}
    named = [universe.macro(name) for name in universe.macro_series()]
    series = [known.get(item.symbol) or MacroSpec(item.symbol, item.frequency, 1) for item in named]
    return World(seed, universe.instruments(tuple(AssetClass)), start, end, series)


def _serve(console: Console, stand_in: StandIn, environment: dict[str, str]) -> int:
    for name, value in environment.items():
        sys.stdout.write(f"export {name}={value}\n")
    sys.stdout.flush()
    console.print(f"Serving at {stand_in.url} until Ctrl-C; every request is listed at {stand_in.url}/_log")
    try:
        Event().wait()
    except KeyboardInterrupt:
        return 0
    return 0


def _night(arguments: Sequence[str], environment: dict[str, str]) -> int:
    command = [str(Path(sys.executable).parent / "wealtharena"), "nightly", "--profile", "nightly", *arguments]
    with subprocess.Popen(command, env={**_own(), **environment}) as night:
        while True:
            try:
                return night.wait()
            except KeyboardInterrupt:  # the terminal sent it to the night as well, which ends in its own way
                continue


def _own() -> dict[str, str]:
    """This process's variables, without those that would point the night elsewhere than to the stand-in."""
    return {name: value for name, value in os.environ.items() if not name.startswith("WEALTHARENA_VENDORS__")}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", choices=sorted(_PLANS), default="mild", help="what goes wrong at the vendors")
    parser.add_argument("--seed", type=int, default=1, help="seed of the world and of the faults")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2018, 1, 1), help="first day of the world")
    parser.add_argument("--run", action="store_true", help="run the night instead of serving until Ctrl-C")
    parser.add_argument("--full", action="store_true", help="train as long as the nightly profile says")
    parser.add_argument("arguments", nargs="*", help="after --: arguments of `wealtharena nightly`")
    return parser


if __name__ == "__main__":
    sys.exit(main())
