"""The market of a training as RLlib's configuration carries it: a folder of arrays that every process maps."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import gymnasium
from gymnasium.vector import AutoresetMode

from wealtharena.agents.networks import ObservationStatistics, observation_statistics
from wealtharena.core.errors import DataWindowError, TrainingError
from wealtharena.core.panel import MarketPanel
from wealtharena.envs import EnvConfig, TradingVectorEnv
from wealtharena.envs.spaces import action_space, observation_space
from wealtharena.execution.market import MarketArrays, load_market, market_arrays, save_market

MARKET = "market"
"""Key of the market in RLlib's ``env_config``."""

Spaces = tuple[gymnasium.Space[Any], gymnasium.Space[Any]]


@dataclass(frozen=True, slots=True)
class TrainingMarket:
    """What is traded, in a few hundred bytes: algorithms, checkpoints and remote runners carry it, not the data.

    Attributes:
        folder: arrays written by ``save_market``; on a cluster one that all nodes see.
        config: episodes, actions, reward.
        seed: of episodes and exploration.
    """

    folder: str
    config: EnvConfig
    seed: int

    @classmethod
    def write(cls, panel: MarketPanel, config: EnvConfig, seed: int, folder: Path) -> Self:
        """Writes the arrays of a panel to a folder.

        Raises:
            DataWindowError: the panel is empty or shorter than the window.
        """
        save_market(market_arrays(panel, config.window), folder)
        return cls(str(folder.resolve()), config, seed)

    def environment(self, num_accounts: int, seed: int) -> TradingVectorEnv:
        """Accounts that begin anew in the session in which an episode ends, and always show the same array.

        Raises:
            TrainingError: the folder is gone.
            DataWindowError: the market is too short for the configuration.
        """
        mode = AutoresetMode.SAME_STEP
        return TradingVectorEnv(self.arrays(), self.config, num_accounts, seed, autoreset_mode=mode, copy=False)

    def spaces(self) -> Spaces:
        """Observations and actions of one account.

        Raises:
            TrainingError: the folder is gone.
        """
        arrays = self.arrays()
        num_assets = self.config.symbols_per_episode or len(arrays.symbols)
        shown = observation_space(num_assets, arrays.num_features, self.config.window)
        return shown, action_space(self.config, num_assets)

    def statistics(self) -> ObservationStatistics:
        """Of the features on this market, by which networks normalise what they see.

        Raises:
            TrainingError: the folder is gone.
        """
        arrays = self.arrays()
        features = arrays.observation[..., : arrays.num_features]
        return observation_statistics(features if arrays.window == 1 else features.swapaxes(0, 1), arrays.observed)

    def arrays(self) -> MarketArrays:
        """The data, mapped from the folder.

        Raises:
            TrainingError: the folder is gone.
        """
        try:
            return load_market(Path(self.folder))
        except DataWindowError as error:
            raise TrainingError(f"the market of this algorithm is not there (any more): {error}") from error


class MarketEnv(TradingVectorEnv):
    """The market in RLlib's ``env_config``, as RLlib's own runners take one (``vector_entry_point``)."""

    def __init__(self, context: dict[str, Any]) -> None:
        market: TrainingMarket = context[MARKET]
        # RLlib's runners seed it at their first reset, each with a seed of its own.
        super().__init__(
            market.arrays(), market.config, context.get("num_envs", 1), market.seed,
            autoreset_mode=AutoresetMode.NEXT_STEP,
        )  # fmt: skip
