"""Everything that an agent is and does under some settings, in one object for people and programs to read."""

from dataclasses import asdict, dataclass

from wealtharena.agents.specs import META_AGENT, STRATEGY_FEATURES, AgentSpec, resolve_agent
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.execution import RewardWeights, TradingRules
from wealtharena.markets import MARKETS
from wealtharena.settings.models import Actions, AgentSettings, Algorithm, CostSettings, Settings, TradeCosts

__all__ = ["FIGURES", "AgentPlan", "agent_plan", "agent_plans"]

_ACTOR_CRITIC = ("train_batch_size", "gae_lambda", "entropy_coeff", "shadow_accounts")
_REPLAY = ("train_batch_size", "replay_capacity", "updates_per_step", "n_step", "tau")

FIGURES: dict[Algorithm, tuple[str, ...]] = {
    Algorithm.PPO: (*_ACTOR_CRITIC, "minibatch_size", "num_epochs", "clip_param", "kl_coeff"),
    Algorithm.A2C: _ACTOR_CRITIC,
    Algorithm.SAC: (*_REPLAY, "initial_temperature", "target_entropy"),
    Algorithm.DQN: (*_REPLAY, "explored_share", "final_epsilon"),
}
"""Names of the figures of ``AgentSettings`` that only some algorithms use, per algorithm."""

Figure = float | bool | None


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent as it is trained, scored and used; every value is the one that runs.

    Attributes:
        agent: its name.
        asset_class: what it trades; None for the meta-agent, whose assets are the other agents' books.
        style: what its features look for, in words.
        features: what it observes of each asset in each session of ``window``, in this order.
        macro: whether macro series follow them, as far as the source has any.
        algorithm, network, hidden_sizes, window: who learns.
        actions: what an action says about an asset.
        levels: the positions that it chooses from, as shares of a full one; empty unless ``actions`` are levels.
        long_only: whether it never sells short.
        reward: weight of each term of the reward that has one.
        risk_profile: name of its appetite for risk.
        profile_limits: those of ``limits`` that the profile makes other than ``risk`` says.
        limits: every limit of its accounts; None is no limit.
        engine: ``fast`` or ``stock``.
        env_steps: environment steps of one training; the last round of updates is completed.
        seeds: trainings, of which the best is kept.
        episode_days: sessions of a training episode.
        num_accounts: accounts that trade side by side in training.
        learning_rate, final_learning_rate, gamma: of every algorithm; a rate that stays ends as it began.
        figures: further figures of its algorithm; what another one would need is left out.
        costs: figures of its costs that are not 0: under its class's name, and under each exchange that has others.
    """

    agent: str
    asset_class: AssetClass | None
    style: str
    features: tuple[str, ...]
    macro: bool
    algorithm: str
    network: str
    hidden_sizes: tuple[int, ...]
    window: int
    actions: str
    levels: tuple[float, ...]
    long_only: bool
    reward: dict[str, float]
    risk_profile: str
    profile_limits: dict[str, Figure]
    limits: dict[str, Figure]
    engine: str
    env_steps: int
    seeds: int
    episode_days: int
    num_accounts: int
    learning_rate: float
    final_learning_rate: float
    gamma: float
    figures: dict[str, Figure]
    costs: dict[str, dict[str, float]]


def agent_plan(settings: Settings, name: str) -> AgentPlan:
    """The plan of one agent, the meta-agent included.

    Args:
        name: of the agent, or one of its aliases.

    Raises:
        SettingsError: there is no such agent, or it has no recipe.
    """
    spec = resolve_agent(name)
    if spec.name != META_AGENT and spec.name not in settings.agents:
        raise SettingsError(unknown_name("recipe of agent", spec.name, settings.agents))
    recipe, training = settings.recipe_of(spec.name), settings.training
    limits = asdict(TradingRules.from_settings(settings, spec.name))
    weights = asdict(RewardWeights.from_settings(settings, spec.name))
    style, features, macro = _observed(settings, spec)
    return AgentPlan(
        agent=spec.name,
        asset_class=spec.asset_class,
        style=style,
        features=features,
        macro=macro,
        algorithm=str(recipe.algorithm),
        network=str(recipe.network),
        hidden_sizes=recipe.hidden_sizes,
        window=recipe.window,
        actions=str(recipe.action_kind),
        levels=recipe.position_levels if recipe.action_kind is Actions.LEVELS else (),
        long_only=recipe.long_only,
        reward={term: weight for term, weight in weights.items() if weight},
        risk_profile=recipe.risk_profile,
        profile_limits=_profile_limits(settings, recipe),
        limits=limits,
        engine=training.engine,
        env_steps=recipe.env_steps,
        seeds=training.seeds,
        episode_days=training.episode_days,
        num_accounts=recipe.num_accounts,
        learning_rate=recipe.learning_rate,
        final_learning_rate=recipe.learning_rate if recipe.final_learning_rate is None else recipe.final_learning_rate,
        gamma=recipe.gamma,
        figures={figure: _figure(settings, recipe, figure) for figure in FIGURES[recipe.algorithm]},
        costs=_costs(settings, spec),
    )


def agent_plans(settings: Settings) -> list[AgentPlan]:
    """The plans of the agents of ``run.asset_classes`` and of the meta-agent over them."""
    return [agent_plan(settings, str(name)) for name in (*settings.run.asset_classes, META_AGENT)]


def _observed(settings: Settings, spec: AgentSpec) -> tuple[str, tuple[str, ...], bool]:
    if spec.asset_class is None:
        return "allocation between the agents", STRATEGY_FEATURES, False
    market = MARKETS[spec.asset_class]
    features = market.feature_names(settings.features.calendar)
    return market.style, features, settings.features.macro and market.observes_macro


def _profile_limits(settings: Settings, recipe: AgentSettings) -> dict[str, Figure]:
    profile = settings.risk_profiles[recipe.risk_profile].risk
    return {name: value for name, value in profile.items() if value != getattr(settings.risk, name)}


def _figure(settings: Settings, recipe: AgentSettings, name: str) -> Figure:
    value: Figure = getattr(recipe, name)
    if name == "shadow_accounts" and value is None:
        return settings.training.engine == "fast"
    return value


def _costs(settings: Settings, spec: AgentSpec) -> dict[str, dict[str, float]]:
    if spec.asset_class is None:
        return {spec.name: {"rebalance_bps": settings.meta.rebalance_bps}}
    own = settings.costs[spec.asset_class]
    return {spec.name: _not_zero(own)} | {name: _not_zero(costs) for name, costs in own.exchanges.items()}


def _not_zero(costs: TradeCosts | CostSettings) -> dict[str, float]:
    return {name: getattr(costs, name) for name in TradeCosts.model_fields if getattr(costs, name)}
