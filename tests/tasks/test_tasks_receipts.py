"""Finished work is found again by its inputs, in a real warehouse."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

import pytest

from tasks.night import Night
from tasks.receipts import (
    TABLE,
    failures,
    finished,
    finished_or_empty,
    finished_up_to,
    once,
    record,
    record_failure,
)
from wealtharena.core import TableRef
from wealtharena.core.errors import PipelineError

MakeNight = Callable[..., Night]
TABLE_REF = TableRef("core_stocks__daily_bars", 3, "", 12, "c" * 64)


@dataclass(frozen=True)
class Baked:
    """A receipt with everything that receipts hold."""

    name: str
    oven: TableRef
    figures: dict[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Bakery:
    """Work that counts how often it is done."""

    def __init__(self) -> None:
        self.baked = 0

    def bake(self) -> Baked:
        self.baked += 1
        return Baked(f"loaf {self.baked}", TABLE_REF, {"sharpe": None, "return": 0.5}, ("a", "b"))


@pytest.fixture
def bakery() -> Bakery:
    return Bakery()


def ask(night: Night, bakery: Bakery, flour: str = "rye", item: str = "bread", intact: bool = True) -> Baked:
    return once(night, "bake", item, {"flour": flour}, bakery.bake, Baked, lambda _: intact)


def test_equal_inputs_are_worked_on_once_and_the_receipt_comes_back_whole(
    make_night: MakeNight, bakery: Bakery
) -> None:
    first = ask(make_night(), bakery)
    assert ask(make_night(run_id="run2"), bakery) == first
    assert first == Baked("loaf 1", TABLE_REF, {"sharpe": None, "return": 0.5}, ("a", "b"))
    assert bakery.baked == 1


def test_other_inputs_or_another_item_are_worked_on(make_night: MakeNight, bakery: Bakery) -> None:
    night = make_night()
    ask(night, bakery)
    assert ask(night, bakery, flour="wheat").name == "loaf 2"
    assert ask(night, bakery, item="roll").name == "loaf 3"
    # Of one item a night keeps only the last receipt.
    assert {item: receipt.name for item, receipt in finished(night, "bake", Baked).items()} == {
        "bread": "loaf 2",
        "roll": "loaf 3",
    }


def test_force_does_the_work_again_and_the_new_receipt_stands(make_night: MakeNight, bakery: Bakery) -> None:
    ask(make_night(), bakery)
    assert ask(make_night(force=True), bakery).name == "loaf 2"
    assert ask(make_night(), bakery).name == "loaf 2"


def test_a_receipt_of_another_night_is_taken_over(make_night: MakeNight, bakery: Bakery) -> None:
    monday, tuesday = make_night(), make_night(as_of=date(2026, 1, 12))
    ask(monday, bakery)
    assert ask(tuesday, bakery).name == "loaf 1"
    assert finished(tuesday, "bake", Baked)["bread"].name == "loaf 1"
    assert finished(monday, "bake", Baked)["bread"].name == "loaf 1"


def test_work_whose_result_is_damaged_is_done_again(make_night: MakeNight, bakery: Bakery) -> None:
    night = make_night()
    ask(night, bakery)
    assert ask(night, bakery, intact=False).name == "loaf 2"
    assert finished(night, "bake", Baked)["bread"].name == "loaf 2"


def test_the_latest_of_several_equal_receipts_is_taken_over(make_night: MakeNight, bakery: Bakery) -> None:
    ask(make_night(), bakery)
    ask(make_night(as_of=date(2026, 1, 12), force=True), bakery)
    assert ask(make_night(as_of=date(2026, 1, 13)), bakery).name == "loaf 2"


def test_work_that_fails_leaves_no_receipt(make_night: MakeNight, bakery: Bakery) -> None:
    def burn() -> Baked:
        raise PipelineError("burnt")

    night = make_night()
    with pytest.raises(PipelineError, match="burnt"):
        once(night, "bake", "bread", {"flour": "rye"}, burn, Baked)
    assert finished_or_empty(night, "bake", Baked) == {}
    assert ask(night, bakery).name == "loaf 1"


def test_a_receipt_recorded_without_inputs_is_never_taken_over(make_night: MakeNight, bakery: Bakery) -> None:
    night = make_night()
    record(night, "bake", "bread", Baked("bought", TABLE_REF), Baked)
    assert finished(night, "bake", Baked)["bread"].name == "bought"
    assert ask(night, bakery).name == "loaf 1"


def test_a_stage_that_finished_nothing_names_the_command_that_would(make_night: MakeNight) -> None:
    night = make_night()
    assert finished_or_empty(night, "features", Baked) == {}
    with pytest.raises(
        PipelineError, match=f"night {night.night_id} has no finished stage 'features'.*`wealtharena feat"
    ):
        finished(night, "features", Baked)


def test_a_failure_stands_until_the_item_is_finished(make_night: MakeNight, bakery: Bakery) -> None:
    night = make_night()
    record_failure(night, "bake", "bread", "no flour")
    record_failure(night, "bake", "roll", "no yeast")
    assert failures(night) == {("bake", "bread"): "no flour", ("bake", "roll"): "no yeast"}
    ask(night, bakery)
    assert failures(night) == {("bake", "roll"): "no yeast"}
    assert failures(make_night(as_of=date(2026, 1, 12))) == {}


def test_a_failure_withdraws_what_was_finished_before(make_night: MakeNight, bakery: Bakery) -> None:
    night = make_night()
    ask(night, bakery)
    record_failure(night, "bake", "bread", "oven broke")
    assert finished_or_empty(night, "bake", Baked) == {}
    assert failures(night) == {("bake", "bread"): "oven broke"}
    assert ask(night, bakery).name == "loaf 2"


def test_every_receipt_says_which_run_stored_it(make_night: MakeNight, bakery: Bakery) -> None:
    ask(make_night(run_id="run7"), bakery)
    (row,) = make_night().warehouse.read(TABLE).to_dict("records")
    assert (row["run_id"], row["status"], row["stage"], row["item"]) == ("run7", "done", "bake", "bread")


def test_receipts_of_earlier_nights_come_oldest_first_and_later_ones_not_at_all(
    make_night: MakeNight, bakery: Bakery
) -> None:
    for day, flour in ((12, "rye"), (8, "wheat"), (9, "oat")):
        ask(make_night(as_of=date(2026, 1, day)), bakery, flour=flour)
    record_failure(make_night(as_of=date(2026, 1, 7)), "bake", "bread", "burnt")
    found = finished_up_to(make_night(), "bake", "bread", Baked)
    assert [receipt.name for receipt in found] == ["loaf 2", "loaf 3"]
    assert finished_up_to(make_night(), "bake", "cake", Baked) == []
