"""The night's report: one HTML file that needs no network."""

from wealtharena.reporting.data import (
    AgentReport,
    BookPosition,
    Check,
    ClassCoverage,
    Curve,
    CurveRole,
    LearningCurve,
    Performance,
    QuarantineCount,
    ReportData,
    SignalRow,
    StageFailure,
    SymbolCoverage,
    Verdict,
    WeightPath,
    Window,
)
from wealtharena.reporting.report import render_report, write_report

__all__ = [
    "AgentReport",
    "BookPosition",
    "Check",
    "ClassCoverage",
    "Curve",
    "CurveRole",
    "LearningCurve",
    "Performance",
    "QuarantineCount",
    "ReportData",
    "SignalRow",
    "StageFailure",
    "SymbolCoverage",
    "Verdict",
    "WeightPath",
    "Window",
    "render_report",
    "write_report",
]
