"""A local HTTP server that answers like the market-data vendors, with planned faults. Demo data, made from a seed."""

import json
import os
import socket
import struct
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from stand_in_alpha_vantage import AlphaVantageFormat, day_quota
from stand_in_coingecko import CoinGeckoFormat
from stand_in_faults import CONNECTION_KINDS, DATA_KINDS, Fault, FaultPlan, Kind
from stand_in_fred import FredFormat
from stand_in_rest import REST_KEY, RestFormat
from stand_in_wire import HTML, Ask, Recorded, Reply, VendorFormat
from stand_in_world import World
from stand_in_yahoo import YahooFormat

KEYS = {
    "alpha_vantage": "STANDINKEY000042",
    "fred": "standinstandinstandinstandin0042",
    "coingecko": "CG-standInDemoKey0000042",
    "rest": REST_KEY,
}
_CACHED_REPLIES = 4_096
_PAGE = b'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>%s</body></html>'
_PLAIN = {
    Kind.UNAVAILABLE_HTML: Reply(_PAGE % b"<h1>503 Service Unavailable</h1>", HTML, 503),
    Kind.HTML: Reply(_PAGE % b"Please enable JavaScript", HTML),
    Kind.EMPTY_BODY: Reply(b""),
}
VENDORS = ("yahoo", "alpha_vantage", "fred", "coingecko", "rest")
_PACES = ("max_per_second", "max_per_minute", "max_per_day", "max_per_month")


class StandIn:
    """Serves a world on 127.0.0.1 while the context is entered.

    Args:
        world: the truth; it may be changed while it is served.
        faults: what goes wrong; None: nothing.
        now: the vendors' clock (aware); None: the hour after ``world.end`` has closed everywhere.
        alpha_vantage_per_day: requests after which Alpha Vantage says that the day's quota is used; None: no limit.
        alpha_vantage_premium: serves whole histories of stocks, as to a paying key.
    """

    def __init__(
        self,
        world: World,
        faults: FaultPlan | None = None,
        now: datetime | None = None,
        *,
        alpha_vantage_per_day: int | None = None,
        alpha_vantage_premium: bool = False,
    ) -> None:
        self.world, self.faults, self._fixed_now = world, faults or FaultPlan(), now
        self._per_day, self._day_used = alpha_vantage_per_day, 0
        self._formats: dict[str, VendorFormat] = {
            "yahoo": YahooFormat(),
            "alpha_vantage": AlphaVantageFormat(alpha_vantage_premium),
            "fred": FredFormat(),
            "coingecko": CoinGeckoFormat(),
            "rest": RestFormat(),
        }
        self._requests: list[Recorded] = []
        self._replies: dict[tuple[object, ...], Reply] = {}
        self._lock = Lock()
        self._closing = Event()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def now(self) -> datetime:
        """The vendors' clock."""
        return self._fixed_now or self.world.now

    @now.setter
    def now(self, moment: datetime | None) -> None:
        self._fixed_now = moment

    @property
    def requests(self) -> list[Recorded]:
        """Every request up to now, in the order in which they were answered."""
        with self._lock:
            return list(self._requests)

    def count(self, vendor: str | None = None, symbol: str | None = None, where: str = "") -> int:
        """How many requests arrived of a vendor, for a symbol, with a text in path or query."""
        return sum(
            vendor in {None, item.vendor} and symbol in {None, item.symbol} and where in f"{item.path}?{item.query}"
            for item in self.requests
        )

    def forget(self) -> None:
        """Empties the list of requests."""
        with self._lock:
            self._requests.clear()

    def new_day(self) -> None:
        """Gives Alpha Vantage's key a new day's quota."""
        with self._lock:
            self._day_used = 0

    def warm(self) -> None:
        """Renders Yahoo's charts ahead, for measurements."""
        yahoo = self._formats["yahoo"]
        assert isinstance(yahoo, YahooFormat)
        yahoo.warm(self.world, self.now)

    def settings(self) -> dict[str, Any]:
        """``vendors`` section of the settings: every vendor here, dummy keys, no pacing, short pauses."""
        return settings_at(self.url)

    def environment(self) -> dict[str, str]:
        """``settings`` as WEALTHARENA_* variables."""
        return environment_at(self.url)

    def handle(self, handler: "_Handler") -> None:
        """Answers one request; called by the server's threads."""
        vendor, ask = self._ask(handler)
        if vendor not in self._formats:
            handler.send(self._about(ask.path))
            return
        form = self._formats[vendor]
        symbol = form.symbol_of(self.world, ask)
        self.faults.change(self.world, vendor, symbol)
        met = self.faults.strike(vendor, symbol, handler.path)
        stopping = next((fault for fault in met if fault.kind not in DATA_KINDS), None)
        spoils = tuple(fault for fault in met if fault.kind in DATA_KINDS)
        reply = self._reply(form, ask, symbol, stopping, spoils)
        broken = stopping is not None and stopping.kind in {Kind.RESET, Kind.HANG}
        with self._lock:
            self._requests.append(Recorded(vendor, ask.path, ask.query, symbol, 0 if broken else reply.status))
        handler.deliver(reply, stopping, self._closing)

    def _reply(
        self, form: VendorFormat, ask: Ask, symbol: str, stopping: Fault | None, spoils: tuple[Fault, ...]
    ) -> Reply:
        if ask.vendor == "alpha_vantage" and self._day_is_used():
            return day_quota(ask.query.get("apikey", ""))
        if stopping is not None and stopping.kind not in CONNECTION_KINDS:
            reply = _PLAIN.get(stopping.kind) or form.refuse(ask, stopping)
            if stopping.retry_after is None:
                return reply
            return Reply(reply.body, reply.content_type, reply.status, (("Retry-After", str(stopping.retry_after)),))
        if spoils:
            return form.answer(self.world, ask, symbol, spoils)
        return self._healthy(form, ask, symbol)

    def _healthy(self, form: VendorFormat, ask: Ask, symbol: str) -> Reply:
        asked = tuple(sorted(ask.query.items()))
        key = (ask.vendor, ask.path, asked, ask.headers.get("authorization"), self.world.version, ask.now)
        reply = self._replies.get(key)
        if reply is None:
            reply = form.answer(self.world, ask, symbol, ())
            with self._lock:
                if len(self._replies) >= _CACHED_REPLIES:
                    self._replies.clear()
                self._replies[key] = reply
        return reply

    def _day_is_used(self) -> bool:
        with self._lock:
            self._day_used += 1
            return self._per_day is not None and self._day_used > self._per_day

    def _ask(self, handler: "_Handler") -> tuple[str, Ask]:
        parts = urlsplit(handler.path)
        _, vendor, *rest = parts.path.split("/")
        if vendor == "yahoo" and rest and rest[0].endswith("yahoo.com"):
            rest = rest[1:]
        path = "/" + "/".join(rest)
        if vendor == "fred":
            path = path.removeprefix("/fred")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        return vendor, Ask(vendor, path if vendor in self._formats else f"/{vendor}", query, headers, self.now)

    def _about(self, path: str) -> Reply:
        if path == "/_health":
            return Reply(json.dumps({"status": "ok", "now": self.now.isoformat()}).encode())
        if path == "/_log":
            return Reply(json.dumps([item._asdict() for item in self.requests]).encode())
        if path == "/_counts":
            counts = Counter(item.vendor for item in self.requests)
            return Reply(json.dumps(counts).encode())
        return Reply(b'{"error": "the stand-in serves no such path"}', status=404)


def settings_at(url: str) -> dict[str, Any]:
    """``vendors`` section of the settings for a stand-in at a URL."""
    access: dict[str, Any] = {
        name: {"base_url": f"{url}/{name}", "backoff_s": 0.02, **dict.fromkeys(_PACES)} for name in VENDORS
    }
    for name, key in KEYS.items():
        access[name]["api_key"] = key
    return {"source": "live", "is_demo": True, **access}


def environment_at(url: str) -> dict[str, str]:
    """``settings_at`` as WEALTHARENA_* variables."""
    variables = {"WEALTHARENA_VENDORS__SOURCE": "live", "WEALTHARENA_VENDORS__IS_DEMO": "true"}
    for name, values in settings_at(url).items():
        for key, value in values.items() if isinstance(values, dict) else ():
            text = "null" if value is None else str(value)
            variables[f"WEALTHARENA_VENDORS__{name}__{key}".upper()] = text
    return variables


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the plan; their tracebacks would only be noise."""


class _Handler(BaseHTTPRequestHandler):
    """Writes each answer with one send; keeps connections alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def do_GET(self) -> None:
        self.stand_in.handle(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.stand_in.handle(self)

    def log_message(self, format: str, *args: object) -> None:
        """The list of requests says it all."""

    def send(self, reply: Reply) -> None:
        """Sends an answer."""
        self.wfile.write(_head(reply) + reply.body)

    def deliver(self, reply: Reply, fault: Fault | None, closing: Event) -> None:
        """Sends an answer the way a connection fault wants it, or plainly."""
        ways: dict[Kind, Callable[[], None]] = {
            Kind.TRUNCATED: lambda: self._half(reply),
            Kind.RESET: self._reset,
            Kind.HANG: lambda: self._hang(fault.seconds if fault else 0.0, closing),
            Kind.SLOW_DRIP: lambda: self._drip(reply, fault.seconds if fault else 0.0, closing),
        }
        way = ways.get(fault.kind) if fault else None
        if way is None:
            self.send(reply)
        else:
            way()

    def _half(self, reply: Reply) -> None:
        self.wfile.write(_head(reply) + reply.body[: len(reply.body) // 2])
        self.close_connection = True

    def _reset(self) -> None:
        # With a linger time of zero the kernel sends RST; closed by the server, the connection would end with FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        os.close(self.connection.detach())

    def _hang(self, seconds: float, closing: Event) -> None:
        closing.wait(seconds)
        self.close_connection = True

    def _drip(self, reply: Reply, seconds: float, closing: Event) -> None:
        steps = 40
        size = -(-len(reply.body) // steps)
        self.wfile.write(_head(reply))
        for at in range(0, len(reply.body), size):
            self.wfile.write(reply.body[at : at + size])
            if closing.wait(seconds / steps):
                break


def _handler_of(stand_in: StandIn) -> type[_Handler]:
    return type("_HandlerOfOne", (_Handler,), {"stand_in": stand_in})


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {'OK' if reply.status == 200 else 'Error'}"]
    lines += [f"Content-Type: {reply.content_type}", f"Content-Length: {len(reply.body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
