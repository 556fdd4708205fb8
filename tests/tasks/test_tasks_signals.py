"""Signals of a past date: the champion of today decides, says so, and orders nothing on paper."""

from datetime import UTC, date, datetime

import pytest

from tasks.baselines import register_baseline
from tasks.collection import collect_class
from tasks.features import compute_class_features
from tasks.night import Night
from tasks.signals import signal_agent
from wealtharena.core import AssetClass
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

PAST = date(2022, 5, 31)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """ETFs whose champion buys everything."""
    settings = Settings.model_validate(
        {
            "home": tmp_path_factory.mktemp("signals") / "home",
            "run": {"asset_classes": ["etfs"], "as_of": "2022-06-30"},
            "vendors": {"simulator": {"symbols_per_class": 3, "start": "2019-01-02"}},
            "windows": {"held_out_days": 90, "validation_days": 130, "embargo_days": 2, "min_train_days": 150},
            "features": {"macro": False},
        }
    )
    made = Night(
        settings=settings,
        as_of=date(2022, 6, 30),
        opened_at=datetime(2022, 7, 1, 8, tzinfo=UTC),
        run_id="r",
        agents=("etfs",),
        with_meta=False,
    )
    with_market(made)
    ModelRegistry(Tracker(settings)).promote("etfs", register_baseline(made, "etfs", "equal_weight"), "d1")
    return made


def test_a_past_date_is_decided_by_the_champion_of_today_which_says_so_and_orders_nothing(night: Night) -> None:
    past = night.model_copy(update={"as_of": PAST})
    with_market(past)
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


def with_market(night: Night) -> None:
    collect_class.fn(night, AssetClass.ETFS)
    compute_class_features.fn(night, AssetClass.ETFS)
