"""The fit finds the constants of markets that its own generator made, and tells how close it comes."""

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import DataWindowError
from wealtharena.evaluation.calibration import (
    FittedMarket,
    Moves,
    compare,
    fit_market,
    load_real_bars,
    moves_of,
    simulate_moves,
)
from wealtharena.evaluation.calibration.fitting import fit_swing
from wealtharena.settings import Settings, load_settings
from wealtharena.vendors.simulated_models import AssetModel, ClassModel, WorldModel

REAL_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
LAGS = np.arange(1.0, 121.0)
GROUPS = ("banks", "miners", "shops")
WORLD = WorldModel(volatility=0.30, half_life=60.0, bear_volatility=1.0, student_df=5.0)
CLASSES = {
    "banks": ClassModel(
        1, 0.012, 0.35, 0.20, 0.45, 100.0, 1e6, class_volatility=0.25, class_half_life=30.0, student_df=5.0,
        shared_gap=0.7, class_gap=0.3, reach=0.35,
    ),
    "miners": ClassModel(
        2, 0.020, 0.20, 0.30, 0.60, 100.0, 2e6, class_volatility=0.25, class_half_life=15.0, student_df=5.0,
        shared_gap=0.5, class_gap=0.5, reach=0.45,
    ),
    "shops": ClassModel(
        3, 0.015, 0.15, 0.10, 0.30, 100.0, 3e6, class_volatility=0.0, own_volatility=0.35, own_half_life=20.0,
        student_df=5.0, shared_gap=0.5, class_gap=0.2, reach=0.40,
    ),
}  # fmt: skip
NAMES = [(f"{group[0].upper()}{number}", group, number) for group in GROUPS for number in range(1, 6)]
TRUE = FittedMarket(
    WORLD,
    CLASSES,
    {
        name: AssetModel(CLASSES[group], number, CLASSES[group].daily_volatility * (0.8 + 0.1 * number), 3e-4, 1e6)
        for name, group, number in NAMES
    },
)


def sessions(years: int) -> Moves:
    days = pd.bdate_range("2000-01-03", periods=261 * years).to_numpy().astype("datetime64[D]")
    nothing = np.zeros((len(days), len(NAMES)))
    names, groups = tuple(name for name, _, _ in NAMES), tuple(group for _, group, _ in NAMES)
    return Moves(days, names, groups, nothing, nothing, nothing, nothing, nothing)


@cache
def told() -> Moves:
    return simulate_moves(TRUE, sessions(30), seed=12)


@cache
def found() -> FittedMarket:
    return fit_market(told())


def test_an_exact_curve_gives_its_size_and_half_life() -> None:
    swing = fit_swing(0.2 * 0.5 ** (LAGS / 30.0), LAGS)
    assert (swing.variance, swing.half_life) == (pytest.approx(0.2, rel=0.02), pytest.approx(30.0, rel=0.03))
    assert fit_swing(np.full(120, np.nan), LAGS).size == 0.0
    assert fit_swing(-0.1 * 0.5 ** (LAGS / 30.0), LAGS).size == 0.0


def test_the_fit_finds_swings_of_the_world_of_groups_and_of_assets() -> None:
    world, classes = found().world, found().classes
    assert world.volatility == pytest.approx(0.30, abs=0.06)
    assert 30.0 < world.half_life < 110.0
    assert [classes[name].class_volatility for name in ("banks", "miners")] == pytest.approx([0.25, 0.25], abs=0.07)
    assert classes["shops"].class_volatility < 0.12
    assert classes["shops"].own_volatility == pytest.approx(0.35, abs=0.06)
    assert 10.0 < classes["shops"].own_half_life < 35.0
    assert max(classes[name].own_volatility for name in ("banks", "miners")) < 0.15
    assert world.bear_volatility == 1.0


@pytest.mark.parametrize("group", GROUPS)
def test_the_fit_finds_factors_nights_tails_and_reach(group: str) -> None:
    model, truth = found().classes[group], CLASSES[group]
    assert model.global_share == pytest.approx(truth.global_share, abs=0.07)
    assert model.global_share + model.class_share == pytest.approx(truth.global_share + truth.class_share, abs=0.05)
    assert model.overnight == pytest.approx(truth.overnight, abs=0.02)
    assert model.shared_gap**2 + model.class_gap**2 == pytest.approx(truth.shared_gap**2 + truth.class_gap**2, abs=0.06)
    assert model.shared_gap == pytest.approx(truth.shared_gap, abs=0.12)
    assert 3.9 < model.student_df < 6.6
    assert model.reach == pytest.approx(truth.reach, rel=0.08)


def test_the_fit_finds_each_assets_volatility_mean_and_volume() -> None:
    fitted = found().assets
    ratios = [fitted[name].daily_volatility / TRUE.assets[name].daily_volatility for name, _, _ in NAMES]
    assert ratios == pytest.approx(np.ones(len(NAMES)), abs=0.12)
    assert np.mean([asset.mean_return for asset in fitted.values()]) == pytest.approx(3e-4, abs=2e-4)
    assert [fitted[name].index for name, _, _ in NAMES] == [number for _, _, number in NAMES]
    assert np.median([asset.volume for asset in fitted.values()]) == pytest.approx(1e6, rel=0.15)


def test_a_single_group_has_no_world() -> None:
    banks = told().only([name for name, group, _ in NAMES if group == "banks"])
    fitted = fit_market(banks)
    assert (fitted.world.volatility, fitted.classes["banks"].global_share) == (0.0, 0.0)
    assert fitted.classes["banks"].class_share == pytest.approx(0.55, abs=0.06)
    assert fitted.classes["banks"].class_volatility == pytest.approx(np.hypot(0.30, 0.25), abs=0.07)


def test_a_single_asset_has_own_swings_only() -> None:
    fitted = fit_market(told().only(["S1"]))
    assert (fitted.classes["shops"].class_volatility, fitted.classes["shops"].class_share) == (0.0, 0.0)
    assert fitted.classes["shops"].own_volatility == pytest.approx(np.hypot(0.30, 0.35), abs=0.12)


def test_too_short_a_history_is_refused() -> None:
    short = sessions(1)
    with pytest.raises(DataWindowError, match="240 sessions at least, got 100"):
        fit_market(Moves(short.dates[:100], short.symbols, short.groups, *(short.day[:100] for _ in range(5))))


def test_equal_seeds_give_equal_markets_and_no_global_random_state_is_touched() -> None:
    np.random.seed(4)
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    like = sessions(3)
    first, again, other = (simulate_moves(TRUE, like, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.returns, again.returns)
    np.testing.assert_array_equal(first.volume, again.volume)
    assert not np.array_equal(first.day, other.day)
    fit_market(first)
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]


def test_simulated_moves_have_the_sessions_of_the_real_ones() -> None:
    like = sessions(4)
    like.day[:300, 2] = np.nan
    simulated = simulate_moves(TRUE, like, 1)
    np.testing.assert_array_equal(simulated.dates, like.dates)
    np.testing.assert_array_equal(np.isfinite(simulated.day), np.isfinite(like.day))


def test_a_market_of_the_same_constants_agrees_and_another_one_misses() -> None:
    real = simulate_moves(TRUE, sessions(8), seed=31)
    parts = {"all": real.symbols, "none": ("XYZ",)}
    (same,) = compare(TRUE, real, parts, seed=1, markets=6, draws=40)
    assert np.mean([row.agrees for row in same.rows]) > 0.75
    calm = replace(TRUE, world=replace(WORLD, volatility=0.0))
    (other,) = compare(calm, real, {"all": real.symbols}, seed=1, markets=6, draws=40)
    misses = {row.name for row in other.rows if not row.agrees}
    assert "autocorrelation of |r|, lag 1" in misses
    assert other.size_autocorrelation.real[0] > other.size_autocorrelation.simulated_high[0]


def files_settings(root: Path) -> Settings:
    return load_settings("files", [f"vendors.files.root={root}"], {})


@pytest.mark.skipif(not (REAL_DATA / "market").is_dir(), reason=f"the real data are not at {REAL_DATA}")
def test_a_market_fitted_to_australian_shares_meets_what_it_was_fitted_to() -> None:
    real = load_real_bars(files_settings(REAL_DATA), [AssetClass.STOCKS], ["ASX"], date(2007, 1, 1), date(2024, 5, 31))
    moves = moves_of(real.bars, real.groups)
    assert len(moves.symbols) == 18 and moves.groups[moves.symbols.index("BHP.AX")] == "Materials"
    (result,) = compare(fit_market(moves), moves, real.parts, seed=1, markets=4, draws=20)
    assert sum(row.agrees for row in result.rows if row.fitted) >= 6, "one of seven may lie just outside its interval"
    rows = {row.name: row for row in result.rows}
    assert not rows["leverage: r with |r| of the next 10"].agrees, "the generator has no leverage effect"


def test_a_folder_without_such_bars_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "market" / "stocks"
    folder.mkdir(parents=True)
    (folder / "AAPL.csv").write_text("date,open,high,low,close\n2020-01-02,1,1,1,1\n", encoding="utf-8")
    with pytest.raises(DataWindowError, match="bars of stocks on ASX"):
        load_real_bars(files_settings(tmp_path), [AssetClass.STOCKS], ["ASX"], date(2000, 1, 1), date(2024, 1, 1))
