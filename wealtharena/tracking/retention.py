"""Which versions of a model may lose their files: those that are old, many, and that nothing points to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from wealtharena.settings import RegistrySettings
from wealtharena.tracking.registry import ModelVersionInfo
from wealtharena.tracking.trail import Act, TrailEntry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a version.

    Attributes:
        agent: name.
        version: number.
        days: age, in whole days.
        reasons: why it stays, empty if it goes; what points to it comes first.
    """

    agent: str
    version: str
    days: int
    reasons: tuple[str, ...]

    @property
    def goes(self) -> bool:
        """Nothing keeps it."""
        return not self.reasons


def verdicts(
    versions: Sequence[ModelVersionInfo],
    pointers: Mapping[str, Iterable[str]],
    rules: RegistrySettings,
    now: datetime,
) -> tuple[Verdict, ...]:
    """A verdict on every version of an agent that has not lost its files yet, the oldest first.

    Args:
        versions: of one agent.
        pointers: by version what points to it; a version that is named here never goes.
        rules: how many and how old ones stay anyway.
        now: moment from which ages are counted.
    """
    present = sorted((info for info in versions if not info.is_retired), key=lambda info: int(info.version))
    newest = {info.version for info in present[-rules.keep_versions :]}
    return tuple(
        _verdict(info, tuple(pointers.get(info.version, ())), info.version in newest, rules, now) for info in present
    )


def trail_pointers(trail: Iterable[TrailEntry]) -> dict[str, str]:
    """Versions that the audit trail names as champions, each with the entry that did so last."""
    return {
        version: f"entry {entry.number} of the trail: {entry.act}"
        for entry in trail
        if entry.act is not Act.RETIRED
        for version in (entry.before, entry.after)
        if version
    }


def _verdict(
    info: ModelVersionInfo, pointers: tuple[str, ...], is_new: bool, rules: RegistrySettings, now: datetime
) -> Verdict:
    days = (now - info.created_at).days
    reasons = list(pointers)
    if is_new:
        reasons.append(f"one of the newest {rules.keep_versions}")
    if days < rules.keep_days:
        reasons.append(f"younger than {rules.keep_days} days")
    return Verdict(info.agent, info.version, days, tuple(reasons))
