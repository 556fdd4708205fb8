"""How close a fitted market comes: each fact with its bootstrap interval beside the same fact of simulated markets."""

from dataclasses import dataclass

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.calibration.facts import (
    FACTS,
    FITTED_FACTS,
    autocorrelation_of_size,
    bootstrap,
    exceedance,
    facts,
    sample_of,
)
from wealtharena.evaluation.calibration.market import FittedMarket, simulate_moves
from wealtharena.evaluation.calibration.moves import Moves

CURVE_LAGS = 100
TAIL_LIMITS: FloatArray = np.linspace(0.5, 10.0, 39)
_INTERVAL = (5.0, 95.0)


@dataclass(frozen=True)
class FactRow:
    """One fact of the real and of the simulated market.

    Attributes:
        real: of the real moves; low, high: its 90 % bootstrap interval.
        simulated: median over the simulated markets; simulated_low, simulated_high: 90 % of them lie between.
    """

    name: str
    real: float
    low: float
    high: float
    simulated: float
    simulated_low: float
    simulated_high: float

    @property
    def fitted(self) -> bool:
        """Whether the fit aims at this fact."""
        return self.name in FITTED_FACTS

    @property
    def agrees(self) -> bool:
        """Whether the simulated median lies in the real interval."""
        return self.low <= self.simulated <= self.high


@dataclass(frozen=True)
class Curves:
    """Curves of the real market (K,) and of the simulated ones, (K,) each: median, 5 % and 95 %."""

    x: FloatArray
    real: FloatArray
    simulated: FloatArray
    simulated_low: FloatArray
    simulated_high: FloatArray


@dataclass(frozen=True)
class Comparison:
    """Real against simulated, for the assets of one group.

    Attributes:
        name: what was compared; symbols: the assets; sessions: rows of the real moves.
        rows: one per fact that both markets have.
        size_autocorrelation: of the absolute return, by lag; tails: share of returns beyond so many deviations.
    """

    name: str
    symbols: tuple[str, ...]
    sessions: int
    rows: tuple[FactRow, ...]
    size_autocorrelation: Curves
    tails: Curves


def compare(
    fitted: FittedMarket, moves: Moves, parts: dict[str, tuple[str, ...]], seed: int, markets: int, draws: int
) -> list[Comparison]:
    """One comparison per part of the market.

    Args:
        moves: the real ones; simulated markets have the same sessions.
        parts: symbols of each part, by name.
        seed: of the first simulated market and of the bootstrap; market ``k`` has ``seed + k``.
        markets: simulated markets; draws: bootstrap samples.
    """
    simulated = [simulate_moves(fitted, moves, seed + number) for number in range(markets)]
    return [
        _compare(name, moves.only(symbols), [item.only(symbols) for item in simulated], seed, draws)
        for name, symbols in parts.items()
        if set(symbols) & set(moves.symbols)
    ]


def _compare(name: str, real: Moves, simulated: list[Moves], seed: int, draws: int) -> Comparison:
    sample, samples = sample_of(real), [sample_of(item) for item in simulated]
    told, drawn = facts(sample), bootstrap(sample, draws, seed)
    found = np.array([facts(item) for item in samples])
    low, high = np.percentile(drawn, _INTERVAL, axis=0)
    simulated_low, simulated_high = np.percentile(found, _INTERVAL, axis=0)
    columns = (told, low, high, np.median(found, axis=0), simulated_low, simulated_high)
    rows = [FactRow(fact, *map(float, figures)) for fact, *figures in zip(FACTS, *columns, strict=True)]
    lags = np.arange(1.0, CURVE_LAGS + 1.0)
    return Comparison(
        name,
        real.symbols,
        len(real.dates),
        tuple(row for row in rows if np.isfinite(row.real) and np.isfinite(row.simulated)),
        _curves(
            lags,
            autocorrelation_of_size(sample, CURVE_LAGS),
            np.array([autocorrelation_of_size(item, CURVE_LAGS) for item in samples]),
        ),
        _curves(
            TAIL_LIMITS, exceedance(sample, TAIL_LIMITS), np.array([exceedance(item, TAIL_LIMITS) for item in samples])
        ),
    )


def _curves(x: FloatArray, real: FloatArray, simulated: FloatArray) -> Curves:
    low, high = np.percentile(simulated, _INTERVAL, axis=0)
    return Curves(x, real, np.median(simulated, axis=0), low, high)
