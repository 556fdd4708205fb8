import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from record_samples import rich_pages
from report_samples import sample_agent, sample_night

from wealtharena.reporting import ReportData, Verdict, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=30000",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on this machine")


def open_in_chromium(path: Path, profile: Path, *flags: str) -> tuple[str, list[str]]:
    """The page after its scripts have run, and what it wrote to the console."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *flags, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def with_pages() -> ReportData:
    night = sample_night()
    agents = [replace(agent, pages=rich_pages(3, 40, 60)) if agent.curves else agent for agent in night.agents]
    return replace(night, agents=tuple(agents))


def charts_of(dom: str) -> tuple[list[str], str]:
    """Names of the charts, and the tag that says how many were drawn."""
    root = re.search(r"<html[^>]*>", dom)
    assert root is not None
    return re.findall(r'data-chart="([^"]+)"', dom), root.group()


def test_what_is_in_view_is_drawn_without_an_error_in_the_dark(tmp_path: Path) -> None:
    path = write_report(with_pages(), tmp_path / "report.html")
    dark = "--blink-settings=preferredColorScheme=0"
    dom, console = open_in_chromium(path, tmp_path / "profile", "--dump-dom", dark)
    charts, root = charts_of(dom)
    # Three of the night, equity and weights of six agents; the first one's decision is open, with evidence and paper.
    assert 'data-drawn="17"' in root
    assert len(charts) == 3 + 6 * 7
    assert dom.count('class="main-svg"') == 3 * 17
    assert "data-error" not in dom
    assert console == []
    assert "stroke: rgb(125, 162, 245)" in dom


@pytest.mark.slow
def test_every_chart_is_drawn_once_its_part_is_opened(tmp_path: Path) -> None:
    path = write_report(with_pages(), tmp_path / "report.html")
    opener = "document.querySelectorAll('details').forEach((part) => { part.open = true; });"
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"), count=1)
    page = page.replace("</body>", f"<script>setTimeout(() => {{ {opener} }}, 500);</script></body>")
    path.write_text(page, encoding="utf-8")
    dom, console = open_in_chromium(path, tmp_path / "profile", "--dump-dom")
    charts, root = charts_of(dom)
    assert f'data-drawn="{len(charts)}"' in root
    assert "data-error" not in dom
    assert console == []
    # Plotly puts three layers of drawing into each chart; lines, areas and bars are paths with coordinates.
    assert dom.count('class="main-svg"') == 3 * len(charts)
    assert len(re.findall(r'class="js-line" d="M[\d.]', dom)) + dom.count('class="js-fill"') > 60
    assert dom.count('class="point"') >= 5
    assert "stroke: rgb(47, 95, 208)" in dom


def test_text_from_outside_runs_no_script(tmp_path: Path) -> None:
    evil = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    agent = sample_agent("stocks", Verdict.KEPT, 1)
    curves = tuple(replace(curve, label=evil) for curve in agent.curves)
    night = replace(sample_night(), agents=(replace(agent, reason=evil, curves=curves),), profile=evil)
    path = write_report(night, tmp_path / "report.html")
    dom, console = open_in_chromium(path, tmp_path / "profile", "--dump-dom")
    assert "<title>WealthArena · 2026-11-06</title>" in dom
    assert console == []


def test_a_screenshot_shows_a_page_with_colours(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    path = write_report(sample_night(), tmp_path / "report.html")
    picture = tmp_path / "report.png"
    size = "--window-size=1280,3600"
    open_in_chromium(path, tmp_path / "profile", f"--screenshot={picture}", "--hide-scrollbars", size)
    with image_module.open(picture) as image:
        colours = {colour: count for count, colour in image.convert("RGB").getcolors(maxcolors=1 << 24)}
    assert colours[(255, 255, 255)] > 100_000, "cards are white"
    for series in ((59, 111, 212), (224, 138, 60), (47, 158, 131)):
        assert colours.get(series, 0) > 1_000, f"series colour {series} is hardly seen"
