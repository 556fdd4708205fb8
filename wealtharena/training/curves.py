"""Learning curves as rows of a table."""

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from wealtharena.training.result import CurveRow

_KEYS = ("iteration", "env_steps")


def curve_frame(curve: Sequence[CurveRow]) -> pd.DataFrame:
    """One row per iteration and metric: iteration, env_steps, metric, value; what was not evaluated has no row."""
    rows = [
        {"iteration": row.iteration, "env_steps": row.env_steps, "metric": metric, "value": value}
        for row in curve
        for metric, value in asdict(row).items()
        if metric not in _KEYS and value is not None
    ]
    return pd.DataFrame(rows, columns=[*_KEYS, "metric", "value"])
