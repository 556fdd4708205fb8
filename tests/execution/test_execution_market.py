"""Panels as the kernel's arrays."""

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from execution_markets import costs, panel, random_market, random_walk

from wealtharena.core.errors import DataWindowError
from wealtharena.execution import load_market, market_arrays, save_market


def test_a_panel_has_one_set_of_arrays_per_window_for_as_long_as_it_lives() -> None:
    market = random_walk(np.random.default_rng(0), 9, 3)
    arrays = market_arrays(market)
    assert market_arrays(market) is arrays
    assert market_arrays(market, 2) is not arrays
    assert market_arrays(market, 2) is market_arrays(market, 2)
    assert market_arrays(replace(market)) is not arrays
    gone = weakref.ref(market)
    del market
    gc.collect()
    assert gone() is None


def test_nobody_can_write_into_shared_arrays() -> None:
    market = random_market(np.random.default_rng(0), 20, 3)
    for array in (*market_arrays(market).kernel_arguments(), market_arrays(market).dates):
        assert not array.flags.writeable
    assert market.open.flags.writeable


def test_marks_are_carried_forward_and_never_back() -> None:
    nan = float("nan")
    arrays = market_arrays(panel([[nan], [10.0], [nan], [12.0]], [[nan], [11.0], [nan], [13.0]]))
    np.testing.assert_array_equal(arrays.open_mark[:, 0], [nan, 10.0, 11.0, 12.0])
    np.testing.assert_array_equal(arrays.close_mark[:, 0], [nan, 11.0, 11.0, 13.0])


def test_returns_are_total_and_0_where_unknown() -> None:
    nan = float("nan")
    market = panel([[nan], [10.0], [nan], [6.0], [-1.0], [5.0]])
    market = replace(
        market,
        split=np.array([[1.0], [1.0], [2.0], [1.0], [1.0], [1.0]]),
        dividend=np.array([[0.0], [0.0], [0.0], [0.5], [0.0], [0.0]]),
    )
    expected = [0.0, 0.0, 0.0, 6.5 / 5.0 - 1.0, 0.0, 0.0]
    np.testing.assert_allclose(market_arrays(market).returns[0], expected, rtol=1e-6)


@pytest.mark.filterwarnings("error")
def test_volume_that_is_unknown_or_0_warns_of_nothing() -> None:
    volume = np.array([[np.nan, 0.0, 1e6]] * 4)
    for share in (np.inf, 0.01):
        own = costs(3, impact=1.0, max_participation=share)
        market_arrays(panel(np.full((4, 3), 10.0), dollar_volume=volume, volatility=np.full((4, 3), np.nan), costs=own))


@pytest.mark.parametrize("window", [0, -1, 10])
def test_a_window_that_does_not_fit_is_refused(window: int) -> None:
    with pytest.raises(DataWindowError, match=r"window must be in \[1, 9\]"):
        market_arrays(random_walk(np.random.default_rng(0), 9, 3), window)


def test_an_empty_panel_is_refused() -> None:
    market = random_walk(np.random.default_rng(0), 9, 3)
    with pytest.raises(DataWindowError, match="0 x 3"):
        market_arrays(market.rows(3, 3))
    with pytest.raises(DataWindowError, match="9 x 0"):
        market_arrays(market.select(()))


def test_a_folder_without_a_market_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataWindowError, match=r"market\.json"):
        load_market(tmp_path)


def test_a_market_of_another_layout_is_refused(tmp_path: Path) -> None:
    save_market(market_arrays(random_walk(np.random.default_rng(0), 9, 3)), tmp_path)
    meta = json.loads((tmp_path / "market.json").read_text())
    (tmp_path / "market.json").write_text(json.dumps({name: meta[name] for name in meta if name != "layout"}))
    with pytest.raises(DataWindowError, match="layout must be 2, got None"):
        load_market(tmp_path)
