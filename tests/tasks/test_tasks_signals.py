"""Signals of a past date: the champion of today decides, says so, and orders nothing on paper."""

from datetime import date

import pytest
from simulated_nights import crown, simulated_night, with_features

from tasks.night import Night
from tasks.signals import signal_agent

PAST = date(2022, 5, 31)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """ETFs whose champion buys everything."""
    made = with_features(simulated_night(tmp_path_factory.mktemp("signals") / "home", "etfs"))
    crown(made, {"etfs": "equal_weight"})
    return made


def test_a_past_date_is_decided_by_the_champion_of_today_which_says_so_and_orders_nothing(night: Night) -> None:
    past = with_features(night.model_copy(update={"as_of": PAST}))
    receipt = signal_agent.fn(past, "etfs")
    assert sum(receipt.weights.values()) == pytest.approx(1.0)
    assert receipt.notes == (
        "etfs v1 (equal_weight) is the champion of today, made on 2022-06-30: nobody had these signals after "
        "2022-05-31",
    )
    assert night.warehouse.read_or_empty("out_lanes__orders", where={"agent": "etfs"}).empty


def test_the_champions_own_night_needs_no_such_word_and_is_traded_on_paper(night: Night) -> None:
    assert signal_agent.fn(night, "etfs").notes == ()
    orders = night.warehouse.read("out_lanes__orders", where={"agent": "etfs"})
    assert set(orders["lane_id"]) == {"champion"}
