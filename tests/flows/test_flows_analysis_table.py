"""What `wealtharena analyse` prints."""

import pytest

from flows.analysis_table import print_analysis
from tasks.analysis import AnalysisReceipt
from wealtharena.core import TableRef

LEVELS = ("0.05", "0.25", "0.50", "0.75", "0.95")
TABLE = TableRef("out_analysis__simulations", 1, "night/stocks", 1, "h")


def receipt(break_even: float | None, lag_loss: float | None) -> AnalysisReceipt:
    return AnalysisReceipt(
        agent="stocks",
        strategy="candidate",
        total_return=0.123,
        simulations=TABLE,
        attribution=TABLE,
        quantiles={
            "return_bootstrap.sharpe": dict.fromkeys(LEVELS, None),
            "return_bootstrap.total_return": dict(zip(LEVELS, (-0.1, 0.0, 0.1, 0.2, 0.3), strict=True)),
        },
        loss_probability={"return_bootstrap": 0.25},
        break_even=break_even,
        break_even_note="" if break_even else "it earns no more than cash even free of cost",
        lag_loss=lag_loss,
        contributions={"asset": {"AAA": 0.02, "BBB": -0.05, "CCC": 0.0001}, "class": {}},
        exposures={},
        alpha=None,
        alpha_standard_error=None,
    )


def test_quantiles_break_even_delay_and_the_largest_contributions(capsys: pytest.CaptureFixture[str]) -> None:
    print_analysis(receipt(4.25, 0.3))
    out = capsys.readouterr().out
    assert "stocks (candidate): +12.3% in the held-out window" in out
    assert "Break-even cost: 4.2x the cost. Lost by a session's delay: 30% of the return above cash." in out
    assert "By asset: BBB -5.0%, AAA +2.0%\n" in out
    assert "By class: nothing" in out
    (row,) = (line for line in out.splitlines() if "return " in line and "25.0%" in line)
    assert "-10.0%" in row
    assert "+30.0%" in row


def test_what_there_is_not_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_analysis(receipt(None, None))
    out = capsys.readouterr().out
    assert "Break-even cost: it earns no more than cash even free of cost." in out
    assert "Lost by a session's delay: nothing was earned." in out
    assert "–" in out
