"""What the allocator learns from, and learning curves as rows."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_samples import planted_panel

from wealtharena.core.errors import DataWindowError
from wealtharena.settings.models import Algorithm, Settings
from wealtharena.training.allocator import split_strategies
from wealtharena.training.curves import curve_frame
from wealtharena.training.result import CurveRow

PANEL = planted_panel(400, 2, 0.0, seed=1, features=1)


def day(row: int) -> date:
    found: date = PANEL.dates[row].astype(object)
    return found


@given(rows=st.integers(150, 400), embargo=st.integers(0, 9))
def test_training_embargo_and_validation_follow_one_another_and_end_at_the_last_day(rows: int, embargo: int) -> None:
    train, validation = split_strategies(PANEL, day(rows - 1), embargo)
    end, start = len(train.dates), rows - len(validation.dates)
    assert end == int(rows * 2 / 3)
    # The first validation row is only seen: what is traded begins a row later.
    assert start + 1 - end == embargo
    np.testing.assert_array_equal(train.dates, PANEL.dates[:end])
    np.testing.assert_array_equal(validation.dates, PANEL.dates[start:rows])


def test_no_row_after_the_last_day_reaches_the_allocator() -> None:
    last = day(199)
    for part in split_strategies(PANEL, last, 5):
        assert part.dates.max() <= np.datetime64(last)
    before_first_gap = split_strategies(PANEL.rows(0, 200), date(2030, 1, 1), 5)
    for part, other in zip(split_strategies(PANEL, last, 5), before_first_gap, strict=True):
        assert part.content_hash == other.content_hash


@pytest.mark.parametrize(("rows", "embargo", "counts"), [(59, 0, "39 and 20"), (120, 1, "80 and 39")])
def test_both_parts_need_forty_sessions(rows: int, embargo: int, counts: str) -> None:
    with pytest.raises(
        DataWindowError, match=f"40 sessions .* got {counts} up to .*; lengthen windows.validation_days"
    ):
        split_strategies(PANEL, day(rows - 1), embargo)


def test_forty_sessions_to_choose_by_are_enough() -> None:
    train, validation = split_strategies(PANEL, day(118), 0)
    # One row more, which is only seen.
    assert (len(train.dates), len(validation.dates)) == (79, 41)


def test_a_last_day_before_the_curves_leaves_nothing() -> None:
    with pytest.raises(DataWindowError, match="got 0 and -5"):
        split_strategies(PANEL, date(2000, 1, 1), 5)


def test_the_allocators_recipe_is_what_the_settings_say() -> None:
    figures = {"env_steps": 1234, "learning_rate": 0.5, "risk_profile": "aggressive"}
    settings = Settings.model_validate({"meta": figures})
    recipe = settings.recipe_of("meta")
    assert (recipe.algorithm, recipe.env_steps, recipe.learning_rate) == (Algorithm.PPO, 1234, 0.5)
    assert (recipe.long_only, recipe.risk_profile) == (True, "aggressive")


def curve_row(iteration: int, **changes: Any) -> CurveRow:
    values: dict[str, Any] = {
        "env_steps": 100 * iteration,
        "episode_return_mean": 0.1,
        "policy_loss": float("nan"),
        "value_loss": 2.0,
        "entropy": 1.0,
        "validation_sharpe": None,
    }
    return CurveRow(iteration=iteration, **{**values, **changes})


def test_a_curve_has_a_row_per_iteration_and_metric_that_was_evaluated() -> None:
    frame = curve_frame([curve_row(1), curve_row(2, validation_sharpe=0.7)])
    assert list(frame.columns) == ["iteration", "env_steps", "metric", "value"]
    assert len(frame) == 4 + 5
    scores = frame[frame["metric"] == "validation_sharpe"]
    assert scores[["iteration", "env_steps", "value"]].to_numpy().tolist() == [[2, 200, 0.7]]
    losses = frame[frame["metric"] == "policy_loss"]["value"]
    assert len(losses) == 2
    assert losses.isna().all()


def test_a_curve_has_the_terms_of_the_reward_and_the_limits_by_name() -> None:
    row = curve_row(1, reward_terms={"log_return": 0.5, "variance": -0.1}, limits={"max_gross": 0.25})
    values = curve_frame([row]).set_index("metric")["value"]
    assert values["reward_log_return"] == 0.5
    assert values["reward_variance"] == -0.1
    assert values["train_limit_max_gross_bound_share"] == 0.25
    assert "reward_terms" not in values.index


def test_a_curve_without_rows_keeps_its_columns() -> None:
    pd.testing.assert_index_equal(curve_frame([]).columns, pd.Index(["iteration", "env_steps", "metric", "value"]))
