"""Names under which Gymnasium finds the environments."""

from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from wealtharena.core.asset_class import META_AGENT, AssetClass
from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.panel import MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.envs.single_env import TradingEnv
from wealtharena.envs.vector_env import TradingVectorEnv
from wealtharena.execution.market import MarketArrays
from wealtharena.settings.models import Settings

ENV_ID = "WealthArena/Trading-v0"

ENVIRONMENTS: dict[str, dict[str, str]] = {
    ENV_ID: {},
    "WealthArena/TradingChanges-v0": {"action": "changes"},
    "WealthArena/TradingLevels-v0": {"action": "levels"},
    "WealthArena/Stocks-v0": {"agent": "stocks"},
    "WealthArena/Crypto-v0": {"agent": "crypto"},
    "WealthArena/ETFs-v0": {"agent": "etfs"},
    "WealthArena/Currencies-v0": {"agent": "currencies"},
    "WealthArena/REITs-v0": {"agent": "reits"},
    "WealthArena/Commodities-v0": {"agent": "commodities"},
}
"""What each name hands to ``make_env``; ``gymnasium.make(name, …)`` may add to it and overrule it."""


def register_environments() -> None:
    """Register ``ENVIRONMENTS`` with Gymnasium; a second call changes nothing."""
    for name, values in ENVIRONMENTS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="wealtharena.envs.registration:make_env",
                vector_entry_point="wealtharena.envs.registration:make_vector_env",
                kwargs=dict(values),
            )


def make_env(
    panel: MarketPanel | MarketArrays | None = None,
    config: EnvConfig | None = None,
    seed: int = 0,
    *,
    agent: str = "stocks",
    render_mode: str | None = None,
    **changes: Any,
) -> TradingEnv:
    """What ``gymnasium.make`` calls.

    Args:
        panel: market to trade. Without one the environment runs on the market simulator's symbols of the agent's class:
            demo data, no real prices; ``info["is_demo"]`` says so.
        config: episodes, actions and reward; by default the limits and the reward of ``agent`` in the default settings.
        seed: of the generator that draws episodes.
        agent: asset class, or ``meta``, which has no demo market.
        render_mode: has no effect; Stable-Baselines3 hands it to every environment, and Gymnasium warns of it.
        changes: attributes of ``EnvConfig`` that differ from ``config``.

    Raises:
        SettingsError: there is no such agent or attribute, or a value is out of its range.
        DataWindowError, ExecutionError: as ``TradingEnv``.
    """
    market = _demo(agent) if panel is None else panel
    return TradingEnv(market, _config(config, agent, changes), seed, is_demo=panel is None)


def make_vector_env(
    panel: MarketPanel | MarketArrays | None = None,
    config: EnvConfig | None = None,
    num_envs: int = 1,
    seed: int = 0,
    *,
    agent: str = "stocks",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    detailed_infos: bool = False,
    copy: bool = True,
    **changes: Any,
) -> TradingVectorEnv:
    """What ``gymnasium.make_vec`` calls: ``make_env`` for ``TradingVectorEnv``, whose further arguments it takes."""
    market = _demo(agent) if panel is None else panel
    return TradingVectorEnv(
        market,
        _config(config, agent, changes),
        num_envs,
        seed,
        autoreset_mode=autoreset_mode,
        detailed_infos=detailed_infos,
        copy=copy,
        is_demo=panel is None,
    )


def _config(config: EnvConfig | None, agent: str, changes: dict[str, Any]) -> EnvConfig:
    if config is None:
        return EnvConfig.from_settings(Settings(), agent, **changes)
    return config.changed(**changes)


def _demo(agent: str) -> MarketPanel:
    from wealtharena.envs.demo_market import shared_demo_panel  # brings in exchange calendars

    if agent == META_AGENT or agent not in set(AssetClass):
        raise SettingsError(unknown_name("asset class with a demo market", agent, map(str, AssetClass)))
    return shared_demo_panel(AssetClass(agent))
