"""A made-up night with everything that a report can show: promotions, refusals, a failure, shorts, missing symbols."""

from datetime import date

import numpy as np

from wealtharena.core import TableRef
from wealtharena.core.panel import DateArray, FloatArray
from wealtharena.reporting import (
    AgentReport,
    BookPosition,
    Check,
    ClassCoverage,
    Curve,
    CurveRole,
    LearningCurve,
    LimitRow,
    Performance,
    QuarantineCount,
    ReportData,
    RiskReport,
    SignalRow,
    StageFailure,
    SymbolCoverage,
    Verdict,
    WeightPath,
    Window,
)

NIGHT = date(2026, 11, 6)
SYMBOLS = {
    "stocks": ("ANZ.AX", "BHP.AX", "CBA.AX", "CSL.AX", "MQG.AX", "NAB.AX"),
    "crypto": ("ADA-USD", "BNB-USD", "BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"),
    "etfs": ("IVV.AX", "NDQ.AX", "STW.AX", "VAS.AX", "VGS.AX", "VTS.AX"),
    "currencies": ("AUDUSD=X", "EURUSD=X", "GBPUSD=X", "NZDUSD=X", "USDCAD=X", "USDJPY=X"),
    "reits": ("CHC.AX", "DXS.AX", "GMG.AX", "GPT.AX", "MGR.AX", "SCG.AX"),
    "commodities": ("CL=F", "GC=F", "HG=F", "NG=F", "SI=F", "ZC=F"),
}
ALGORITHMS = {
    "stocks": "PPO",
    "crypto": "SAC",
    "etfs": "A2C",
    "currencies": "DQN",
    "reits": "PPO",
    "commodities": "PPO",
}
LONG_SHORT = ("currencies", "commodities")


def sample_dates(sessions: int) -> DateArray:
    return np.busday_offset(np.datetime64(NIGHT, "D"), np.arange(-sessions + 1, 1), roll="backward")


def sample_equity(rng: np.random.Generator, sessions: int, drift: float, volatility: float = 0.01) -> FloatArray:
    return np.exp(np.cumsum(rng.normal(drift, volatility, sessions)) - 0.0)


def sample_weights(rng: np.random.Generator, sessions: int, assets: int, *, long_short: bool) -> FloatArray:
    scores = np.cumsum(rng.normal(0.0, 0.15, (sessions, assets)), axis=0)
    scores = np.clip(scores, -1.0 if long_short else 0.0, 1.0) / 3.0
    gross = np.abs(scores).sum(axis=1, keepdims=True)
    return scores / np.maximum(gross, 1.0)


def sample_agent(
    name: str, verdict: Verdict, seed: int, sessions: int = 252, symbols: tuple[str, ...] | None = None
) -> AgentReport:
    rng = np.random.default_rng(seed)
    symbols = symbols or SYMBOLS.get(name, tuple(SYMBOLS))
    algorithm = ALGORITHMS.get(name, "PPO")
    if verdict is Verdict.FAILED:
        reason = "training diverged: the policy's loss became NaN after 12,288 environment steps"
        return AgentReport(name=name, algorithm=algorithm, verdict=verdict, reason=reason)
    dates = sample_dates(sessions)
    drift = 0.0008 if verdict is Verdict.PROMOTED else -0.0001
    promoted = verdict is Verdict.PROMOTED
    steps = np.arange(1, 25) * 4096.0
    reasons = {
        Verdict.PROMOTED: "Sharpe 1.12 beats the champion's 0.74 on the same window, within all limits",
        Verdict.KEPT: "Sharpe 0.31 is below the champion's 0.66 on the same window",
        Verdict.BASELINE: "no champion yet, and equal_weight has the higher Sharpe (0.58 against 0.21)",
    }
    return AgentReport(
        name=name,
        algorithm=algorithm,
        verdict=verdict,
        reason=reasons[verdict],
        champion="version 4, PPO" if promoted else "version 2, equal_weight",
        performance=Performance(0.183 if promoted else -0.042, 1.12 if promoted else 0.31, 0.99, -0.081, 14.2, 0.121),
        baseline="equal_weight",
        baseline_performance=Performance(0.092, 0.74, 1.0, -0.117, 1.0, 0.134),
        checks=(
            Check("results are finite", passed=True, value=1.0, threshold=1.0),
            Check("turnover", passed=True, value=14.2, threshold=0.05),
            Check("drawdown", passed=True, value=0.081, threshold=0.4),
            Check("beats the champion", passed=promoted, detail="Sharpe gain must be at least 0.00"),
        ),
        curves=(
            Curve(name, CurveRole.AGENT, dates, sample_equity(rng, sessions, drift)),
            Curve("champion", CurveRole.CHAMPION, dates, sample_equity(rng, sessions, 0.0004)),
            Curve("equal_weight", CurveRole.BASELINE, dates, sample_equity(rng, sessions, 0.0003)),
            Curve("time_series_momentum", CurveRole.BASELINE, dates, sample_equity(rng, sessions, 0.0002)),
            Curve("cash", CurveRole.BASELINE, dates, np.ones(sessions)),
        ),
        weights=WeightPath(dates, symbols, sample_weights(rng, sessions, len(symbols), long_short=name in LONG_SHORT)),
        learning=LearningCurve(
            steps,
            0.05 * np.log(steps / 4000.0) + rng.normal(0, 0.01, 24),
            steps[2::3],
            0.3 * np.log(steps[2::3] / 8000.0) + rng.normal(0, 0.1, 8),
            int(steps[20]),
        ),
        risk=sample_risk(),
    )


def sample_risk() -> RiskReport:
    return RiskReport(
        amounts=(
            ("commission", -0.0031), ("spread", -0.0024), ("impact", -0.0112), ("borrow and holding", 0.0),
            ("delisting", 0.0), ("interest", 0.0123), ("dividends", 0.0087),
        ),
        limits=(
            LimitRow("long_only", bound_share=0.31),
            LimitRow("max_weight", 0.35, 0.34, 0.0),
            LimitRow("min_effective_positions", 2.0, 3.4, 0.12),
            LimitRow("max_gross", 1.0, 0.97, 0.0),
            LimitRow("max_var", 0.06, 0.021, 0.05),
            LimitRow("drawdown_stop", 0.35, 0.04, 0.0),
            LimitRow("unfilled", bound_share=0.01),
        ),
        trades=1_234,
    )  # fmt: skip


def sample_coverage(asset_class: str) -> ClassCoverage:
    symbols = [
        SymbolCoverage(symbol, "rows", "", date(2014, 1, 2), NIGHT, 3240, 3244) for symbol in SYMBOLS[asset_class]
    ]
    if asset_class == "stocks":
        symbols.append(SymbolCoverage("XYZ.AX", "unknown_symbol", "market/stocks/XYZ.AX.csv does not exist"))
        symbols.append(
            SymbolCoverage(
                "OLD.AX", "rows", "", date(2014, 1, 2), date(2021, 3, 4), 1810, 1811, delisted_on=date(2021, 3, 5)
            )
        )
    return ClassCoverage(asset_class, tuple(symbols))


def sample_night(sessions: int = 252) -> ReportData:
    verdicts = {
        "stocks": Verdict.PROMOTED,
        "crypto": Verdict.BASELINE,
        "etfs": Verdict.KEPT,
        "currencies": Verdict.PROMOTED,
        "reits": Verdict.FAILED,
        "commodities": Verdict.KEPT,
        "meta": Verdict.PROMOTED,
    }
    rng = np.random.default_rng(5)
    agents = tuple(sample_agent(name, verdict, seed, sessions) for seed, (name, verdict) in enumerate(verdicts.items()))
    signals = tuple(
        SignalRow(name, symbol, float(round(weight, 4)), float(round(before, 4)), float(round(rng.uniform(1, 200), 2)))
        for name, symbols in SYMBOLS.items()
        if name != "reits"
        for symbol, weight, before in zip(
            symbols,
            sample_weights(rng, 40, len(symbols), long_short=name in LONG_SHORT)[-1],
            sample_weights(rng, 40, len(symbols), long_short=name in LONG_SHORT)[-1],
            strict=True,
        )
    )
    capital = (("stocks", 0.28), ("crypto", 0.11), ("etfs", 0.22), ("currencies", 0.19), ("commodities", 0.15))
    shares = dict(capital)
    return ReportData(
        night=NIGHT,
        profile="quickstart",
        source="simulator",
        is_demo=True,
        seed=1,
        settings_hash="5f0c2d9e41ab" + "0" * 52,
        data_version="9a1be77d20c4" + "0" * 52,
        git_commit="00bb50f1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7",
        agents=agents,
        capital=capital,
        book=tuple(BookPosition(row.symbol, row.agent, row.weight * shares[row.agent]) for row in signals),
        signals=signals,
        coverage=tuple(sample_coverage(name) for name in SYMBOLS),
        quarantine=(
            QuarantineCount("zero_open", 214, 9, "BHP.AX 2015-08-24: open is 0.0"),
            QuarantineCount("high_below_low", 3, 2, "CBA.AX 2018-02-06: high 76.10 < low 76.40"),
            QuarantineCount("glitch", 1, 1, "GC=F 2019-05-01: jumped by 312 % and back"),
        ),
        failures=(StageFailure("train", "reits", "training diverged: the policy's loss became NaN"),),
        lineage=(
            TableRef("core_stocks__daily_bars", 12, "stocks", 25_930, "c" * 64),
            TableRef("out_backtest__daily_equity", 7, "", 8_820, "e" * 64),
        ),
        windows=(
            Window("training", date(2014, 1, 2), date(2024, 10, 25), 2822),
            Window("validation", date(2024, 11, 4), date(2025, 10, 29), 252),
            Window("held out", date(2025, 11, 6), NIGHT, 252),
        ),
        one_way_cost_bps={"stocks": 7.0, "crypto": 15.0, "etfs": 3.0, "currencies": 1.5, "reits": 7.0},
        bars_collected=131_200,
        night_id="2026-11-06-5f0c2d9e",
    )
