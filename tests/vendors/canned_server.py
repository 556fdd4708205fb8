"""A local HTTP server whose answers a test writes itself, for what no vendor's stand-in says."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple


class Canned(NamedTuple):
    """One answer."""

    body: str
    status: int = 200
    headers: Mapping[str, str] = {}


@dataclass
class CannedServer:
    """What was asked so far: path with query, and headers, names in lower case."""

    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def canned_server(answers: Sequence[Canned]) -> Iterator[CannedServer]:
    """Serves the answers in turn on 127.0.0.1, the last one for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[min(len(state.asked), len(answers) - 1)]
            state.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            body = answer.body.encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The list of what was asked says it all."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = CannedServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
