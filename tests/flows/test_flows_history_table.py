"""The table of histories as it is printed."""

import pytest

from flows.history_table import print_history
from wealtharena.evaluation.walk_forward_table import Estimate, Performance

UNKNOWN = Estimate(None, None, None)


def row(name: str, **changes: object) -> Performance:
    values: dict[str, object] = {
        "name": name,
        "lane_id": f"{name}@1",
        "is_baseline": True,
        "first": "2019-01-02",
        "last": "2023-12-29",
        "sessions": 1258,
        "annual_return": 0.018,
        "annual_return_double_cost": 0.018,
        "sharpe": UNKNOWN,
        "sharpe_double_cost": UNKNOWN,
        "max_drawdown": 0.0,
        "max_drawdown_double_cost": 0.0,
        "annual_turnover": 0.0,
        "annual_cost": 0.0,
    }
    return Performance(**values | changes)  # type: ignore[arg-type]


def test_an_agent_stands_beside_its_baselines_and_what_is_undefined_is_a_dash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = row(
        "etfs",
        is_baseline=False,
        sharpe=Estimate(0.86, 0.11, 1.86),
        max_drawdown=0.312,
        best_baseline="cash",
        gain=Estimate(-0.16, -0.48, 0.03),
        gain_double_cost=UNKNOWN,
    )
    print_history("etfs", [own, row("cash")])
    out = capsys.readouterr().out
    assert "etfs: out of sample 2019-01-02 to 2023-12-29, 1258 sessions" in out
    agent, cash = (next(line for line in out.splitlines() if line.startswith(name)) for name in ("etfs (", "cash"))
    assert [cell.strip() for cell in agent.split("│")][1:6] == ["+1.8%", "+1.8%", "+0.86 [+0.11, +1.86]", "–", "-31.2%"]
    assert "etfs: Sharpe ratio less that of cash -0.16 [-0.48, +0.03], at twice the costs –" in out
    assert cash.split("│")[3].strip() == "–" and cash.split("│")[5].strip() == "0.0%"


def test_an_agent_without_a_history_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_history("etfs", [])
    assert capsys.readouterr().out == ""
