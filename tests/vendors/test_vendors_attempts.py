"""Retries by kind of failure, pauses, the circuit breaker, and the HTTP session that clients on requests share."""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
import requests
from pydantic import SecretStr

from wealtharena.core.errors import VendorError
from wealtharena.core.market_data import Outcome
from wealtharena.settings import AccessSettings
from wealtharena.vendors.attempts import Attempts
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import Failure, FetchFailed, http_failure, retry_after, transport_failure
from wealtharena.vendors.quotas import FILE_NAME, Quota
from wealtharena.vendors.transport import VendorSession

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = "SECRETKEY0042"
BROKEN = Failure(Outcome.VENDOR_FAILURE, "HTTP 500")


class Bench:
    """Attempts with a clock that only sleeping moves."""

    def __init__(self, home: Path, classify: Callable[[Exception], Failure | None] | None = None, **access: object):
        self.now, self.pauses, self.asked = NOW.timestamp(), [], 0
        context = VendorContext(home, NOW, self._sleep, lambda: self.now)
        settings = AccessSettings.model_validate({"api_key": SecretStr(KEY), "max_attempts": 4} | access)
        self.quota = Quota("fred", settings, context)
        more = (classify,) if classify else ()
        self.attempts = Attempts("fred", settings, self.quota, context, *more)

    def fetch(self, *answers: object) -> object:
        """Answers in turn, the last for ever; failures and exceptions are raised."""

        def ask() -> object:
            answer = answers[min(turns.pop(0), len(answers) - 1)]
            self.asked += 1
            if isinstance(answer, Failure):
                raise FetchFailed(answer)
            if isinstance(answer, Exception):
                raise answer
            return answer

        turns = list(range(100))
        return self.attempts.fetch("CPI", ask)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


def test_a_passing_failure_is_tried_again_with_doubled_pauses(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.fetch(BROKEN, BROKEN, "rows") == "rows"
    assert (bench.asked, bench.pauses) == (3, [1.0, 2.0])


def test_a_lasting_failure_ends_with_its_reason_and_the_number_of_attempts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.fetch(BROKEN) == Failure(Outcome.VENDOR_FAILURE, "HTTP 500 (4 attempts)")
    assert bench.pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN_SYMBOL, Outcome.REJECTED, Outcome.EMPTY])
def test_final_failures_are_asked_once(tmp_path: Path, outcome: Outcome) -> None:
    bench = Bench(tmp_path)
    assert bench.fetch(Failure(outcome, "no")) == Failure(outcome, "no")
    assert (bench.asked, bench.pauses) == (1, [])


def test_a_pause_that_the_vendor_asks_for_is_kept_by_every_process(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    pause = Failure(Outcome.RATE_LIMITED, "HTTP 429", NOW + timedelta(seconds=90))
    assert bench.fetch(pause, "rows") == "rows"
    assert bench.pauses == [90.0]
    other = Bench(tmp_path)
    other.quota.acquire()
    assert other.pauses == [90.0]


def test_a_pause_beyond_the_limit_stops_the_vendor_for_the_run_and_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_wait_s=60.0)
    limited = Failure(Outcome.RATE_LIMITED, "the day's quota is used", NOW + timedelta(hours=12))
    answer = bench.fetch(limited)
    assert isinstance(answer, Failure)
    assert (answer.outcome, answer.reason) == (Outcome.RATE_LIMITED, "the day's quota is used")
    assert bench.fetch("rows") == Failure(Outcome.RATE_LIMITED, answer.reason, limited.retry_at, stops_vendor=True)
    assert (bench.asked, bench.pauses) == (1, [])
    assert Bench(tmp_path).quota.blocked_until() == (NOW + timedelta(hours=12), "the day's quota is used")


def test_a_refused_key_stops_the_vendor_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    refused = Failure(Outcome.REJECTED, "the key is refused", stops_vendor=True)
    assert bench.fetch(refused) == bench.fetch("rows") == refused
    assert bench.asked == 1


def test_the_circuit_opens_after_failures_in_a_row_and_any_proper_answer_closes_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_attempts=1, max_failures=3)
    for answer in (BROKEN, BROKEN, "rows", BROKEN, BROKEN, Failure(Outcome.UNKNOWN_SYMBOL, "no"), BROKEN, BROKEN):
        bench.fetch(answer)
    assert bench.fetch("rows") == "rows"
    for _ in range(3):
        bench.fetch(BROKEN)
    asked = bench.asked
    answer = bench.fetch("rows")
    assert isinstance(answer, Failure)
    assert answer.reason == "not asked: 3 symbols failed one after another, the last with: HTTP 500"
    assert bench.asked == asked


@pytest.mark.parametrize(
    ("error", "outcome", "words"),
    [
        (ConnectionResetError("reset"), Outcome.VENDOR_FAILURE, "ConnectionResetError"),
        (requests.Timeout("late"), Outcome.VENDOR_FAILURE, "Timeout: late"),
        (json.JSONDecodeError("Expecting value", "<html>", 0), Outcome.VENDOR_FAILURE, "cannot be parsed"),
        (KeyError("Meta Data"), Outcome.REJECTED, "an answer that cannot be used: KeyError"),
    ],
)
def test_exceptions_of_clients_have_an_outcome(tmp_path: Path, error: Exception, outcome: Outcome, words: str) -> None:
    answer = Bench(tmp_path, max_attempts=1).fetch(error)
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome
    assert words in answer.reason


def test_a_vendors_own_reading_of_an_exception_comes_first(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path, lambda error: Failure(Outcome.UNKNOWN_SYMBOL, "no such series") if "x" in str(error) else None
    )
    assert bench.fetch(ValueError("x")) == Failure(Outcome.UNKNOWN_SYMBOL, "no such series")


def test_no_reason_and_no_log_line_holds_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench(tmp_path, max_attempts=2)
    failed = bench.fetch(ValueError(f"We have detected your API key as {KEY} and our standard API rate limit is 25"))
    refused = bench.fetch(requests.ConnectionError(f"/query?symbol=IBM&apikey={KEY} refused"))
    for answer in (failed, refused):
        assert isinstance(answer, Failure)
        assert "***" in answer.reason
        assert KEY not in answer.reason
    assert KEY not in caplog.text


def test_our_own_used_up_quota_is_an_outcome_and_stops_the_vendor(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_per_day=1)

    def ask() -> str:
        bench.quota.acquire()
        return "rows"

    assert bench.attempts.fetch("CPI", ask) == "rows"
    answer = bench.attempts.fetch("GDP", ask)
    assert isinstance(answer, Failure)
    assert answer.outcome is Outcome.RATE_LIMITED
    assert answer.reason == "fred: the quota (1 per day) is used up until 2026-11-21 12:00:00 UTC"
    assert bench.attempts.fetch("CPI", ask) == answer


def test_a_broken_quota_file_is_no_outcome_of_a_symbol(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    (tmp_path / FILE_NAME).mkdir()

    def ask() -> None:
        bench.quota.acquire()

    with pytest.raises(VendorError, match=FILE_NAME):
        bench.attempts.fetch("CPI", ask)


@pytest.mark.parametrize(
    ("status", "headers", "text", "outcome"),
    [
        (200, {}, '{"rows": []}', None),
        (200, {}, "<!DOCTYPE html><html>", Outcome.VENDOR_FAILURE),
        (429, {"retry-after": "30"}, "slow down", Outcome.RATE_LIMITED),
        (503, {}, "<html>", Outcome.VENDOR_FAILURE),
        (401, {}, '{"error": "key"}', Outcome.REJECTED),
        (404, {}, "<html>not here</html>", Outcome.VENDOR_FAILURE),
    ],
)
def test_http_answers_have_an_outcome(status: int, headers: dict[str, str], text: str, outcome: Outcome | None) -> None:
    failure = http_failure(status, headers, text, NOW)
    assert (failure and failure.outcome) is outcome
    assert (failure.retry_at if failure else None) == (NOW + timedelta(seconds=30) if headers else None)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("119", NOW + timedelta(seconds=119)),
        ("Fri, 20 Nov 2026 12:05:00 GMT", NOW + timedelta(minutes=5)),
        ("99999999999", NOW + timedelta(days=1)),
        ("soon", None),
    ],
)
def test_a_retry_after_is_read_in_both_its_forms_and_capped(value: str, moment: datetime | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == moment


class _Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    closing: Event
    paths: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.paths.append(path)
        body = json.dumps({"path": path}).encode()
        if path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/here")
            body = b""
        else:
            self.send_response(429 if path == "/limited" else 200)
        self.send_header("Content-Length", str(len(body) * (2 if path in ("/cut", "/broken") else 1)))
        self.end_headers()
        if path == "/drip":
            self._drip(body)
        else:
            self.wfile.write(body)
        self.close_connection = path in ("/cut", "/drip")

    def _drip(self, body: bytes) -> None:
        for at in range(len(body)):
            self.wfile.write(body[at : at + 1])
            if self.closing.wait(0.1):
                return

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    paths: list[str] = []
    closing = Event()
    handler = type("_Handler", (_Server,), {"closing": closing, "paths": paths})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}", paths
        closing.set()
        running.shutdown()


def test_a_session_counts_each_request_redirects_included_and_keeps_the_answers(
    tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, paths = server
    quota = Bench(tmp_path, max_per_day=10).quota
    session = VendorSession(AccessSettings(max_per_day=10), quota)
    response = session.get(f"{url}/moved", params={"q": "ä b"}, timeout=1)
    assert response.json() == {"path": "/here"}
    assert paths == ["/moved", "/here"]
    assert quota.left() == {"day": 8}
    assert [(answer.status, answer.text) for answer in session.received] == [(302, ""), (200, '{"path": "/here"}')]
    limited = session.get(f"{url}/limited")
    assert (limited.status_code, limited.ok) == (429, False)
    with pytest.raises(requests.HTTPError):
        limited.raise_for_status()


def test_a_session_ends_a_dripping_answer_in_time_and_names_a_cut_one(
    tmp_path: Path, server: tuple[str, list[str]]
) -> None:
    url, paths = server
    session = VendorSession(AccessSettings(timeout_s=0.35), Bench(tmp_path).quota)
    with pytest.raises(requests.Timeout, match="no complete answer within") as late:
        session.get(f"{url}/drip", timeout=60)
    assert transport_failure(late.value) is not None
    with pytest.raises(requests.ConnectionError, match="bytes missing"):
        session.get(f"{url}/cut")
    assert paths == ["/drip", "/cut"]
