"""The audit trail of an agent's champions: an append-only list of entries, one tag of the registered model each.

Tags travel with the registry, to a tracking server too, and MLflow sets one in a single transaction. An entry is
written before the alias moves: what the trail does not tell has not happened. What happened is never changed or
removed; an entry whose move was cut short is followed by one that says so.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

_KEY = re.compile(r"trail\.(\d{6})\.([0-9a-f]{8})")


class Act(StrEnum):
    """What an entry tells."""

    PROMOTED = "promoted"
    """``after`` became the champion in place of ``before``."""
    ROLLED_BACK = "rolled_back"
    """``after``, an earlier champion, took the place of ``before`` again."""
    STATE = "state"
    """The champion's state changed; it stays the champion."""
    RETIRED = "retired"
    """The files of version ``before`` were removed; it never was a champion that a rollback could restore."""
    CUT_SHORT = "cut_short"
    """The move of the entry before did not take place: whoever made it died first. ``after`` is the champion."""
    FOUND = "found"
    """The alias was moved to ``after`` past this trail, by hand in MLflow for instance."""


class ModelState(StrEnum):
    """How much is known of a champion."""

    UNPROVEN = "unproven"
    """First champion, or one that serves without forward evidence."""
    PROVISIONAL = "provisional"
    """Serves on evidence that still has to be confirmed."""
    CONFIRMED = "confirmed"
    """Confirmed by forward evidence."""


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One entry.

    Attributes:
        number: from 1, without gaps.
        act: what happened.
        before, after: versions; ``""`` for none.
        at: moment of the entry, with its time zone.
        by: who or what decided (``gate``, ``person``, a name).
        decision_id: decision that it carries out; ``""`` for none.
        reason: one sentence.
        state: the champion's state from then on; ``""`` if the entry says nothing about it.
    """

    number: int
    act: Act
    before: str
    after: str
    at: datetime
    by: str
    decision_id: str = ""
    reason: str = ""
    state: str = ""

    @property
    def moves(self) -> bool:
        """Whether the champion's alias moved with it."""
        return self.act in (Act.PROMOTED, Act.ROLLED_BACK, Act.FOUND)


def new_key(number: int) -> str:
    """A tag's name for an entry that nobody else gives: entries of rivals stand side by side and are seen."""
    return f"trail.{number:06d}.{secrets.token_hex(4)}"


def number_of(key: str) -> int | None:
    """The number in a tag's name; None if it names no entry."""
    found = _KEY.fullmatch(key)
    return int(found[1]) if found else None


def as_text(entry: TrailEntry) -> str:
    """The entry as a tag's value."""
    return json.dumps({**asdict(entry), "at": entry.at.isoformat()}, sort_keys=True)


def read_trail(tags: Mapping[str, str]) -> tuple[TrailEntry, ...]:
    """The entries among a registered model's tags, in order; other tags are not looked at."""
    return tuple(_entry(tags[key]) for key in sorted(key for key in tags if _KEY.fullmatch(key)))


def champions_of(trail: Iterable[TrailEntry]) -> tuple[str, ...]:
    """Versions that a rollback can go down through, the present champion last, as the trail tells it."""
    champions: tuple[str, ...] = ()
    for entry in effective(trail):
        if entry.moves:
            champions = _moved(champions, entry)
    return champions


def effective(trail: Iterable[TrailEntry]) -> tuple[TrailEntry, ...]:
    """The entries that took effect: without those that were cut short."""
    kept: list[TrailEntry] = []
    for entry in trail:
        if entry.act is Act.CUT_SHORT:
            kept = _without_last_move(kept)
        else:
            kept.append(entry)
    return tuple(kept)


def up_to(champions: tuple[str, ...], version: str) -> tuple[str, ...]:
    """The champions down to the last time of ``version``; all of them and it, if it is not among them."""
    if version not in champions:
        return (*champions, version)
    return champions[: len(champions) - champions[::-1].index(version)]


def _moved(champions: tuple[str, ...], entry: TrailEntry) -> tuple[str, ...]:
    if not entry.after:
        return ()
    if entry.act is Act.PROMOTED and champions[-1:] != (entry.after,):
        return (*champions, entry.after)
    return up_to(champions, entry.after)


def _without_last_move(entries: list[TrailEntry]) -> list[TrailEntry]:
    last = max((place for place, entry in enumerate(entries) if entry.moves), default=-1)
    return [entry for place, entry in enumerate(entries) if place != last]


def _entry(text: str) -> TrailEntry:
    values = json.loads(text)
    return TrailEntry(**{**values, "act": Act(values["act"]), "at": datetime.fromisoformat(values["at"])})
