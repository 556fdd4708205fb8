"""The part of the report that says how robust a result is and where it came from: its data and its charts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting.display import display_name
from wealtharena.reporting.figures import (
    Figure,
    axis_title,
    figure_of,
    iso_days,
    json_numbers,
    line_trace,
    share_bars,
    thinned,
)

MAX_FAN_POINTS = 260
MAX_BARS = 12
LEVELS = ("0.05", "0.25", "0.50", "0.75", "0.95")
FANS = {"return_bootstrap": "returns", "market_bootstrap": "markets"}
_DISTURBED = ("return_bootstrap", "market_bootstrap", "feature_noise", "limit_noise", "start_shift")
_SINGLE = ("cost", "slippage", "lag")
_WHOLE = -1
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Results of many accounts, or of one, under changed conditions.

    Attributes:
        method, scenario: what was changed.
        sharpe: low (5 %), middle and high (95 %) annual Sharpe ratio; three times the same for a single account.
        total_return: the same of the total return.
        loss: share of the accounts that lose; NaN for a single one.
        difference: of the mean return above cash, a year, to the unchanged account's, for a single account.
        standard_error: of it.
    """

    method: str
    scenario: str
    sharpe: tuple[float, float, float]
    total_return: tuple[float, float, float]
    loss: float = NAN
    difference: float = NAN
    standard_error: float = NAN


@dataclass(frozen=True, slots=True)
class FactorExposure:
    """Sensitivity to a factor with its standard error."""

    name: str
    beta: float
    standard_error: float


@dataclass(frozen=True)
class RobustnessReport:
    """How a held-out result holds up, and where it came from.

    Attributes:
        dates: (T,) sessions of the window.
        equity: (T,) the account's own curve, from 1.
        fans: by ``returns`` and ``markets``: (5, T) quantiles of simulated equity at ``LEVELS``.
        disturbances: in the order of their methods.
        costs: multiple of the costs and mean return above cash, a year.
        break_even: multiple at which that is 0; NaN if there is none.
        lag_loss: share of it that a session's delay costs; NaN where there was none.
        contributions: to the total return, by dimension: name and share, the largest first.
        exposures: to factors.
        alpha, alpha_standard_error: return a year that no factor explains.
    """

    dates: DateArray
    equity: FloatArray
    fans: Mapping[str, FloatArray]
    disturbances: tuple[Disturbance, ...]
    costs: tuple[tuple[float, float], ...]
    break_even: float = NAN
    lag_loss: float = NAN
    contributions: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)
    exposures: tuple[FactorExposure, ...] = ()
    alpha: float = NAN
    alpha_standard_error: float = NAN


def gather_robustness(
    simulations: pd.DataFrame, attribution: pd.DataFrame, equity: pd.DataFrame
) -> RobustnessReport | None:
    """The report of one agent from its rows; None where it was not analysed.

    Args:
        simulations, attribution: rows of ``out_analysis__simulations`` and ``out_analysis__attribution``.
        equity: rows of ``out_backtest__daily_equity``.
    """
    if simulations.empty or attribution.empty:
        return None
    own = equity[equity["strategy"] == attribution["strategy"].iloc[0]].sort_values("session_date")
    whole = simulations[simulations["session"] == _WHOLE]
    values = {
        (str(method), str(scenario), str(metric), str(quantile)): float(value)
        for method, scenario, metric, quantile, value in zip(
            *(whole[name] for name in ("method", "scenario", "metric", "quantile", "value")), strict=True
        )
    }
    single = {(method, scenario) for method, scenario, _, _ in values if method in _SINGLE and scenario != "break-even"}
    return RobustnessReport(
        dates=own["session_date"].to_numpy().astype("datetime64[D]"),
        equity=own["equity"].to_numpy(np.float64),
        fans={name: fan for method, name in FANS.items() if (fan := _fan(simulations, method)) is not None},
        disturbances=_disturbances(values),
        costs=tuple(
            sorted(
                (float(scenario.removesuffix("x")), values["cost", scenario, "excess_return", "value"])
                for method, scenario in single
                if method == "cost"
            )
        ),
        break_even=values.get(("cost", "break-even", "multiple", "value"), NAN),
        lag_loss=values.get(("lag", "1 session", "lost_share", "value"), NAN),
        contributions={str(name): _largest(rows) for name, rows in attribution.groupby("dimension", sort=False)},
        exposures=tuple(
            FactorExposure(scenario, value, values["factors", scenario, "beta", "standard_error"])
            for (method, scenario, metric, quantile), value in values.items()
            if (method, metric, quantile) == ("factors", "beta", "value")
        ),
        alpha=values.get(("factors", "alpha", "annual_return", "value"), NAN),
        alpha_standard_error=values.get(("factors", "alpha", "annual_return", "standard_error"), NAN),
    )


def robustness_charts(agent: str, report: RobustnessReport) -> dict[str, Figure | None]:
    """Figures by the names under which the template asks for them."""
    charts: dict[str, Figure | None] = {
        f"fan-{name}-{agent}": fan_chart(report.dates, report.equity, fan) for name, fan in report.fans.items()
    }
    charts[f"costs-{agent}"] = cost_chart(report)
    for dimension, parts in report.contributions.items():
        charts[f"attribution-{dimension}-{agent}"] = contribution_chart(parts)
    return charts


def fan_chart(dates: DateArray, equity: FloatArray, fan: FloatArray) -> Figure | None:
    """Cumulative return of the account over bands of simulated ones: 5 to 95 %, 25 to 75 %, and their median."""
    if fan.shape[1] != len(dates) or not len(dates):
        return None
    rows = thinned(len(dates), MAX_FAN_POINTS)
    days, bands = iso_days(dates[rows]), fan[:, rows] - 1.0
    traces = []
    silent = {"hoverinfo": "skip", "hovertemplate": None}
    for low, high, label in ((0, 4, "5 to 95 %"), (1, 3, "25 to 75 %")):
        edge = line_trace(label, days, json_numbers(bands[low]), {"width": 0}, "")
        area = line_trace(label, days, json_numbers(bands[high]), {"width": 0}, "")
        traces.append(edge | silent | {"showlegend": False})
        traces.append(area | silent | {"fill": "tonexty", "fillcolor": "var(--agent-fill)"})
    middle = {"color": "var(--muted)", "width": 1.2, "dash": "dot"}
    traces.append(line_trace("median", days, json_numbers(bands[2]), middle, "%{y:+.1%}"))
    own = {"color": "var(--agent)", "width": 2.4}
    traces.append(line_trace("held-out", days, json_numbers(equity[rows] - 1.0), own, "%{y:+.1%}"))
    return figure_of(traces, 300, yaxis={"tickformat": "+.0%", "zeroline": True, "title": axis_title("return")})


def cost_chart(report: RobustnessReport) -> Figure | None:
    """Mean return above cash by multiple of the costs, with a mark at the break-even; None without costs."""
    if not report.costs:
        return None
    multiples, earned = zip(*report.costs, strict=True)
    line = {"color": "var(--agent)", "width": 2.0}
    trace = line_trace("above cash, a year", multiples, json_numbers(earned), line, "%{y:+.2%}")
    trace |= {"mode": "lines+markers", "marker": {"size": 7}}
    figure = figure_of(
        [trace],
        300,
        xaxis={"ticksuffix": "x", "rangemode": "tozero", "title": axis_title("costs")},
        yaxis={"tickformat": "+.1%", "zeroline": True, "title": axis_title("return above cash, a year")},
    )
    if np.isfinite(report.break_even):
        figure["layout"] |= _mark(report.break_even)
        trace["x"] = [*trace["x"], report.break_even]
        trace["y"] = [*trace["y"], 0.0]
        order = np.argsort(trace["x"], kind="stable")
        trace["x"], trace["y"] = ([trace[axis][place] for place in order] for axis in ("x", "y"))
    return figure


def contribution_chart(parts: tuple[tuple[str, float], ...]) -> Figure | None:
    """Contributions as bars, green for gains and red for losses, the smallest as one; None if nothing contributed."""
    counted = [part for part in parts if part[1] != 0.0]
    if not counted:
        return None
    shown, rest = counted[:MAX_BARS], counted[MAX_BARS:]
    if rest:
        shown.append((f"{len(rest)} others", sum(value for _, value in rest)))
    values = np.array([value for _, value in shown], dtype=np.float64)
    colours = ["var(--bad)" if value < 0 else "var(--good)" for value in values]
    labels = [display_name(name) for name, _ in shown]
    figure = share_bars(labels, values, colours, "%{y}: %{x:+.2%}<extra></extra>")
    # Room for the figures of short bars, which stand beside them.
    figure["data"][0]["cliponaxis"] = False
    figure["layout"]["margin"] |= {"l": 40, "r": 40}
    return figure


def _fan(simulations: pd.DataFrame, method: str) -> FloatArray | None:
    rows = simulations[(simulations["method"] == method) & (simulations["session"] != _WHOLE)]
    if rows.empty:
        return None
    grid = rows.pivot_table(index="quantile", columns="session", values="value")
    fan: FloatArray = grid.loc[list(LEVELS)].to_numpy(np.float64)
    return fan


def _disturbances(values: Mapping[tuple[str, str, str, str], float]) -> tuple[Disturbance, ...]:
    found = dict.fromkeys((method, scenario) for method, scenario, metric, _ in values if metric == "sharpe")
    order = {method: place for place, method in enumerate((*_DISTURBED, *_SINGLE))}

    def place(item: tuple[str, str]) -> tuple[int, float]:
        size = _NUMBER.search(item[1])
        return order[item[0]], float(size[0]) if size else 0.0

    def figure(method: str, scenario: str, name: str) -> tuple[float, float, float]:
        if method in _SINGLE:
            value = values[method, scenario, name, "value"]
            return value, value, value
        low, middle, high = (values.get((method, scenario, name, level), NAN) for level in ("0.05", "0.50", "0.95"))
        return low, middle, high

    return tuple(
        Disturbance(
            method=method,
            scenario=scenario,
            sharpe=figure(method, scenario, "sharpe"),
            total_return=figure(method, scenario, "total_return"),
            loss=values.get((method, scenario, "loss_probability", "mean"), NAN),
            difference=values.get((method, scenario, "difference", "value"), NAN),
            standard_error=values.get((method, scenario, "standard_error", "value"), NAN),
        )
        for method, scenario in sorted(found, key=place)
    )


def _largest(rows: pd.DataFrame) -> tuple[tuple[str, float], ...]:
    parts = [(str(name), float(value)) for name, value in zip(rows["name"], rows["contribution"], strict=True)]
    return tuple(sorted(parts, key=lambda item: (-abs(item[1]), item[0])))


def _mark(multiple: float) -> Figure:
    line = {"color": "var(--muted)", "width": 1.2, "dash": "dot"}
    shape = {"type": "line", "xref": "x", "yref": "paper", "x0": multiple, "x1": multiple, "y0": 0, "y1": 1}
    note = {"xref": "x", "yref": "paper", "x": multiple, "y": 1, "text": f"break-even {multiple:.1f}x"}
    return {"shapes": [{**shape, "line": line}], "annotations": [{**note, "showarrow": False, "yanchor": "bottom"}]}
