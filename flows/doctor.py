"""Looks for what would keep a night from running, and says how to mend it."""

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flows import terminal
from flows.server import is_reachable, local_api_url
from wealtharena.core.asset_class import META_AGENT
from wealtharena.core.errors import WealthArenaError
from wealtharena.settings import Settings

LOCK_FILE = Path(__file__).resolve().parents[1] / "requirements.lock"
CHECKED_PACKAGES = (
    "prefect", "fastapi", "ray", "torch", "gymnasium", "mlflow", "pandas", "numpy", "pyarrow", "duckdb", "deltalake",
    "numba", "ta-lib", "onnxruntime", "exchange-calendars", "yfinance", "alpha-vantage", "fredapi", "pycoingecko",
)  # fmt: skip
MIN_FREE_GB = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Everything that a night needs, in the order in which it needs it."""
    checks: list[Callable[[Settings], Finding]] = [_home, _disk, _source, _prefect, _keys, _appetite]
    return [*_versions(), *(check(settings) for check in checks)]


def print_findings(findings: list[Finding], as_json: bool) -> None:
    """A table of the findings, remedies below it."""
    rows = [["ok" if item.ok else "MEND", item.name, item.found] for item in findings]
    terminal.print_table("Doctor", ["", "what", "found"], rows)
    for item in findings:
        if not item.ok:
            terminal.console.print(f"- {item.name}: {item.remedy}")
    if as_json:
        terminal.print_json({"ok": all(item.ok for item in findings), "findings": [asdict(item) for item in findings]})


def _versions() -> list[Finding]:
    pinned = _pinned_versions()
    findings = []
    for package in CHECKED_PACKAGES:
        wanted = pinned.get(package, "")
        try:
            found = version(package).partition("+")[0]
        except PackageNotFoundError:
            found = "missing"
        remedy = f"install {package}=={wanted}: `pip install -r requirements.lock` (or `make install`)"
        findings.append(Finding(f"package {package}", found == wanted, found, "" if found == wanted else remedy))
    return findings


def _pinned_versions() -> dict[str, str]:
    lines = LOCK_FILE.read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {name.strip().lower().replace("_", "-"): number.strip() for name, number in pairs}


def _home(settings: Settings) -> Finding:
    home = settings.home.resolve()
    parent = next(folder for folder in (home, *home.parents) if folder.exists())
    ok = os.access(parent, os.W_OK)
    return Finding("home folder", ok, str(home), "" if ok else f"make {parent} writable or set WEALTHARENA_HOME")


def _disk(settings: Settings) -> Finding:
    home = settings.home.resolve()
    parent = next(folder for folder in (home, *home.parents) if folder.exists())
    free_gb = shutil.disk_usage(parent).free / 1e9
    ok = free_gb >= MIN_FREE_GB
    remedy = (
        "" if ok else f"free some space: a night needs up to {MIN_FREE_GB:.0f} GB, or set WEALTHARENA_HOME elsewhere"
    )
    return Finding("disk", ok, f"{free_gb:.1f} GB free", remedy)


def _source(settings: Settings) -> Finding:
    from wealtharena.vendors import make_catalogue

    name = f"data source {settings.vendors.source}"
    try:
        count = len(make_catalogue(settings).instruments(settings.run.asset_classes))
    except WealthArenaError as error:
        return Finding(
            name, False, str(error), "correct vendors.source or its settings, e.g. --set vendors.files.root=DIR"
        )
    return Finding(
        name, count > 0, f"{count} instruments", "" if count else "the source has no instrument of run.asset_classes"
    )


def _prefect(settings: Settings) -> Finding:
    api_url = settings.prefect.api_url or os.environ.get("PREFECT_API_URL", "") or local_api_url(settings)
    if is_reachable(api_url):
        return Finding("Prefect server", True, f"answers at {api_url}")
    if api_url != local_api_url(settings):
        return Finding("Prefect server", False, f"{api_url} does not answer", "start it, or unset PREFECT_API_URL")
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", settings.prefect.port)) == 0
    if taken:
        remedy = "choose another port: --set prefect.port=4201"
        return Finding("Prefect server", False, f"port {settings.prefect.port} belongs to another program", remedy)
    return Finding("Prefect server", True, f"not running; a night starts one on port {settings.prefect.port}")


def _keys(settings: Settings) -> Finding:
    from wealtharena.vendors import MACRO, missing_key, vendor_order

    groups = [*map(str, settings.run.asset_classes), MACRO]
    try:
        asked = sorted({name for group in groups for name in vendor_order(settings, group)})
    except WealthArenaError as error:
        return Finding("vendor keys", False, str(error), "correct vendors.source or vendors.order")
    lacking = [reason for reason in (missing_key(settings, name) for name in asked) if reason]
    # A night goes on without them: this is no fault, but worth knowing.
    return Finding("vendor keys", True, "; ".join(lacking) or f"{', '.join(asked)}: none is missing")


def _appetite(settings: Settings) -> Finding:
    chosen: dict[str, list[str]] = {}
    for agent in (*settings.agents, META_AGENT):
        own = settings.meta if agent == META_AGENT else settings.agents[agent]
        chosen.setdefault(own.risk_profile, []).append(agent)
    told = [f"{profile}: {', '.join(agents)}" for profile, agents in chosen.items()]
    return Finding("risk profiles", True, f"{next(iter(chosen))}: every agent" if len(chosen) == 1 else "; ".join(told))
