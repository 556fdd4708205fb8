"""Looks at history: a twelfth of the year's error a month, and the same thing may be looked at again."""

from datetime import date

from wealtharena.promotion.spending import Look, look

MAY = date(2026, 5, 1)


def test_a_month_grants_a_twelfth() -> None:
    assert look(date(2026, 5, 17), "a", (), 0.06) == Look(MAY, "a", 0.005)


def test_the_same_inputs_may_be_looked_at_again_and_others_wait_for_the_next_month() -> None:
    before = (Look(MAY, "a", 0.005),)
    assert look(date(2026, 5, 20), "a", before, 0.06).alpha == 0.005
    assert look(date(2026, 5, 20), "b", before, 0.06).alpha == 0.0
    assert look(date(2026, 6, 1), "b", before, 0.06).alpha == 0.005


def test_a_look_that_was_not_granted_spends_nothing() -> None:
    before = (Look(MAY, "a", 0.005), Look(MAY, "b", 0.0))
    assert look(date(2026, 5, 25), "a", before, 0.06).alpha == 0.005


def test_a_year_spends_no_more_than_its_error() -> None:
    spent: list[Look] = []
    for month in range(1, 13):
        for day in (1, 15):
            spent.append(look(date(2026, month, day), f"{month}-{day}", spent, 0.05))
    assert round(sum(one.alpha for one in spent), 12) == 0.05
