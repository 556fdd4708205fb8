"""Which sessions and assets an episode covers."""

import numpy as np

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel
from wealtharena.envs.config import EnvConfig
from wealtharena.execution.accounts import IntArray


class EpisodeSampler:
    """Draws start rows and asset subsets of episodes; all randomness comes from the generator handed in."""

    def __init__(self, panel: MarketPanel, config: EnvConfig) -> None:
        """Raises DataWindowError if the panel holds no session that an episode could start from."""
        self._observed = panel.observed
        self._num_assets = len(panel.symbols)
        self.assets_per_episode = config.symbols_per_episode or self._num_assets
        if self.assets_per_episode > self._num_assets:
            raise DataWindowError(
                f"symbols_per_episode must be at most {self._num_assets} (the panel's symbols), "
                f"got {self.assets_per_episode}"
            )
        last_row = len(panel.dates) - 1
        if last_row < 1:
            raise DataWindowError(f"an episode needs two sessions; the panel spans {panel.span()}")
        self._starts = np.zeros(1, np.int64)
        if config.random_starts:
            seen = np.flatnonzero(panel.observed[:last_row].any(axis=1))
            if len(seen) == 0:
                raise DataWindowError(f"no asset is observed before the last session of {panel.span()}")
            # Whole episodes where the panel is long enough; otherwise the longest that its end cuts short.
            whole = seen[seen <= last_row - config.episode_days]
            self._starts = whole if len(whole) else seen[:1]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Start rows (count,) and panel columns (count, K), ascending; assets observed at the start come first."""
        rows = self._starts[rng.integers(len(self._starts), size=count)]
        if self.assets_per_episode == self._num_assets:
            return rows, np.tile(np.arange(self._num_assets), (count, 1))
        order = rng.random((count, self._num_assets)) + ~self._observed[rows]
        chosen = np.argsort(order, axis=1, kind="stable")[:, : self.assets_per_episode]
        return rows, np.sort(chosen, axis=1)
