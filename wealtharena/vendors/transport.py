"""One HTTP session for the clients that build on requests: counted, timed as a whole, and remembered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from curl_cffi import CurlOpt
from curl_cffi import requests as curl
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from wealtharena.settings import AccessSettings
from wealtharena.vendors.quotas import Quota


@dataclass(frozen=True, slots=True)
class Received:
    """One HTTP answer as it came; ``url`` may hold the key."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")


class VendorSession(requests.Session):
    """A requests session for a vendor's client.

    Every request that leaves it, redirects included, takes one unit of quota and ends within ``timeout_s`` seconds
    whatever timeout the client asks for. Clients hide what they received; it is kept in ``received``.

    Attributes:
        received: answers since the list was last cleared, in order.
    """

    def __init__(self, access: AccessSettings, quota: Quota) -> None:
        super().__init__()
        self.received: list[Received] = []
        adapter = _TimedAdapter(access.timeout_s, quota, self.received)
        self.mount("http://", adapter)
        self.mount("https://", adapter)


class _TimedAdapter(BaseAdapter):
    """Sends through curl, whose time limit covers the whole exchange; that of requests starts anew with each byte."""

    def __init__(self, timeout_s: float, quota: Quota, received: list[Received]) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self._quota = quota
        self._received = received
        # On a kept connection that breaks, curl sends a request again by itself, and nobody would count it.
        options = {CurlOpt.FORBID_REUSE: 1}
        self._curl: Any = curl.Session(allow_redirects=False, discard_cookies=True, curl_options=options)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        self._quota.acquire()
        try:
            answer = self._curl.request(
                request.method or "GET",
                request.url or "",
                headers=dict(request.headers),
                data=request.body or None,
                timeout=self._timeout_s,
                verify=verify,
                cert=cert,
                proxies=dict(proxies or {}),
            )
        except curl.exceptions.Timeout as error:
            raise requests.Timeout(f"no complete answer within {self._timeout_s:g} s", request=request) from error
        except curl.exceptions.RequestException as error:
            raise requests.ConnectionError(str(error), request=request) from error
        response = _as_requests(request, answer)
        self._received.append(Received(response.url, response.status_code, response.headers, answer.content))
        return response

    def close(self) -> None:
        self._curl.close()


def _as_requests(request: requests.PreparedRequest, answer: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status_code
    response.reason = answer.reason
    response.url = request.url or ""
    response.request = request
    response.headers = CaseInsensitiveDict(answer.headers.items())
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response._content = answer.content
    return response
