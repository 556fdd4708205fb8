"""`wealtharena evaluate`: agents and promotion gate, tried where the right answer is known."""

from typing import Annotated

import typer

from flows import options, terminal
from wealtharena.core.errors import SettingsError
from wealtharena.settings import load_settings

evaluate_app = typer.Typer(
    no_args_is_help=True, help="Test agents and the promotion gate where the right answer is known."
)

Names = Annotated[
    list[str],
    typer.Option("--agent", "-a", metavar="NAME", help="ppo, a2c, sac, dqn, or an agent for its own recipe."),
]
Markets = Annotated[
    list[str] | None,
    typer.Option("--market", "-m", metavar="NAME", help="Verification market. Repeatable. Default: M1e; M0 with leak."),
]


@evaluate_app.callback()
def evaluate() -> None:
    """Test agents and the promotion gate where the right answer is known."""


@evaluate_app.command()
def learning(
    agent: Names,
    market: Markets = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings, each on histories of its own.")] = 5,
    years: Annotated[float, typer.Option("--years", min=0.1, help="Years that each trained agent is tested on.")] = 400,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps per training. Default: recipe's.")] = None,
    leak: Annotated[bool, typer.Option("--leak", help="Add the next session's return to the features.")] = False,
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Train agents on markets with a known answer and compare them with the best that is possible.

    An agent must reach its share of the oracle on M1e (momentum that hardly pays its costs), M3b (mean reversion at
    high cost) and M5 (a book of 20 assets), and stand still on M0, where there is nothing to find. With --leak it must
    find a return that it is told beforehand. Exit code 1: a target was missed, or something is too good to be true.

    Examples:

      wealtharena evaluate learning --agent ppo --market M1e --market M3b --market M5

      wealtharena evaluate learning --agent a2c --agent sac --leak

      wealtharena evaluate learning --agent crypto --market M0 --seeds 2 --steps 200000 --json
    """
    with terminal.friendly_errors(as_json):
        settings = load_settings(profile, overrides or [])
        from flows.evaluate_learning import print_summaries, run_controls

        summaries = run_controls(settings, agent, market or (["M0"] if leak else ["M1e"]), seeds, years, steps, leak)
        print_summaries(summaries, as_json)
    if not all(summary.meets_target for _, summary in summaries):
        raise typer.Exit(terminal.EXIT_FAILED)


@evaluate_app.command()
def gate(
    years: Annotated[int, typer.Option("--years", min=1, help="Simulated worlds; with an edge a tenth.")] = 20_000,
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", "-s", metavar="NAME", help="Scenario. Repeatable. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulation.")] = 1,
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Run the promotion gate through simulated years: how often it errs, how often it finds what is there.

    Scenarios: null, null-crash (no lane is better), worthless, worthless-crash, worthless-worse (history is worth
    nothing), gain-0.5, gain-1, gain-1-short, gain-2 (one lane is truly better). Every world is watched for two years.
    Exit code 1: a bound was missed.

    Examples:

      wealtharena evaluate gate --years 20000

      wealtharena evaluate gate --years 2000 --scenario worthless --set promotion.confirmed_evidence=40
    """
    with terminal.friendly_errors(as_json):
        from flows.gate_table import print_gate, run_gate
        from wealtharena.promotion.simulation import SCENARIOS

        unknown = sorted(set(scenario or ()) - set(SCENARIOS))
        if unknown:
            raise SettingsError(f"--scenario must be one of {', '.join(SCENARIOS)}, got {', '.join(unknown)}")
        rules = load_settings(profile, overrides or []).promotion
        summaries = run_gate(scenario or list(SCENARIOS), years, rules, seed, quiet=as_json)
        print_gate(summaries, as_json)
    if not all(summary.passed for summary in summaries):
        raise typer.Exit(terminal.EXIT_FAILED)


@evaluate_app.command()
def pipeline(
    agent: Annotated[
        str, typer.Option("--agent", "-a", metavar="NAME", help="ppo, a2c, sac, dqn, or an agent for its own recipe.")
    ] = "ppo",
    market: Annotated[
        list[str] | None,
        typer.Option("--market", "-m", metavar="NAME", help="Verification market. Repeatable. Default: M0, M6, M3b."),
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Worlds of each market.")] = 20,
    years: Annotated[int, typer.Option("--years", min=1, help="Years of history; one is too short for the gate.")] = 5,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps per training; a world has years + 2.")] = 100_000,
    every: Annotated[int, typer.Option("--every", min=1, help="Sessions from one night to the next.")] = 1,
    incumbent: Annotated[
        str, typer.Option("--incumbent", metavar="NAME", help="Baseline that serves before. Default: an empty place.")
    ] = "",
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    as_json: options.AsJson = False,
) -> None:
    """Rehearse the whole chain, from training to promotion, on worlds with a known answer.

    In each world the agent is trained and tested year by year beside the baselines, then trained for the first night;
    252 nights decide who serves. On M0 (nothing to find) and M6 (a trap) the agent may become champion no more often
    than promotion.error_per_year promises; where there is an edge it must in most worlds.
    Exit code 1: that was missed.

    Examples:

      wealtharena evaluate pipeline

      wealtharena evaluate pipeline --market M0 --market M6 --seeds 40 --set training.num_workers=8

      wealtharena evaluate pipeline --market M3b --incumbent cash

      wealtharena evaluate pipeline --agent a2c --market M1 --years 10 --steps 200000 --json
    """
    with terminal.friendly_errors(as_json):
        settings = load_settings(profile, overrides or [])
        from flows.evaluate_pipeline import print_pipeline, run_pipeline

        summaries = run_pipeline(settings, agent, market or ["M0", "M6", "M3b"], seeds, years, steps, every, incumbent)
        print_pipeline(summaries, as_json)
    if not all(summary.kept for summary in summaries):
        raise typer.Exit(terminal.EXIT_FAILED)
