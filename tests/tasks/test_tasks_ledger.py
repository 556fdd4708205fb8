"""The ledger of trials: what was scored stays in it, once, and is counted."""

import math
from dataclasses import astuple
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.ledger import TABLE, Span, Trial, TrialKind, append_trials, trials_of
from warehouse import Warehouse
from wealtharena.agents.lanes import Lane, baseline_lane

LANE = Lane("stocks", "stocks", "stocks@1a2b3c4d")


def trial(**changes: Any) -> Trial:
    values: dict[str, Any] = {
        "lane": LANE,
        "kind": TrialKind.SEED,
        "night": "2026-01-09-aaaaaaaa",
        "as_of": date(2026, 1, 9),
        "seed": 1,
        "bundle_hash": "a",
        "scored_on": Span.VALIDATION,
        "first_date": date(2025, 1, 2),
        "last_date": date(2025, 6, 30),
        "sessions": 120,
        "sharpe": 0.1,
    }
    return Trial(**{**values, **changes})


def held_out(**changes: Any) -> Trial:
    return trial(kind=TrialKind.CANDIDATE, scored_on=Span.HELD_OUT, **changes)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


def test_nobody_was_tried_yet(warehouse: Warehouse) -> None:
    counted = trials_of(warehouse, "stocks")
    assert counted.number == 0
    assert math.isnan(counted.variance)


def test_a_repeated_night_adds_no_row(warehouse: Warehouse) -> None:
    both = [trial(), trial(seed=2, sharpe=math.nan)]
    append_trials(warehouse, both)
    append_trials(warehouse, both)
    append_trials(warehouse, [])
    assert len(warehouse.read(TABLE, history=True)) == 2
    assert trials_of(warehouse, "stocks").number == 2


def test_every_policy_counts_once_and_its_held_out_score_stands(warehouse: Warehouse) -> None:
    append_trials(warehouse, [trial(sharpe=0.9), trial(seed=2, sharpe=0.2), held_out(sharpe=0.1)])
    assert astuple(trials_of(warehouse, "stocks")) == pytest.approx((2, np.var([0.1, 0.2], ddof=1)))


def test_the_number_of_trials_grows_with_nights_lanes_and_tuning(warehouse: Warehouse) -> None:
    other = Lane("stocks-bold", "stocks", "stocks-bold@99999999")
    append_trials(warehouse, [trial(), trial(lane=other), trial(lane=Lane("etfs", "etfs", "etfs@1"))])
    append_trials(warehouse, [trial(night="2026-01-12-aaaaaaaa", as_of=date(2026, 1, 12), bundle_hash="b")])
    append_trials(warehouse, [trial(kind=TrialKind.TUNING, night="search", seed=7, bundle_hash="")])
    assert trials_of(warehouse, "stocks").number == 4
    assert trials_of(warehouse, "etfs").number == 1


def test_a_training_that_another_night_takes_over_is_no_other_trial(warehouse: Warehouse) -> None:
    append_trials(warehouse, [trial(), trial(night="2026-01-10-aaaaaaaa", as_of=date(2026, 1, 10))])
    assert len(warehouse.read(TABLE)) == 2
    assert trials_of(warehouse, "stocks").number == 1


def test_a_rule_is_one_trial_with_its_newest_score(warehouse: Warehouse) -> None:
    rule = {"lane": baseline_lane("stocks", "cash"), "seed": 0, "bundle_hash": "", "kind": TrialKind.BASELINE}
    scores = {date(2026, 1, 9): 0.5, date(2026, 1, 12): 0.3}
    for day, sharpe in scores.items():
        night = f"{day}-aaaaaaaa"
        append_trials(warehouse, [trial(**rule, scored_on=Span.HELD_OUT, night=night, as_of=day, sharpe=sharpe)])
    append_trials(warehouse, [trial(sharpe=0.1)])
    assert astuple(trials_of(warehouse, "stocks")) == pytest.approx((2, np.var([0.3, 0.1], ddof=1)))
