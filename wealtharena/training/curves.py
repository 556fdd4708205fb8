"""Learning curves as rows of a table."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from wealtharena.training.result import CurveRow, TrainingResult

_KEYS = ("iteration", "env_steps")


def curve_frame(curve: Sequence[CurveRow]) -> pd.DataFrame:
    """One row per iteration and metric: iteration, env_steps, metric, value; what was not evaluated has no row.

    Terms of the reward are ``reward_<term>``, limits ``train_limit_<name>_bound_share``.
    """
    rows = [
        {"iteration": row.iteration, "env_steps": row.env_steps, "metric": metric, "value": value}
        for row in curve
        for metric, value in _figures(row).items()
        if value is not None
    ]
    return pd.DataFrame(rows, columns=[*_KEYS, "metric", "value"])


def curves_frame(results: Sequence[TrainingResult], kept: TrainingResult) -> pd.DataFrame:
    """The curves of several seeds: ``seed``, ``kept`` (it is the one of the policy that was kept), and ``curve_frame``.

    There must be a result.
    """
    frames = [curve_frame(item.curve).assign(seed=item.seed, kept=item.seed == kept.seed) for item in results]
    return pd.concat(frames, ignore_index=True)


def _figures(row: CurveRow) -> dict[str, float | None]:
    figures = {name: value for name, value in asdict(row).items() if name not in (*_KEYS, "reward_terms", "limits")}
    terms = {f"reward_{name}": value for name, value in row.reward_terms.items()}
    return figures | terms | {f"train_limit_{name}_bound_share": share for name, share in row.limits.items()}
