"""What the promotion gate knows about one account: its figures on one held-out window."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np

from wealtharena.core.numbers import number_or_none
from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.backtest import BacktestResult
from wealtharena.evaluation.metrics import Metrics
from wealtharena.evaluation.ranking import merit
from wealtharena.settings import RiskSettings

# Targets are computed in floating point; a limit is broken only beyond this.
_TOLERANCE = 1e-6


class Kind(StrEnum):
    """What stands behind a score card."""

    POLICY = "policy"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """One account on the held-out window.

    Attributes:
        name: for people: ``stocks v3``, ``equal_weight``.
        kind: a trained policy or a baseline.
        window: first and last session that were scored.
        annualisation: sessions per year.
        metrics: see ``Metrics``; net of costs.
        returns: (n,) net returns per session above those of cash, for the paired comparison.
        finite: whether scores, equity, returns and weights were finite throughout.
        limits_breached: a sentence for each limit that the targets broke; the drawdown limit is the gate's.
        bundle_hash: identity of the checkpoint; empty for a baseline.
    """

    name: str
    kind: Kind
    window: tuple[date, date]
    annualisation: int
    metrics: Metrics
    returns: FloatArray = field(repr=False, compare=False)
    finite: bool
    limits_breached: tuple[str, ...] = ()
    bundle_hash: str = ""

    @property
    def merit(self) -> float:
        """What the gate compares: ``wealtharena.evaluation.ranking.merit``, and 0 for an account that never moved."""
        found = merit(self.metrics)
        return 0.0 if math.isnan(found) else found

    def as_record(self) -> dict[str, Any]:
        """JSON-safe summary: no return series, NaN as None."""
        return {
            "name": self.name,
            "kind": str(self.kind),
            "window": [day.isoformat() for day in self.window],
            "finite": self.finite,
            "limits_breached": list(self.limits_breached),
            "bundle_hash": self.bundle_hash,
            "metrics": {name: number_or_none(value) for name, value in self.metrics.as_dict().items()},
        }


def score(result: BacktestResult, kind: Kind, risk: RiskSettings, bundle_hash: str = "") -> ScoreCard:
    """Score card of a backtest over a held-out window."""
    return ScoreCard(
        name=result.name,
        kind=kind,
        window=(result.dates[0].astype(object), result.dates[-1].astype(object)),
        annualisation=result.annualisation,
        metrics=result.metrics,
        returns=result.excess_returns,
        finite=result.finite and _all_finite((result.equity, result.returns, result.weights)),
        limits_breached=_limits_breached(result.target_weights, risk),
        bundle_hash=bundle_hash,
    )


def _all_finite(arrays: Collection[FloatArray]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _limits_breached(targets: FloatArray, risk: RiskSettings) -> tuple[str, ...]:
    """Limits on what was ordered (NaN: no order); prices may move a position beyond them until the next fill.

    Turnover and the limits on risk depend on more than the targets: the kernel keeps them.
    """
    asked = np.nan_to_num(targets)
    net = float(np.max(np.abs(asked.sum(axis=1)), initial=0.0))
    squares = float(np.max((asked**2).sum(axis=1), initial=0.0))
    figures = {
        "max_weight": ("target weight", float(np.max(np.abs(asked), initial=0.0)), risk.max_weight),
        "max_gross": ("gross target", float(np.max(np.abs(asked).sum(axis=1), initial=0.0)), risk.max_gross),
        "max_net": ("net target", net, risk.max_net),
    }
    breaches = [
        f"a {words} of {value:.3f} exceeds risk.{name} {limit:g}"
        for name, (words, value, limit) in figures.items()
        if limit is not None and value > limit + _TOLERANCE
    ]
    if squares > risk.max_gross**2 / risk.min_effective_positions + _TOLERANCE:
        positions = risk.max_gross**2 / squares
        breaches.append(
            f"{positions:.2f} effective positions are fewer than risk.min_effective_positions "
            f"{risk.min_effective_positions:g}"
        )
    return tuple(breaches)
