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
        # Whole episodes where the panel is long enough; otherwise one that the panel's end cuts short.
        last_start = max(last_row - config.episode_days, 0)
        self._starts = np.zeros(1, np.int64)
        if config.random_starts:
            self._starts = np.flatnonzero(panel.observed[: last_start + 1].any(axis=1))
            if len(self._starts) == 0:
                raise DataWindowError(
                    f"no asset is observed in the first {last_start + 1} sessions of {panel.span()}, "
                    f"so no episode of {config.episode_days} sessions can start"
                )

    def draw(self, count: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Start rows (count,) and panel columns (count, K), ascending; assets observed at the start come first."""
        rows = self._starts[rng.integers(len(self._starts), size=count)]
        if self.assets_per_episode == self._num_assets:
            return rows, np.tile(np.arange(self._num_assets), (count, 1))
        order = rng.random((count, self._num_assets)) + ~self._observed[rows]
        chosen = np.argsort(order, axis=1, kind="stable")[:, : self.assets_per_episode]
        return rows, np.sort(chosen, axis=1)
