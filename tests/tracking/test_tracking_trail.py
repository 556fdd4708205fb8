"""The trail as plain data: what its entries say about who may serve again, and what was cut short."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wealtharena.tracking.trail import (
    Act,
    TrailEntry,
    as_text,
    champions_of,
    effective,
    new_key,
    number_of,
    read_trail,
)

MOMENT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)


def trail(*moves: tuple[Act, str, str]) -> tuple[TrailEntry, ...]:
    return tuple(TrailEntry(k, act, before, after, MOMENT, "gate") for k, (act, before, after) in enumerate(moves, 1))


def test_an_entry_comes_back_from_its_tag() -> None:
    entry = TrailEntry(7, Act.PROMOTED, "1", "2", MOMENT, "Ada", "d7", "beats it – twice", "provisional")
    tags = {new_key(7): as_text(entry), "mlflow.note": "x", "trail.7": "no entry", "trail.000007.xyz": "no entry"}
    assert read_trail(tags) == (entry,)


def test_entries_are_read_in_the_order_of_their_numbers() -> None:
    entries = trail(*((Act.PROMOTED, str(k), str(k + 1)) for k in range(120)))
    tags = {new_key(entry.number): as_text(entry) for entry in reversed(entries)}
    assert read_trail(tags) == entries


@pytest.mark.parametrize(
    ("moves", "champions"),
    [
        ([], ()),
        ([(Act.PROMOTED, "", "1")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "1")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "2"), (Act.PROMOTED, "2", "1")], ("1", "2", "1")),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "2"), (Act.ROLLED_BACK, "2", "1")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "2"), (Act.CUT_SHORT, "2", "1")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.CUT_SHORT, "1", "")], ()),
        ([(Act.PROMOTED, "", "1"), (Act.FOUND, "1", "4")], ("1", "4")),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "2"), (Act.FOUND, "2", "1")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.FOUND, "1", "")], ()),
        ([(Act.PROMOTED, "", "1"), (Act.STATE, "1", "1"), (Act.RETIRED, "9", "")], ("1",)),
        ([(Act.PROMOTED, "", "1"), (Act.PROMOTED, "1", "2"), (Act.ROLLED_BACK, "2", "1"), (Act.CUT_SHORT, "1", "2")],
         ("1", "2")),
    ],
)  # fmt: skip
def test_the_way_back_is_what_the_entries_leave_of_it(moves: list[tuple[Act, str, str]], champions: tuple[str]) -> None:
    assert champions_of(trail(*moves)) == champions


@given(
    st.lists(
        st.tuples(st.sampled_from(["promote", "rollback", "cut promote", "cut rollback", "state"]), st.integers(1, 5)),
        max_size=40,
    )
)
def test_the_trail_tells_the_same_as_a_stack(acts: Sequence[tuple[str, int]]) -> None:
    stack: list[str] = []
    moves: list[tuple[Act, str, str]] = []
    for act, number in acts:
        version, now = str(number), stack[-1] if stack else ""
        if act.endswith("promote"):
            if act == "promote" and version != now:
                stack.append(version)
            if version != now:
                moves.append((Act.PROMOTED, now, version))
        elif act.endswith("rollback") and len(stack) > 1:
            moves.append((Act.ROLLED_BACK, now, stack[-2]))
            if act == "rollback":
                stack.pop()
        elif act == "state" and now:
            moves.append((Act.STATE, now, now))
        if act.startswith("cut") and moves and moves[-1][0] in (Act.PROMOTED, Act.ROLLED_BACK) and moves[-1][1] == now:
            moves.append((Act.CUT_SHORT, moves[-1][2], now))
    told = trail(*moves)
    if any(before == after for act, before, after in moves if act is Act.ROLLED_BACK):
        return  # a rollback to an equal version has two readings
    assert champions_of(told) == tuple(stack)
    assert not [entry for entry in effective(told) if entry.act is Act.CUT_SHORT]


def test_names_of_rivals_for_one_number_differ() -> None:
    keys = {new_key(3) for _ in range(50)}
    assert len(keys) == 50
    assert {number_of(key) for key in keys} == {3}
    assert number_of("champions") is None
