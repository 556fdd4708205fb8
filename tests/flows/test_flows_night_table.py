"""The table that a night ends with."""

import pytest

from flows.summary import print_conclusion
from tasks.conclusion import AgentRow, NightConclusion


def row(agent: str, sharpe: float | None, total_return: float | None, drawdown: float | None) -> AgentRow:
    return AgentRow(agent, "PPO", total_return, sharpe, 0.5, drawdown, "cash", 0.0, "kept", f"because {agent}")


def test_the_best_agent_stands_first_and_who_has_shown_nothing_last(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        row("crypto", -0.5, -0.1, 0.3),
        row("etfs", None, None, None),
        row("stocks", 1.2, 0.2, 0.1),
        row("currencies", 0.4, -0.3, 0.5),
    )
    conclusion = NightConclusion("n1", "2026-01-02", rows, {}, {}, {}, "report.html", "mlflow")
    print_conclusion(conclusion, "http://127.0.0.1:1", as_json=False)
    shown = capsys.readouterr().out
    places = [shown.index(name) for name in ("stocks", "currencies", "crypto", "etfs")]
    assert places == sorted(places)
