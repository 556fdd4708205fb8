"""The local Prefect server: started when none is there, found when one is, ended on request, on 127.0.0.1 alone."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from flows_console import free_port

from flows.server import ServerInfo, ensure_server, is_reachable, local_api_url, stop_server
from wealtharena.core.errors import PipelineError, SettingsError
from wealtharena.settings import Settings, load_settings

LOOPBACK = "127.0.0.1"


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is named by the environment or by a profile of the person who runs the tests."""
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setenv("PREFECT_PROFILE", "local")
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))


def settings_of(home: Path, port: int, *overrides: str) -> Settings:
    return load_settings("quickstart", [f"home={home}", f"prefect.port={port}", *overrides])


@pytest.fixture
def occupied() -> Iterator[Callable[[bytes], int]]:
    """Opens a port that answers every caller with the same bytes and no more."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()

        def serve(greeting: bytes) -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    caller.recv(1024)
                    caller.sendall(greeting)

        def occupy(greeting: bytes) -> int:
            threading.Thread(target=serve, args=(greeting,), daemon=True).start()
            return int(listener.getsockname()[1])

        yield occupy
        listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_a_server_is_started_found_again_and_ended_with_all_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path / "home", free_port())
    try:
        started = ensure_server(settings)
        process = psutil.Process(started.pid)
        family = [process, *process.children(recursive=True)]
        assert started == ServerInfo(local_api_url(settings), process.pid)
        assert is_reachable(started.api_url)
        # A later run knows of it only by its port, one in the same shell also by its address.
        assert ensure_server(settings) == ServerInfo(started.api_url, 0)
        monkeypatch.setenv("PREFECT_API_URL", "")
        assert ensure_server(settings) == ServerInfo(started.api_url, 0)
        assert listening(family) == {(LOOPBACK, settings.prefect.port)}
    finally:
        ended = stop_server(settings)
    assert ended == started.pid
    assert not [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
    with socket.socket() as probe:
        assert probe.connect_ex((LOOPBACK, settings.prefect.port)) != 0
    assert stop_server(settings) == 0


def listening(family: list[psutil.Process]) -> set[tuple[str, int]]:
    """Addresses on which these processes accept connections."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for member in family
        for connection in member.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.0 200 OK\r\n\r\nhello"])
def test_a_port_of_another_program_is_left_alone(
    tmp_path: Path, occupied: Callable[[bytes], int], greeting: bytes
) -> None:
    port = occupied(greeting)
    with pytest.raises(SettingsError, match=f"prefect.port must be free or serve Prefect, {port} is used by another"):
        ensure_server(settings_of(tmp_path / "home", port))
    assert not (tmp_path / "home").exists()


def test_without_autostart_a_missing_server_is_named(tmp_path: Path) -> None:
    port = free_port()
    settings = settings_of(tmp_path / "home", port, "prefect.autostart=false")
    with pytest.raises(PipelineError, match=f"no Prefect server answers at http://127.0.0.1:{port}/api"):
        ensure_server(settings)


def test_the_active_prefect_profile_names_the_server_and_is_not_overruled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"http://127.0.0.1:{free_port()}/api"
    (tmp_path / "profiles.toml").write_text(
        f'active = "team"\n[profiles.local]\n[profiles.team]\nPREFECT_API_URL = "{away}"\n', encoding="utf-8"
    )
    monkeypatch.delenv("PREFECT_PROFILE")
    settings = settings_of(tmp_path / "home", free_port())
    with pytest.raises(PipelineError, match=f"must be a reachable Prefect server, got {away}, which does not answer"):
        ensure_server(settings)
    # The variable picks another profile than the active one.
    monkeypatch.setenv("PREFECT_PROFILE", "local")
    with pytest.raises(PipelineError, match=local_api_url(settings)):
        ensure_server(settings_of(tmp_path / "home", settings.prefect.port, "prefect.autostart=false"))


@pytest.mark.slow
def test_a_reachable_server_of_the_profile_is_used(tmp_path: Path, prefect_api: str) -> None:
    (tmp_path / "profiles.toml").write_text(f'[profiles.local]\nPREFECT_API_URL = "{prefect_api}/"\n', encoding="utf-8")
    assert ensure_server(settings_of(tmp_path / "home", free_port())) == ServerInfo(prefect_api, 0)
    assert not (tmp_path / "home").exists()


def test_unreadable_profiles_are_named(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text("active = [", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"profiles\.toml must be readable TOML"):
        ensure_server(settings_of(tmp_path / "home", free_port()))


@pytest.mark.parametrize("record", ['{"api_url": "x", "pid": 999999999}', '{"api_url": "x", "pid": %d}'])
def test_stopping_never_touches_a_process_that_is_not_our_server(tmp_path: Path, record: str) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        folder = tmp_path / "home" / "prefect"
        folder.mkdir(parents=True)
        (folder / "server.json").write_text(record % stranger.pid if "%d" in record else record, encoding="utf-8")
        assert stop_server(settings_of(tmp_path / "home", free_port())) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
