"""Years of a walk-forward: which ones there are, what is shown before them, and what their trading gives."""

from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skfolio.model_selection import WalkForward

from wealtharena.core.errors import DataWindowError
from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult, backtest_weights
from wealtharena.evaluation.walk_forward import Fold, OutOfSample, inputs_hash, stitch, trade_fold, yearly_folds
from wealtharena.evaluation.windows import Window
from wealtharena.execution import TradingRules
from wealtharena.settings import WindowSettings
from wealtharena.settings.models import WalkForwardSettings

SHORT = WindowSettings(held_out_days=10, validation_days=60, embargo_days=5, min_train_days=100)


def calendar_panel(first: str, last: str, annualisation: int = 252, unseen: int = 0) -> MarketPanel:
    """One asset on every weekday, for crypto on every day; nothing is observed in the first ``unseen`` rows."""
    index = pd.bdate_range(first, last) if annualisation == 252 else pd.date_range(first, last)
    grid = np.ones((len(index), 1))
    observed = grid > 0
    observed[:unseen] = False
    return MarketPanel(
        dates=index.to_numpy("datetime64[D]"),
        symbols=("A",),
        feature_names=(),
        features=np.zeros((len(index), 1, 0), np.float32),
        open=grid,
        close=grid,
        tradable=grid > 0,
        observed=observed,
        delisted=grid < 0,
        dollar_volume=grid,
        volatility=grid,
        costs=AssetCosts.flat(1, 0.0),
        annualisation=annualisation,
    )


def years(panel: MarketPanel, windows: WindowSettings = SHORT, **changes: Any) -> list[str]:
    return [fold.name for fold in yearly_folds(panel, windows, WalkForwardSettings(**changes))]


def test_the_library_purges_between_training_and_test() -> None:
    train, test = next(iter(WalkForward(63, 756, purged_size=5).split(np.zeros((900, 1)))))
    assert (train[0], train[-1], test[0], test[-1]) == (0, 755, 761, 823)


def test_a_year_is_tested_once_a_later_session_is_known() -> None:
    assert years(calendar_panel("2018-03-01", "2021-12-31")) == ["2019", "2020"]
    assert years(calendar_panel("2018-03-01", "2022-01-03")) == ["2019", "2020", "2021"]


def test_the_newest_years_with_enough_sessions_before_them_are_taken() -> None:
    panel = calendar_panel("2015-01-01", "2023-02-01")
    assert years(panel, max_years=3) == ["2020", "2021", "2022"]
    assert years(panel, max_years=20) == ["2016", "2017", "2018", "2019", "2020", "2021", "2022"]
    # 261 sessions before 2016 are one too few for 192 + 60 + 2 x 5.
    assert years(panel, SHORT.model_copy(update={"min_train_days": 191}), max_years=20)[0] == "2016"
    assert years(panel, SHORT.model_copy(update={"min_train_days": 192}), max_years=20)[0] == "2017"
    assert years(panel, SHORT.model_copy(update={"min_train_days": 5000})) == []


def test_rows_before_anything_is_observed_do_not_count() -> None:
    panel = calendar_panel("2015-01-01", "2018-02-01", unseen=200)
    first = yearly_folds(panel, SHORT, WalkForwardSettings())[0]
    assert first.name == "2017" and first.train[0] == 200


def test_windows_are_cut_as_the_night_cuts_them() -> None:
    panel = calendar_panel("2018-01-01", "2020-01-02")
    (fold,) = yearly_folds(panel, SHORT, WalkForwardSettings())
    new_year = int(np.searchsorted(panel.dates, np.datetime64("2019-01-01")))
    assert fold.test == (new_year, len(panel.dates) - 2)
    assert fold.validation == (new_year - 65, new_year - 5)
    assert fold.train == (0, new_year - 70)
    assert fold.year == 2019


def test_a_market_that_never_closes_has_as_many_sessions_more() -> None:
    panel = calendar_panel("2018-01-01", "2020-01-02", annualisation=365)
    (fold,) = yearly_folds(panel, SHORT, WalkForwardSettings())
    assert fold.test == (365, 730)
    assert fold.validation[1] - fold.validation[0] == 87  # 60 / 252 of 365 sessions
    assert fold.test[0] - fold.validation[1] == 8


def test_a_rolling_window_is_the_newest_part_of_the_expanding_one() -> None:
    panel = calendar_panel("2015-01-01", "2020-02-01")
    expanding = yearly_folds(panel, SHORT, WalkForwardSettings())
    rolling = yearly_folds(panel, SHORT, WalkForwardSettings(train_days=300))
    assert [fold.validation for fold in rolling] == [fold.validation for fold in expanding]
    for rolled, whole in zip(rolling, expanding, strict=True):
        assert rolled.train == (max(0, whole.train[1] - 300), whole.train[1])
    assert rolling[-1].within_market().train == (0, 300)
    assert rolling[-1].market(panel).dates[-1] == panel.dates[rolling[-1].test[1] - 1]


SPANS = {
    "first": st.dates(date(2008, 1, 1), date(2012, 12, 31)),
    "sessions": st.integers(300, 3_000),
    "embargo": st.integers(0, 20),
    "validation": st.integers(1, 252),
    "least": st.integers(1, 500),
    "rolling": st.none() | st.integers(1, 600),
    "annualisation": st.sampled_from([252, 365]),
}


@settings(max_examples=60)
@given(**SPANS)
def test_no_fold_overlaps_skips_the_embargo_or_tests_a_part_of_a_year(
    first: date, sessions: int, embargo: int, validation: int, least: int, rolling: int | None, annualisation: int
) -> None:
    days = pd.date_range(first, periods=sessions, freq="B" if annualisation == 252 else "D")
    panel = calendar_panel(str(days[0].date()), str(days[-1].date()), annualisation)
    windows = WindowSettings(validation_days=validation, embargo_days=embargo, min_train_days=least)
    chosen = WalkForwardSettings(max_years=30, train_days=rolling)
    folds = yearly_folds(panel, windows, chosen)
    of_year = pd.DatetimeIndex(panel.dates).year
    gap = -(-embargo * annualisation // 252)
    for fold in folds:
        assert fold.train[0] < fold.train[1] <= fold.validation[0] - gap
        assert fold.validation[0] < fold.validation[1] == fold.test[0] - gap
        assert (of_year[fold.test[0] : fold.test[1]] == fold.year).all()
        assert (of_year == fold.year).sum() == fold.test[1] - fold.test[0]
        assert of_year[-1] > fold.year
        if rolling is None:
            assert fold.train[1] - fold.train[0] >= least
    for earlier, later in pairwise(folds):
        assert earlier.test[1] == later.test[0]
    # Data that are added change no fold of an earlier year.
    cut = len(panel.dates) * 2 // 3
    before = yearly_folds(panel.rows(0, cut), windows, chosen)
    assert folds[: len(before)] == before


def test_equal_inputs_have_equal_names_and_later_data_do_not_count() -> None:
    panel = calendar_panel("2017-01-01", "2021-02-01")
    longer = calendar_panel("2017-01-01", "2022-02-01")

    def names(market: MarketPanel, lane: str = "stocks@1", seed: int = 1, seeds: int = 1) -> dict[str, str]:
        folds = yearly_folds(market, SHORT, WalkForwardSettings())
        return {fold.name: inputs_hash(lane, fold.market(market).content_hash, fold, seed, seeds) for fold in folds}

    assert names(panel).items() < names(longer).items()
    assert len(set(names(longer).values())) == len(names(longer))
    for other in (names(panel, "stocks@2"), names(panel, seed=2), names(panel, seeds=3)):
        assert not set(other.values()) & set(names(panel).values())
    revised = np.array(panel.close)
    revised[-60] = 2.0  # November 2020
    changed = MarketPanel(**{**vars_of(panel), "close": revised})
    assert [year for year, name in names(changed).items() if names(panel)[year] != name] == ["2020"]


def vars_of(panel: MarketPanel) -> dict[str, Any]:
    return {name: getattr(panel, name) for name in panel.__dataclass_fields__}


def test_a_year_is_traded_from_cash_at_the_costs_and_at_twice_the_costs(make_panel: Callable[..., MarketPanel]) -> None:
    close = np.full((40, 1), 100.0)
    panel = make_panel(close, costs=AssetCosts.flat(1, 0.01))
    rules = TradingRules.unlimited()

    seen: list[int] = []

    def hold(market: MarketPanel, window: Window) -> dict[str, BacktestResult]:
        seen.append(len(market.dates))
        return {"hold": backtest_weights(np.full((len(market.dates), 1), 0.5), market, window, rules, "hold")}

    fold = Fold("2020", (0, 5), (6, 10), (20, 30))
    traded = trade_fold(hold, panel, fold)["hold"]
    assert seen == [30, 30]  # nothing after the year is shown
    assert traded.dates[0] == panel.dates[20] and len(traded.returns) == 10
    assert traded.returns[0] == pytest.approx(-0.5 * 0.01, rel=0.02)
    assert traded.returns_double_cost[0] == pytest.approx(-0.5 * 0.02, rel=0.02)
    assert traded.turnover[0] == pytest.approx(0.5, rel=0.02)


def part(first: str, values: list[float]) -> OutOfSample:
    rows = np.array(values)
    dates = np.datetime64(first) + np.arange(len(rows))
    return OutOfSample(dates, rows, rows / 10, rows, rows, rows, rows - 1.0)


def test_years_are_stitched_in_the_order_of_their_dates() -> None:
    joined = stitch([part("2021-01-01", [0.3]), part("2020-01-01", [0.1, 0.2])])
    assert joined.returns.tolist() == [0.1, 0.2, 0.3]
    assert joined.dates.astype(str).tolist() == ["2020-01-01", "2020-01-02", "2021-01-01"]
    assert joined.excess_returns == pytest.approx([0.09, 0.18, 0.27])
    assert joined.excess_returns_double_cost == pytest.approx([-0.91, -0.82, -0.73])


def test_years_that_share_sessions_are_not_stitched() -> None:
    with pytest.raises(DataWindowError, match="must not share sessions, 2020-01-02 is in two"):
        stitch([part("2020-01-01", [0.1, 0.2]), part("2020-01-02", [0.1])])
    with pytest.raises(DataWindowError, match="at least one fold"):
        stitch([])
