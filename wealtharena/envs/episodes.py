"""Which sessions and assets an episode covers, and what trading costs in it."""

from typing import NamedTuple

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import FloatArray
from wealtharena.envs.config import EnvConfig
from wealtharena.execution.accounts import IntArray
from wealtharena.execution.market import MarketArrays


class Episodes(NamedTuple):
    """Beginnings of M episodes.

    Attributes:
        rows: (M,) row after whose close the first decision is made.
        assets: (M, K) panel columns, ascending.
        last_rows: (M,) row at whose close the episode ends.
        cost_multipliers: (M,).
    """

    rows: IntArray
    assets: IntArray
    last_rows: IntArray
    cost_multipliers: FloatArray


class EpisodeSampler:
    """Draws episodes; all randomness comes from the generator handed in."""

    def __init__(self, market: MarketArrays, config: EnvConfig) -> None:
        """Raises DataWindowError if the market holds no session that an episode could start from."""
        self._config = config
        self._observed = market.observed
        self._num_assets = len(market.symbols)
        self.assets_per_episode = config.symbols_per_episode or self._num_assets
        if self.assets_per_episode > self._num_assets:
            raise DataWindowError(
                f"symbols_per_episode must be at most {self._num_assets} (the panel's symbols), "
                f"got {self.assets_per_episode}"
            )
        self._last_row = len(market.dates) - 1
        first = market.window - 1
        if self._last_row < first + 1:
            raise DataWindowError(
                f"an episode needs the window's {market.window} sessions and one more, got {len(market.dates)} sessions"
            )
        self._starts = np.array([first])
        if config.random_starts:
            seen = np.flatnonzero(self._observed[: self._last_row].any(axis=1))
            seen = seen[seen >= first]
            if len(seen) == 0:
                raise DataWindowError(
                    f"no asset is observed before the last session ({market.dates[-1]}) and after the window's "
                    f"{market.window} sessions"
                )
            # Whole episodes where the panel is long enough; otherwise the longest that its end cuts short.
            whole = seen[seen <= self._last_row - config.episode_days]
            self._starts = whole if len(whole) else seen[:1]
        self._all_assets = np.arange(self._num_assets)

    def draw(self, count: int, rng: np.random.Generator) -> Episodes:
        """``count`` episodes; assets observed at the start come first."""
        config = self._config
        rows = self._starts[rng.integers(len(self._starts), size=count)]
        assets = np.broadcast_to(self._all_assets, (count, self._num_assets))
        if self.assets_per_episode < self._num_assets:
            order = rng.random((count, self._num_assets)) + ~self._observed[rows]
            assets = np.sort(np.argsort(order, axis=1, kind="stable")[:, : self.assets_per_episode], axis=1)
        lengths: int | IntArray = config.episode_days
        if config.min_episode_days is not None:
            lengths = rng.integers(config.min_episode_days, config.episode_days, size=count, endpoint=True)
        costs = np.full(count, config.cost_multiplier)
        if config.cost_range is not None:
            costs *= rng.uniform(*config.cost_range, size=count)
        return Episodes(rows, assets, np.minimum(rows + lengths, self._last_row), costs)
