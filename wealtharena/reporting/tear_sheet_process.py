"""The process that draws tear sheets with quantstats: reads jobs as JSON, leaves a body, or a reason, for each."""

import json
import logging
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from wealtharena.reporting.tear_sheet import TearSheet, objection

_TEMPLATE = Path(__file__).with_name("tear_sheet_body.html")
_PROLOGUE = re.compile(r"<\?xml.*?\?>\s*<!DOCTYPE.*?>\s*", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\s+xmlns(?::\w+)?="[^"]*"')
_SPAN = re.compile(r"<tr><td>(\d+)(Y|M)(?: \(ann\.\))?</td>.*?</tr>\n?")
_DAYS = {"Y": 365.0, "M": 30.0}


def main() -> None:
    """Draws every job: a sheet (``TearSheet.as_json``) and the file that its body goes to (a reason: ``.txt``)."""
    refuse_sockets()
    warnings.simplefilter("ignore")
    for job in json.load(sys.stdin):
        body = Path(job["body"])
        sheet = TearSheet.from_json(job["sheet"])
        try:
            body.write_text(draw(sheet), encoding="utf-8")
        except Exception as error:
            body.with_suffix(".txt").write_text(
                f"quantstats could not take this series ({type(error).__name__}: {error})", encoding="utf-8"
            )


def refuse_sockets() -> None:
    """From here on this process can open no socket; there is no way back."""

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event.startswith("socket."):
            raise OSError(f"a tear sheet needs no network, got {event}")

    sys.addaudithook(refuse)


def draw(sheet: TearSheet) -> str:
    """quantstats' charts and tables as a fragment of HTML that refers to nothing outside. Equal sheets, equal text."""
    reports = _quantstats(sheet.inputs)
    index = pd.DatetimeIndex(sheet.dates)
    with tempfile.NamedTemporaryFile(suffix=".html") as output:
        reports.html(
            pd.Series(sheet.returns, index),
            benchmark=_benchmark(sheet, index),
            rf=sheet.cash_rate,
            output=output.name,
            strategy_title=sheet.account,
            benchmark_title=sheet.benchmark or None,
            periods_per_year=sheet.annualisation,
            template_path=str(_TEMPLATE),
            # It would begin with the first session that earned something: waiting is part of the record.
            match_dates=False,
        )
        html = Path(output.name).read_text(encoding="utf-8")
    for pattern in (_PROLOGUE, _METADATA, _NAMESPACE):
        html = pattern.sub("", html)
    # A small per cent sign that few fonts have.
    html = html.replace("\ufe6a", "")
    return _without_spans_beyond(html, float((index[-1] - index[0]).days))


def _quantstats(salt: str) -> Any:
    """quantstats' reports, with text as text and names within a drawing that depend on the sheet alone."""
    import matplotlib as mpl
    from quantstats import reports

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = salt
    return reports


def _benchmark(sheet: TearSheet, index: pd.DatetimeIndex) -> "pd.Series[float] | None":
    """None for one that quantstats cannot take, such as cash."""
    if sheet.benchmark_returns is None or objection(sheet.benchmark_returns, sheet.cash_returns):
        return None
    return pd.Series(sheet.benchmark_returns, index)


def _without_spans_beyond(html: str, days: float) -> str:
    """Without the rows of the last ten years and the like where there are not as many: they would show the whole."""

    def kept(row: re.Match[str]) -> str:
        return row.group() if float(row[1]) * _DAYS[row[2]] <= days + 7.0 else ""

    return _SPAN.sub(kept, html)


if __name__ == "__main__":
    main()
