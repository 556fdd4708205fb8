"""Windows: disjoint, ordered, embargoed, ending at the last session."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import MarketPanel
from wealtharena.evaluation.windows import split_windows, window_dates
from wealtharena.settings import WindowSettings

PanelFactory = Callable[..., MarketPanel]


@given(
    sessions=st.integers(1, 400),
    held_out=st.integers(1, 80),
    validation=st.integers(1, 80),
    embargo=st.integers(0, 20),
    training=st.integers(1, 120),
    unobserved=st.integers(0, 60),
)
def test_windows_are_disjoint_ordered_and_apart_by_the_embargo(
    make_panel: PanelFactory,
    sessions: int,
    held_out: int,
    validation: int,
    embargo: int,
    training: int,
    unobserved: int,
) -> None:
    needed = held_out + validation + training + 2 * embargo
    assume(sessions - unobserved >= needed)
    settings = WindowSettings(
        held_out_days=held_out, validation_days=validation, embargo_days=embargo, min_train_days=training
    )
    panel = make_panel(np.ones((sessions, 1)), observed=np.arange(sessions)[:, None] >= unobserved)
    windows = split_windows(panel, settings)
    assert windows.train[0] == unobserved
    assert windows.train[1] - windows.train[0] >= training
    assert windows.train[1] + embargo == windows.validation[0]
    assert windows.validation[1] - windows.validation[0] == validation
    assert windows.validation[1] + embargo == windows.held_out[0]
    assert windows.held_out == (sessions - held_out, sessions)


@given(training=st.integers(1, 300), unobserved=st.integers(0, 40))
def test_one_session_too_few_is_refused_and_exactly_enough_is_not(
    make_panel: PanelFactory, training: int, unobserved: int
) -> None:
    settings = WindowSettings(held_out_days=20, validation_days=10, embargo_days=3, min_train_days=training)
    enough = 36 + training + unobserved
    observed = np.arange(enough)[:, None] >= unobserved
    split_windows(make_panel(np.ones((enough, 1)), observed=observed), settings)
    with pytest.raises(DataWindowError):
        split_windows(make_panel(np.ones((enough - 1, 1)), observed=observed[:-1]), settings)


def test_too_little_data_names_class_need_and_stock(make_panel: PanelFactory) -> None:
    with pytest.raises(DataWindowError, match=r"crypto: the windows need 914 sessions .* got 100 with observed"):
        split_windows(make_panel(np.ones((100, 2))), WindowSettings(), "crypto")


def test_a_market_that_was_never_observed_has_no_windows(make_panel: PanelFactory) -> None:
    panel = make_panel(np.ones((2000, 1)), observed=np.zeros((2000, 1), dtype=bool))
    with pytest.raises(DataWindowError, match="got 0"):
        split_windows(panel, WindowSettings())


def test_window_dates_are_its_first_and_last_session(make_panel: PanelFactory) -> None:
    first, last = window_dates(make_panel(np.ones((10, 1))), (2, 5))
    assert (str(first), str(last)) == ("2020-01-03", "2020-01-05")
