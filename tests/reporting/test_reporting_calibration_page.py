"""The calibration's page: one file that needs no network, with every figure, and texts that cannot break out."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from wealtharena.evaluation.calibration import Comparison, Curves, FactRow, FittedMarket
from wealtharena.reporting.calibration_page import CalibrationPage, fact_records, render_calibration, write_calibration
from wealtharena.vendors.simulated_models import AssetModel, ClassModel, WorldModel

MODEL = ClassModel(1, 0.012, 0.3, 0.2, 0.5, 100.0, 1e6)
NASTY = "<script>alert('x')</script>"


@pytest.fixture
def page() -> CalibrationPage:
    lags = np.arange(1.0, 6.0)
    curves = Curves(lags, 0.2 / lags, 0.1 / lags, 0.05 / lags, np.array([0.2, 0.1, 0.0, np.nan, 0.1]))
    rows = (
        FactRow("annual volatility", 0.277, 0.24, 0.32, 0.286, 0.26, 0.33),
        FactRow("skewness", -0.3, -0.4, -0.1, 0.05, 0.0, 0.1),
    )
    comparison = Comparison("stocks", ("A.AX", NASTY), 4399, rows, curves, curves)
    fitted = FittedMarket(WorldModel(), {"Financials": MODEL}, {"A.AX": AssetModel(MODEL, 1, 0.01, 1e-4, 1e6)})
    return CalibrationPage("/data", "2007-01-02 to 2024-05-31", 1, 20, 200, fitted, [comparison])


def test_the_page_shows_every_fact_and_whether_it_agrees(page: CalibrationPage) -> None:
    html = render_calibration(page)
    assert re.search(r"annual volatility</td><td>yes</td><td class=\"num\">0\.277", html)
    assert html.count(">agrees</span>") == 1 and html.count(">misses</span>") == 1
    assert "Financials" in html and "−0.400 to −0.100" in html
    assert render_calibration(page) == html


def test_the_page_loads_nothing_and_escapes_every_text(page: CalibrationPage) -> None:
    html = render_calibration(page)
    assert NASTY not in html
    shell = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", shell)


def test_its_charts_are_valid_json_without_figures_that_json_lacks(page: CalibrationPage) -> None:
    html = render_calibration(page)
    (text,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    figures = json.loads(text)
    assert set(figures) == {"facts-stocks", "size-stocks", "tails-stocks"}
    drawn = set(re.findall(r'data-chart="(.*?)"', html))
    assert drawn == set(figures)
    real, simulated = figures["facts-stocks"]["data"]
    assert real["x"] == [0.0, 0.0]
    assert simulated["x"][1] == pytest.approx(0.35 / 0.15, rel=1e-4)


def test_what_is_written_can_be_read_again(page: CalibrationPage, tmp_path: Path) -> None:
    files = write_calibration(page, tmp_path / "new" / "folder")
    assert [path.name for path in files] == ["calibration.html", "facts.json", "market.json"]
    assert json.loads(files[1].read_text(encoding="utf-8")) == {"stocks": fact_records(page.comparisons[0])}
    market = json.loads(files[2].read_text(encoding="utf-8"))
    assert market["assets"]["A.AX"] == {
        "group": "Financials", "daily_volatility": 0.01, "mean_return": 1e-4, "volume": 1e6
    }  # fmt: skip
    assert market["classes"]["Financials"]["global_share"] == 0.3
