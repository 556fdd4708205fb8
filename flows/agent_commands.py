"""`wealtharena agents`: what each agent is, from the settings that it runs with."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flows import options, terminal
from wealtharena.settings import load_settings

if TYPE_CHECKING:
    from wealtharena.agents.plan import AgentPlan


def agents(
    profile: options.Profile = "quickstart",
    overrides: options.Overrides = None,
    agent: options.Agents = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the agents: what they trade and observe, how they learn, their reward, limits and costs.

    Examples:

      wealtharena agents --profile nightly

      wealtharena agents --agent stocks --set agents.stocks.risk_profile=conservative
    """
    with terminal.friendly_errors(as_json):
        from wealtharena.agents.plan import agent_plan, agent_plans

        settings = load_settings(profile, list(overrides or []))
        plans = [agent_plan(settings, name) for name in agent] if agent else agent_plans(settings)
        if agent:
            for plan in plans:
                terminal.print_table(f"Agent {plan.agent}", ["what", "as it runs"], _everything(plan))
        else:
            columns = ["agent", "algorithm", "network", "features", "actions", "reward", "risk profile", "training"]
            terminal.print_table("Agents", columns, [_row(plan) for plan in plans])
            terminal.console.print("`wealtharena agents --agent stocks` shows everything about one of them.")
        if as_json:
            terminal.print_json({"agents": [asdict(plan) for plan in plans]})


def _row(plan: "AgentPlan") -> list[str]:
    return [
        plan.agent,
        plan.algorithm,
        _network(plan),
        f"{len(plan.features)}{' + macro' if plan.macro else ''}: {plan.style}",
        _actions(plan),
        _listed(plan.reward),
        plan.risk_profile,
        _training(plan),
    ]


def _everything(plan: "AgentPlan") -> list[list[str]]:
    rows = {
        "trades": str(plan.asset_class or "the other agents' books"),
        "observes": f"{', '.join(plan.features)}{', then macro series' if plan.macro else ''}",
        "looks for": plan.style,
        "network": _network(plan),
        "actions": _actions(plan),
        "reward": _listed(plan.reward),
        "algorithm": f"{plan.algorithm} ({plan.engine} engine)",
        "training": f"{_training(plan)}, episodes of {plan.episode_days} sessions, {plan.num_accounts} accounts",
        "figures": _listed({**_rates(plan), "gamma": plan.gamma, **plan.figures}),
        "risk profile": f"{plan.risk_profile}: {_listed(plan.profile_limits) or 'nothing differs from risk'}",
        "limits": _listed(plan.limits),
        **{f"costs, {place}": _listed(figures) for place, figures in plan.costs.items()},
    }
    return [list(row) for row in rows.items()]


def _network(plan: "AgentPlan") -> str:
    layers = "-".join(map(str, plan.hidden_sizes))
    return f"{plan.network} {layers}, {plan.window} session{'s' if plan.window > 1 else ''}"


def _actions(plan: "AgentPlan") -> str:
    levels = "".join(f" {level:g}" for level in plan.levels)
    return f"{plan.actions}{levels}, {'long' if plan.long_only else 'long and short'}"


def _rates(plan: "AgentPlan") -> dict[str, float]:
    first, last = plan.learning_rate, plan.final_learning_rate
    return {"learning_rate": first} | ({} if first == last else {"final_learning_rate": last})


def _training(plan: "AgentPlan") -> str:
    return f"{plan.env_steps:,} steps x {plan.seeds} seed{'s' if plan.seeds > 1 else ''}"


def _listed(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in figures.items())


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.10g}"
