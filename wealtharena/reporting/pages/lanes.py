"""Names and colours of lanes, the same on every page."""

from collections.abc import Iterable, Sequence
from typing import Any

from wealtharena.reporting.display import display_name
from wealtharena.reporting.figures import series_colour

CHAMPION = "champion"
"""``lane_id`` of the account of whatever was in service on the day."""
_BASELINE = "baseline:"
_DASHES = ("dot", "dash", "dashdot", "longdash")


def is_baseline(lane_id: str) -> bool:
    """A fixed rule."""
    return lane_id.startswith(_BASELINE)


def lane_names(lane_ids: Sequence[str]) -> dict[str, str]:
    """For people: ``stocks-lstm`` for ``stocks-lstm@1a2b3c4d``; with its hash where a name has several recipes."""
    names = {lane_id: lane_id.removeprefix(_BASELINE).partition("@")[0] for lane_id in lane_ids}
    shared = [name for lane_id, name in names.items() if not is_baseline(lane_id)]
    return {
        lane_id: lane_id if shared.count(name) > 1 and not is_baseline(lane_id) else display_name(name)
        for lane_id, name in names.items()
    }


def lane_lines(lane_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """How each lane is drawn: the champion's account strong, recipes in colours, rules thin and dashed.

    The agent's own recipe, whose name is the shortest, has the first colour.
    """
    lines: dict[str, dict[str, Any]] = {CHAMPION: {"color": "var(--champion)", "width": 3.0}}
    ordered = sorted(set(lane_ids) - {CHAMPION}, key=lambda lane_id: (lane_id.partition("@")[0], lane_id))
    for place, lane_id in enumerate(one for one in ordered if is_baseline(one)):
        colour = f"var(--baseline-{place % 3 + 1})"
        lines[lane_id] = {"color": colour, "width": 1.3, "dash": _DASHES[place % len(_DASHES)]}
    for place, lane_id in enumerate(one for one in ordered if not is_baseline(one)):
        lines[lane_id] = {"color": series_colour(place), "width": 2.0}
    return lines
