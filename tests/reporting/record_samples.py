"""Rows of the warehouse about one agent, small and made by hand or from a seed, in the columns of their tables."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from warehouse.tables import TABLES
from wealtharena.evaluation.walk_forward_table import Estimate, Performance
from wealtharena.reporting.pages import AgentPages, PageFacts, Records, gather_pages
from wealtharena.settings import PromotionSettings

AS_OF = date(2026, 11, 6)
NIGHT = "2026-11-06-5f0c2d9e"
CHAMPION_LANE = "stocks@0a0a0a0a"
TABLE_OF = {
    "evidence": "out_promotion__evidence",
    "decisions": "out_promotion__decisions",
    "trials": "out_promotion__trials",
    "paper": "out_lanes__paper",
    "returns": "out_lanes__walk_forward",
    "folds": "out_lanes__folds",
    "drift": "out_drift__figures",
}


def sessions(count: int) -> pd.DatetimeIndex:
    return pd.bdate_range(end=pd.Timestamp(AS_OF), periods=count)


def records(**tables: pd.DataFrame) -> Records:
    """Records with the given tables; the others are empty, with the columns that they have in the warehouse."""
    empty = {name: pd.DataFrame(columns=TABLES[table].schema.names) for name, table in TABLE_OF.items()}
    empty["evidence"] = empty["evidence"].astype({"as_of": "datetime64[us]"})
    empty["paper"] = empty["paper"].astype({"session_date": "datetime64[us]"})
    empty["returns"] = empty["returns"].astype({"session_date": "datetime64[us]"})
    empty["decisions"] = empty["decisions"].astype({"night": "str"})
    return Records(**{**empty, **tables})


def facts(**changes: Any) -> PageFacts:
    values: dict[str, Any] = {"agent": "stocks", "night": NIGHT, "as_of": AS_OF, "annualisation": 252}
    return PageFacts(**(values | {"rules": PromotionSettings()} | changes))


def evidence_rows(
    lane_id: str, log_e: Sequence[float], against: str = CHAMPION_LANE, agent: str = "stocks", **changes: Any
) -> pd.DataFrame:
    """One row per night, the last on ``AS_OF``."""
    days = sessions(len(log_e))
    columns: dict[str, Any] = {
        "agent": agent, "lane_id": lane_id, "champion_lane_id": against, "as_of": days, "night": "n",
        "state": "shadow", "sessions": range(1, len(log_e) + 1), "log_e": log_e,
        "log_e_reversed": [-value for value in log_e], "drawdown": 0.02, "p_value": 0.2, "alpha": 0.05 / 12,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def paper_rows(
    lane_id: str, returns: Sequence[float], cash: float = 0.0, agent: str = "stocks", **changes: Any
) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "agent": agent, "lane_id": lane_id, "session_date": sessions(len(returns)), "return": returns,
        "cash_return": cash, "equity": 1.0, "turnover": 0.0, "cost": 0.0, "gross": 1.0, "bundle_hash": "",
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def history_rows(
    lane_id: str, returns: Sequence[float], double: Sequence[float], days: pd.DatetimeIndex, agent: str = "stocks"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "agent": agent, "lane_id": lane_id, "fold": days.year.astype(str), "session_date": days,
            "return": returns, "return_double_cost": double, "cash_return": 0.0, "turnover": 0.1, "cost": 0.001,
            "gross": 1.0,
        }
    )  # fmt: skip


def fold_row(lane_id: str, fold: str, first: str | None, last: str | None, agent: str = "stocks") -> dict[str, Any]:
    return {
        "agent": agent, "lane_id": lane_id, "fold": fold, "kind": "policy" if first else "baseline",
        "train_first": first, "train_last": last, "seeds": 1,
    }  # fmt: skip


def trial_rows(sharpes: Sequence[float], **changes: Any) -> pd.DataFrame:
    """Trials of seeds in earlier nights, with Sharpe ratios per session."""
    columns: dict[str, Any] = {
        "agent": "stocks", "lane": "stocks", "lane_id": CHAMPION_LANE, "kind": "seed", "night": "before",
        "as_of": pd.Timestamp(AS_OF), "seed": range(len(sharpes)), "bundle_hash": "b", "scored_on": "validation",
        "sessions": 252, "sharpe": sharpes, "skewness": np.nan, "kurtosis": np.nan,
    }  # fmt: skip
    return pd.DataFrame(columns | changes)


def drift_row(name: str, value: float, threshold: float, *, alarm: bool, kind: str = "feature") -> dict[str, Any]:
    text = f"{name} in words"
    return {
        "night": NIGHT, "agent": "stocks", "kind": kind, "name": name, "value": value, "threshold": threshold,
        "alarm": alarm, "text": text,
    }  # fmt: skip


def decision_row(night: str, outcome: str, reason: str, decided_by: str = "gate") -> dict[str, Any]:
    return {
        "night": night, "decision_id": night, "agent": "stocks", "candidate_version": "2", "champion_version": "1",
        "outcome": outcome, "reason": reason, "numbers": "{}", "decided_at": pd.Timestamp(night[:10], tz="UTC"),
        "decided_by": decided_by,
    }  # fmt: skip


def performance(name: str, lane_id: str, sharpe: float | None, **changes: Any) -> Performance:
    none = Estimate(None, None, None)
    own = none if sharpe is None else Estimate(sharpe, sharpe - 0.7, sharpe + 0.7)
    values: dict[str, Any] = {
        "name": name, "lane_id": lane_id, "is_baseline": lane_id.startswith("baseline:"), "first": "2023-01-02",
        "last": "2025-12-31", "sessions": 780, "annual_return": 0.05, "annual_return_double_cost": 0.03, "sharpe": own,
        "sharpe_double_cost": own, "max_drawdown": 0.12, "max_drawdown_double_cost": 0.13, "annual_turnover": 9.0,
        "annual_cost": 0.004,
    }  # fmt: skip
    return Performance(**(values | changes))


def rich_pages(lanes: int = 4, nights: int = 120, trials: int = 200, seed: int = 3) -> AgentPages:
    """Pages of an agent that has been in service for a while: several recipes, two rules, evidence every night."""
    rng = np.random.default_rng(seed)
    recipes = [CHAMPION_LANE, *(f"stocks-{place}@{place:08x}" for place in range(1, lanes))]
    rules = ["baseline:cash", "baseline:equal_weight"]
    days = pd.bdate_range("2023-01-02", "2025-12-31")

    def noise(count: int, mean: float = 0.0003, spread: float = 0.01) -> np.ndarray[Any, Any]:
        return rng.normal(mean, spread, count)

    evidence = [
        evidence_rows(lane_id, list(np.cumsum(noise(nights, 0.01, 0.12))), state="shadow", p_value=float(rng.uniform()))
        for lane_id in (*recipes[1:], *rules)
    ]
    paper = [paper_rows(lane_id, list(noise(nights)), 0.0001) for lane_id in ("champion", *recipes, *rules)]
    returns = [
        history_rows(lane_id, list(gains := noise(len(days))), list(gains - 0.0002), days)
        for lane_id in (*recipes, *rules)
    ]
    folds = [
        fold_row(lane_id, year, "2014-01-02", f"{int(year) - 2}-12-24")
        for lane_id in recipes
        for year in ("2023", "2024", "2025")
    ]
    tonight = trial_rows([0.05] * lanes, night=NIGHT, kind="candidate", scored_on="held_out", skewness=-0.4)
    tonight = tonight.assign(lane_id=recipes, kurtosis=5.0)
    names = {lane_id: lane_id.partition("@")[0] for lane_id in recipes}
    gain = {"best_baseline": "equal_weight", "gain": Estimate(-0.1, -0.9, 0.7)}
    return gather_pages(
        records(
            evidence=pd.concat(evidence),
            paper=pd.concat(paper),
            decisions=pd.DataFrame(
                [
                    decision_row(f"2026-11-{day:02d}-5f0c2d9e", "rejected", "No lane holds both keys.")
                    for day in (4, 5, 6)
                ]
            ),
            returns=pd.concat(returns),
            folds=pd.DataFrame(folds),
            trials=pd.concat([trial_rows(list(noise(trials, 0.0, 0.05))), tonight]),
            drift=pd.DataFrame(
                [
                    drift_row("momentum_21", 0.31, 0.25, alarm=True),
                    *(drift_row(f"feature_{place}", 0.004 * place, 0.25, alarm=False) for place in range(40)),
                    drift_row("reversed_e", 1.4, 20.0, alarm=False, kind="performance"),
                ]
            ),
        ),
        facts(
            performance=[
                *(performance(name, lane_id, 0.4 - 0.1 * k, **gain) for k, (lane_id, name) in enumerate(names.items())),
                performance("cash", "baseline:cash", None),
                performance("equal_weight", "baseline:equal_weight", 0.5),
            ]
        ),
    )
