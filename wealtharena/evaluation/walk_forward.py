"""History of a recipe, year by year: each calendar year is traded by what was trained on the sessions before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wealtharena.core.errors import DataWindowError
from wealtharena.core.hashing import hash_json
from wealtharena.core.panel import DateArray, FloatArray, MarketPanel
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.windows import Window, first_observed, sessions_of
from wealtharena.settings import WindowSettings
from wealtharena.settings.models import WalkForwardSettings

STRESS = 2.0
"""Factor on all costs of the second account of each year."""

_YEARS = "YS"

Trader = Callable[[MarketPanel, Window], Mapping[str, BacktestResult]]
"""Trades a window of a market with one or several strategies, each with an account of its own."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One year and what comes before it: training, embargo, validation, embargo, test.

    Attributes:
        name: the calendar year, ``2023``.
        train, validation, test: rows of the panel, first included, last excluded.
    """

    name: str
    train: Window
    validation: Window
    test: Window

    @property
    def year(self) -> int:
        """The calendar year that is tested."""
        return int(self.name)

    @property
    def span(self) -> Window:
        """Rows from the first that is learnt from to the last that is traded; no other row is ever shown."""
        return self.train[0], self.test[1]

    def market(self, panel: MarketPanel) -> MarketPanel:
        """The rows of ``span``: what the fold's result depends on."""
        return panel.rows(*self.span)

    def within_market(self) -> "Fold":
        """The same fold in rows of ``market``."""
        first = self.train[0]
        train, validation, test = ((a - first, b - first) for a, b in (self.train, self.validation, self.test))
        return Fold(self.name, train, validation, test)


@dataclass(frozen=True)
class OutOfSample:
    """An account over the T sessions of one fold, or of several that were stitched.

    Attributes:
        dates: (T,) sessions, increasing.
        returns: (T,) simple net return from close to close.
        cash_returns: (T,) what an account that holds nothing but cash earns.
        turnover: (T,) traded value over equity at the open.
        cost: (T,) trading and carrying costs less carry over equity at the open.
        gross: (T,) sum of absolute weights at the close.
        returns_double_cost: (T,) return of a second account, for which all trading and holding costs twice as much.
    """

    dates: DateArray
    returns: FloatArray
    cash_returns: FloatArray
    turnover: FloatArray
    cost: FloatArray
    gross: FloatArray
    returns_double_cost: FloatArray

    @property
    def excess_returns(self) -> FloatArray:
        """(T,) returns above those of cash."""
        return self.returns - self.cash_returns

    @property
    def excess_returns_double_cost(self) -> FloatArray:
        """(T,) returns above those of cash at twice the costs."""
        return self.returns_double_cost - self.cash_returns


def yearly_folds(panel: MarketPanel, windows: WindowSettings, settings: WalkForwardSettings) -> tuple[Fold, ...]:
    """The newest complete calendar years of a panel, oldest first, with training and validation before each.

    A year is complete once the panel has a session of a later year: then nothing can be added to it. A year counts only
    if ``min_train_days`` lie before its validation and the two embargoes; there may be no such year. More data at the
    end of the panel change no fold of an earlier year. The test years and the purge before them are cut by skfolio's
    ``WalkForward``; validation is cut off the end of what it leaves for training.

    Args:
        panel: market of one asset class, from its first session on.
        windows: lengths of validation, embargo and shortest training, in trading days, 252 to the year.
        settings: number of years; ``train_days`` for a rolling training window, which may still be shorter in the
            first years.
    """
    start = first_observed(panel)
    index = pd.DatetimeIndex(panel.dates[start:])
    validation, embargo, least = (
        sessions_of(days, panel.annualisation)
        for days in (windows.validation_days, windows.embargo_days, windows.min_train_days)
    )
    needed = least + validation + 2 * embargo
    if len(index) <= needed:
        return ()
    folds = [
        _fold(index[test[0]].year, start, len(train), embargo, validation, test)
        for train, test in _yearly_splits(index, needed, embargo)
    ]
    if settings.train_days is not None:
        longest = sessions_of(settings.train_days, panel.annualisation)
        folds = [replace(fold, train=(max(fold.train[0], fold.train[1] - longest), fold.train[1])) for fold in folds]
    return tuple(folds[-settings.max_years :])


def inputs_hash(lane_id: str, market_hash: str, fold: Fold, seed: int, seeds: int) -> str:
    """Name of everything that a fold's result depends on: equal name, nothing to compute.

    Args:
        lane_id: names the recipe; or a baseline, which needs no seeds.
        market_hash: content hash of ``Fold.market`` and of what else the caller's account obeys.
        fold: where that market is cut.
        seed: of the night.
        seeds: trainings of the fold.
    """
    own = fold.within_market()
    return hash_json([lane_id, market_hash, own.train, own.validation, own.test, seed, seeds])


def trade_fold(trade: Trader, panel: MarketPanel, fold: Fold) -> dict[str, OutOfSample]:
    """Trades the test year of a fold twice, each time from cash: at the market's costs, and at twice the costs.

    Args:
        trade: policy or rules; they are shown the rows up to the last session of the year, and no later one.
        panel: market that the fold was cut from.

    Returns:
        By the trader's names.
    """
    known = panel.rows(0, fold.test[1])
    plain = trade(known, fold.test)
    stressed = trade(replace(known, costs=known.costs.times(STRESS)), fold.test)
    return {
        name: OutOfSample(
            dates=result.dates,
            returns=result.returns,
            cash_returns=result.cash_returns,
            turnover=result.turnover,
            cost=result.cost,
            gross=result.gross,
            returns_double_cost=stressed[name].returns,
        )
        for name, result in plain.items()
    }


def stitch(parts: Sequence[OutOfSample]) -> OutOfSample:
    """The sessions of several folds, one fold after another.

    Each fold starts in cash: its first session bears the cost of buying the whole book anew, and the book of the year
    before is valued at its last close, without the cost of selling it. A policy that holds on over the turn of the year
    is thus charged a purchase a year too much and a sale too little.

    Raises:
        DataWindowError: there are no folds, or two of them share sessions.
    """
    if not parts:
        raise DataWindowError("there must be at least one fold to stitch, got none")
    ordered = sorted(parts, key=lambda part: part.dates[0])
    joined = OutOfSample(
        *(np.concatenate([getattr(part, entry.name) for part in ordered]) for entry in fields(OutOfSample))
    )
    steps = np.diff(joined.dates).astype(np.int64)
    if (steps <= 0).any():
        twice = joined.dates[1:][steps <= 0][0]
        raise DataWindowError(f"folds that are stitched must not share sessions, {twice} is in two of them")
    return joined


def _yearly_splits(
    index: pd.DatetimeIndex, needed: int, embargo: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows before each year, less the embargo, and rows of the year, for years with ``needed`` sessions before them."""
    # It takes a second to import, and only the walk-forward needs it.
    from skfolio.model_selection import WalkForward

    first_year = pd.Timestamp(index[needed - 1].year + 1, 1, 1)
    splitter = WalkForward(
        test_size=1, train_size=first_year - index[0], freq=_YEARS, expand_train=True, purged_size=embargo
    )
    return list(splitter.split(pd.DataFrame(index=index)))


def _fold(
    year: int,
    start: int,
    before: int,
    embargo: int,
    validation: int,
    test: "np.ndarray[tuple[int], np.dtype[np.int64]]",
) -> Fold:
    """A fold in rows of the panel; ``before``: rows between ``start`` and the embargo before the year."""
    validation_last = start + before
    validation_first = validation_last - validation
    fold = Fold(
        name=str(year),
        train=(start, validation_first - embargo),
        validation=(validation_first, validation_last),
        test=(start + int(test[0]), start + int(test[-1]) + 1),
    )
    for earlier, later in ((fold.train, fold.validation), (fold.validation, fold.test)):
        if earlier[1] - 1 + embargo >= later[0]:
            raise DataWindowError(
                f"fold {year}: {embargo} sessions must lie between windows, got rows up to {earlier[1] - 1} and from "
                f"{later[0]} on"
            )
    return fold
