"""How much came from being invested, from what was held, and from when it was held."""

import numpy as np

from wealtharena.core.panel import MarketPanel
from wealtharena.envs.simulation import SimulationPath
from wealtharena.evaluation.attribution.asset_returns import asset_returns, holdable
from wealtharena.evaluation.attribution.sessions import SessionProfits, capital_before


def timing_contributions(path: SimulationPath, panel: MarketPanel, profits: SessionProfits) -> dict[str, float]:
    """Shares of the total return by name; they add up to it.

    With ``w`` the mean weight of an asset at the closes of the window, ``R`` its return from close to close (dividends
    and carry included), ``M`` the mean return of all assets with a recent bar, and ``E`` the equity before the session:

    - ``exposure``: ``sum_t E_t (sum_a w_a) M_t``: the mean net exposure, in the whole market;
    - ``selection``: ``sum_t E_t sum_a w_a (R_ta - M_t)``: the mean weights instead of the whole market;
    - ``timing``: what prices, dividends and carry gave beyond the mean weights: ``sum_t (g_t - E_t sum_a w_a R_ta)``,
      ``g`` being the profit before costs;
    - ``costs``: of trading, borrowing, holding and delisting; ``interest``.

    The mean weights are known at the end only: exposure and selection describe the window, nobody could have held them.
    """
    first = int(np.searchsorted(panel.dates, path.dates[0]))
    rows = slice(first, first + len(path.dates))
    capital, weights = capital_before(path.equity), path.weights.mean(axis=0)
    returns, held = asset_returns(panel)[rows], holdable(panel)[first - 1 : first - 1 + len(path.dates)]
    market = (returns * held).sum(axis=1) / np.maximum(held.sum(axis=1), 1)
    invested = float(capital @ market) * float(weights.sum())
    static = float(capital @ (returns @ weights))
    gross = float((profits.prices + profits.dividends + profits.carry).sum())
    interest = float(profits.interest.sum())
    return {
        "exposure": invested,
        "selection": static - invested,
        "timing": gross - static,
        "costs": float(profits.total.sum()) - gross - interest,
        "interest": interest,
    }
