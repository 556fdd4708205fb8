"""Fits the simulated market to files of real bars, compares the two and writes down both."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from wealtharena.core.asset_class import AssetClass
from wealtharena.evaluation.calibration import compare, fit_market, load_real_bars, moves_of
from wealtharena.reporting.calibration_page import CalibrationPage, write_calibration
from wealtharena.settings import Settings


def calibrate(
    settings: Settings,
    asset_classes: Sequence[AssetClass],
    exchanges: Sequence[str],
    start: date,
    end: date,
    seed: int,
    markets: int,
    draws: int,
    folder: Path,
) -> tuple[CalibrationPage, list[Path]]:
    """What was fitted and how close it comes, and the files that tell it in ``folder``.

    Raises:
        WealthArenaError: the files hold no bars to fit.
    """
    real = load_real_bars(settings, asset_classes, exchanges, start, end)
    moves = moves_of(real.bars, real.groups)
    fitted = fit_market(moves)
    comparisons = compare(fitted, moves, real.parts, seed, markets, draws)
    span = f"{moves.dates[0]} to {moves.dates[-1]}"
    page = CalibrationPage(str(settings.vendors.files.root), span, seed, markets, draws, fitted, comparisons)
    return page, write_calibration(page, folder)
