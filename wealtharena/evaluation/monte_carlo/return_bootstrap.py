"""What else the held-out window's returns could have come to: their stationary bootstrap."""

import numpy as np

from wealtharena.core.panel import FloatArray
from wealtharena.evaluation.monte_carlo.blocks import draw_rows
from wealtharena.evaluation.monte_carlo.figures import path_figures
from wealtharena.evaluation.monte_carlo.simulation import Simulation

METHOD = "return_bootstrap"


def bootstrap_returns(
    returns: FloatArray,
    cash_returns: FloatArray,
    annualisation: int,
    num_paths: int,
    mean_block: float,
    generator: np.random.Generator,
) -> Simulation:
    """N resampled histories of net returns, as long as the original; cash goes with the returns of its session.

    It keeps the distribution of the returns and their dependence within a block; it knows no return that did not
    happen, and the sessions after a fall are drawn as if the account had not changed by it.

    Args:
        returns, cash_returns: (T,) without NaN.
        annualisation: sessions per year.
        num_paths: N.
        mean_block: see ``draw_rows``.
    """
    rows = draw_rows(len(returns), len(returns), num_paths, mean_block, generator)
    drawn = returns[rows]
    figures = path_figures(drawn, cash_returns[rows], annualisation)
    return Simulation(METHOD, "held-out", figures, np.cumprod(1.0 + drawn, axis=1, dtype=np.float64))
