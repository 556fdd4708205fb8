"""Lanes: recipes that are trained night after night, so that their trading on paper is evidence about the recipe."""

from dataclasses import dataclass

from wealtharena.agents.specs import AGENTS, STRATEGY_FEATURES
from wealtharena.core.hashing import hash_json
from wealtharena.markets import MARKETS
from wealtharena.settings import Settings

_BASELINE = "baseline:"
# Where and how fast a training runs, and how it is resumed, is no part of what it learns.
_NO_RECIPE = {"num_workers", "checkpoint_seconds", "env_runners", "gpus", "ray_address"}


@dataclass(frozen=True, slots=True)
class Lane:
    """One recipe of an agent, or a fixed rule.

    Attributes:
        name: key of the settings (``stocks``, ``stocks-lstm``), or of ``BASELINES``.
        agent: whose market it trades.
        lane_id: name and a hash of everything that makes the recipe: a changed recipe is another lane.
    """

    name: str
    agent: str
    lane_id: str

    @property
    def is_baseline(self) -> bool:
        """A fixed rule that needs no training."""
        return self.lane_id.startswith(_BASELINE)


def policy_lanes(settings: Settings, agent: str) -> tuple[Lane, ...]:
    """The lanes of an agent that are trained: its own recipe first, then its challengers'."""
    return tuple(Lane(name, agent, f"{name}@{recipe_hash(settings, name)}") for name in settings.lanes_of(agent))


def baseline_lane(agent: str, name: str) -> Lane:
    """The lane of a fixed rule."""
    return Lane(name, agent, f"{_BASELINE}{name}")


def recipe_hash(settings: Settings, lane: str) -> str:
    """Eight digits over what a lane observes, learns and obeys; dates, seeds of the night and machines do not count."""
    asset_class = AGENTS[settings.agent_of(lane)].asset_class
    features = MARKETS[asset_class].indicators if asset_class is not None else STRATEGY_FEATURES
    return hash_json(
        {
            "recipe": settings.recipe_of(lane).model_dump(mode="json"),
            "risk": settings.risk_of(lane).model_dump(mode="json"),
            "reward": settings.reward_of(lane).model_dump(mode="json"),
            "observed": features,
            "features": settings.features.model_dump(mode="json"),
            "windows": settings.windows.model_dump(mode="json"),
            "training": settings.training.model_dump(mode="json", exclude=_NO_RECIPE),
        }
    )[:8]
