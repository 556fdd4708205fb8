"""The local Prefect server: found when one is reachable, started when none is, ended on request."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from wealtharena.core.errors import PipelineError, SettingsError
from wealtharena.settings import Settings

START_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A reachable Prefect server."""

    api_url: str
    pid: int
    """Process that we started; 0 for a server that was there already."""

    @property
    def ui_url(self) -> str:
        """Address of the user interface."""
        return self.api_url.removesuffix("/api")


def ensure_server(settings: Settings) -> ServerInfo:
    """A reachable server, started on 127.0.0.1 if there is none; sets PREFECT_API_URL for this process.

    Must be called before Prefect is imported: it reads its settings then, and would start a server of its own.

    Raises:
        PipelineError: the configured server does not answer, or the local one does not come up.
        SettingsError: the local port belongs to another program.
    """
    configured = settings.prefect.api_url or os.environ.get("PREFECT_API_URL", "") or _profile_api_url()
    api_url = (configured or local_api_url(settings)).rstrip("/")
    if is_reachable(api_url):
        server = ServerInfo(api_url, 0)
    elif configured:
        raise PipelineError(f"prefect.api_url must be a reachable Prefect server, got {api_url}, which does not answer")
    elif not settings.prefect.autostart:
        raise PipelineError(f"no Prefect server answers at {api_url} and prefect.autostart is off")
    else:
        server = _start(settings)
    os.environ["PREFECT_API_URL"] = server.api_url
    return server


def stop_server(settings: Settings) -> int:
    """Ends the server that an earlier run started; returns its process id, or 0 if none was running."""
    record = _record_path(settings)
    if not record.is_file():
        return 0
    saved = json.loads(record.read_text(encoding="utf-8"))
    record.unlink()
    pid = int(saved["pid"])
    if not _is_our_server(pid):
        return 0
    os.killpg(pid, signal.SIGTERM)
    _, alive = psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
    if alive:
        os.killpg(pid, signal.SIGKILL)
    return pid


def is_reachable(api_url: str, timeout_s: float = 2.0) -> bool:
    """Whether a Prefect server answers its health check."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=timeout_s) as response:  # noqa: S310 - http by setting
            return bool(response.status == 200 and response.read().strip() == b"true")
    except (OSError, ValueError, http.client.HTTPException):  # the last one: the port speaks another language
        return False


def local_api_url(settings: Settings) -> str:
    """API address of the server that we would start."""
    return f"http://127.0.0.1:{settings.prefect.port}/api"


def _profile_api_url() -> str:
    """API of the active Prefect profile; read without Prefect, which fixes its settings when it is imported."""
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    path = Path(os.environ.get("PREFECT_PROFILES_PATH", home / "profiles.toml"))
    if not path.is_file():
        return ""
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} must be readable TOML: {error}") from None
    active = os.environ.get("PREFECT_PROFILE", str(profiles.get("active", "")))
    return str(profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL", ""))


def _start(settings: Settings) -> ServerInfo:
    port = settings.prefect.port
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise SettingsError(f"prefect.port must be free or serve Prefect, {port} is used by another program")
    folder = _record_path(settings).parent
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "PREFECT_HOME": str(folder.resolve()),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": "",
        "PREFECT_SERVER_UI_API_URL": local_api_url(settings),
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    server = ServerInfo(local_api_url(settings), process.pid)
    _record_path(settings).write_text(json.dumps(asdict(server)), encoding="utf-8")
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if is_reachable(server.api_url):
            return server
        if process.poll() is not None:
            break
        time.sleep(0.2)
    stop_server(settings)
    raise PipelineError(
        f"the local Prefect server did not come up in {START_TIMEOUT_S:.0f} s; see {folder / 'server.log'}"
    )


def _record_path(settings: Settings) -> Path:
    return settings.home / "prefect" / "server.json"


def _is_our_server(pid: int) -> bool:
    try:
        return "prefect" in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
