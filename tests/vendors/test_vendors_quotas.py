"""Quotas: what is granted, what is waited for, what is refused, and that all processes count together."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.errors import VendorError, VendorRateLimited
from wealtharena.settings import AccessSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.quotas import FILE_NAME, Quota

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = START.timestamp()

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def quota(home: Path, clock: Clock | None = None, vendor: str = "fred", **limits: float) -> Quota:
    clock = clock or Clock()
    context = VendorContext(home, START, clock.sleep, lambda: clock.now)
    return Quota(vendor, AccessSettings.model_validate(limits), context)


def test_requests_beyond_the_day_are_refused_with_the_moment_of_the_next(tmp_path: Path) -> None:
    clock = Clock()
    limited = quota(tmp_path, clock, max_per_day=2)
    limited.acquire()
    clock.now += 600.0
    limited.acquire()
    with pytest.raises(VendorRateLimited, match="2 per day") as refused:
        limited.acquire()
    assert refused.value.retry_at == START + timedelta(days=1)
    assert limited.left() == {"day": 0}
    clock.now = (START + timedelta(days=1)).timestamp()
    limited.acquire()


def test_a_refused_request_is_not_counted(tmp_path: Path) -> None:
    clock = Clock()
    limited = quota(tmp_path, clock, max_per_day=1)
    limited.acquire()
    for _ in range(3):
        with pytest.raises(VendorRateLimited):
            limited.acquire()
    clock.now += 86_400.0
    assert limited.left() == {"day": 1}


def test_short_windows_are_waited_for(tmp_path: Path) -> None:
    clock = Clock()
    limited = quota(tmp_path, clock, max_per_minute=2)
    for _ in range(5):
        limited.acquire()
    assert clock.now - START.timestamp() == pytest.approx(120.0)


def test_a_fraction_per_second_spaces_requests_further(tmp_path: Path) -> None:
    clock = Clock()
    limited = quota(tmp_path, clock, max_per_second=0.25)
    for _ in range(3):
        limited.acquire()
    assert clock.now - START.timestamp() == pytest.approx(8.0)


@settings(max_examples=30)
@given(
    pauses=st.lists(st.floats(0.0, 40.0), min_size=1, max_size=40),
    per_minute=st.integers(1, 5),
    per_second=st.sampled_from([0.2, 0.5, 1.0, 2.0, 2.5]),
)
def test_no_window_ever_holds_more_than_its_limit(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[float], per_minute: int, per_second: float
) -> None:
    clock = Clock()
    home = tmp_path_factory.mktemp("quota")
    limited = quota(home, clock, max_per_minute=per_minute, max_per_second=per_second)
    sent = []
    for pause in pauses:
        clock.now += pause
        limited.acquire()
        sent.append(clock.now)
    for count, seconds in ((per_minute, 60.0), (max(1, int(per_second)), max(1, int(per_second)) / per_second)):
        for first, last in zip(sent, sent[count:], strict=False):
            assert last - first >= seconds - 1e-6


def test_vendors_count_apart(tmp_path: Path) -> None:
    fred, coingecko = quota(tmp_path, max_per_day=1), quota(tmp_path, vendor="coingecko", max_per_day=1)
    fred.acquire()
    coingecko.acquire()
    assert fred.left() == coingecko.left() == {"day": 0}


def test_a_blocked_vendor_is_refused_to_every_process_with_the_reason(tmp_path: Path) -> None:
    clock = Clock()
    quota(tmp_path, clock).block_until(START + timedelta(hours=3), "HTTP 429, too many requests")
    other = quota(tmp_path, clock)
    assert other.blocked_until() == (START + timedelta(hours=3), "HTTP 429, too many requests")
    with pytest.raises(VendorRateLimited, match="HTTP 429, too many requests; it is left alone until 2026-11-20 15:00"):
        other.acquire()
    clock.now += 3 * 3600.0
    other.acquire()
    assert other.blocked_until() is None


def test_a_short_block_is_waited_for_and_never_shortens_a_longer_one(tmp_path: Path) -> None:
    clock = Clock()
    blocked = quota(tmp_path, clock)
    blocked.block_until(START + timedelta(seconds=90), "asks for a pause")
    blocked.block_until(START + timedelta(seconds=10), "asks for a shorter one")
    blocked.acquire()
    assert clock.now - START.timestamp() == pytest.approx(90.0)


def test_without_limits_nothing_is_written_per_request(tmp_path: Path) -> None:
    unlimited = quota(tmp_path)
    unlimited.acquire()
    size = (tmp_path / f"{FILE_NAME}-wal").stat().st_size
    for _ in range(50):
        unlimited.acquire()
    assert (tmp_path / f"{FILE_NAME}-wal").stat().st_size == size
    assert unlimited.left() == {}


_SPENDER = """
import os, sys, time
from datetime import UTC, datetime
from pathlib import Path
from wealtharena.core.errors import VendorRateLimited
from wealtharena.settings import AccessSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.quotas import Quota

quota = Quota("alpha_vantage", AccessSettings(max_per_day=25), VendorContext(Path(sys.argv[1]), datetime.now(UTC)))
granted = 0
try:
    while granted < int(sys.argv[2]):
        quota.acquire()
        granted += 1
except VendorRateLimited:
    pass
print(granted, flush=True)
if sys.argv[3] == "hang":
    time.sleep(60)
"""


def spend(home: Path, most: int, end: str = "exit") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _SPENDER, str(home), str(most), end]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_share_the_25_requests_of_a_day(tmp_path: Path) -> None:
    processes = [spend(tmp_path, 100), spend(tmp_path, 100)]
    granted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(granted) == 25


def test_requests_of_a_killed_process_stay_counted(tmp_path: Path) -> None:
    process = spend(tmp_path, 20, "hang")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "20"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    clock = Clock()
    clock.now = datetime.now(UTC).timestamp()
    assert quota(tmp_path, clock, vendor="alpha_vantage", max_per_day=25).left() == {"day": 5}


def test_a_quota_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("this is no database, whatever its name says\n" * 40)
    with pytest.raises(VendorError, match=f"{FILE_NAME}: the quota file must be readable and writable"):
        quota(tmp_path, max_per_day=1).acquire()
