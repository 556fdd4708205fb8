"""The HTTP session that yfinance works through: counted, timed, kept to one base URL, and judged at once.

yfinance answers every refusal with new cookies and a second request, keeps a refused crumb, and turns most failures
into "possibly delisted". So the session looks at each answer before yfinance does, and stops it there if it is no data.
"""

import logging
from typing import Any
from urllib.parse import urljoin, urlsplit

from curl_cffi import CurlOpt
from curl_cffi import requests as curl

from wealtharena.settings import YahooSettings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.failures import FetchFailed
from wealtharena.vendors.quotas import Quota
from wealtharena.vendors.yahoo_chart import ChartAnswer, chart_failure

_LOG = logging.getLogger(__name__)
_DOMAIN = "yahoo.com"
_CHART_PATH = "/v8/finance/chart/"
_GREETING_URL = "https://fc.yahoo.com"
_CRUMB_PATH = "/v1/test/getcrumb"
_LONGEST_CRUMB = 40
_CRUMB_PAUSE_S = 600.0
_MAX_REDIRECTS = 5
_UNAUTHORIZED = 401


class NoCrumb(OSError):
    """Yahoo gave no crumb; an ``OSError``, upon which yfinance goes on without one, as charts allow."""


class YahooSession(curl.Session[curl.Response]):
    """A curl_cffi session, dressed as a browser, that yfinance accepts as its own.

    Attributes:
        chart: the last chart answer; None: none came since its user cleared it.
    """

    def __init__(self, settings: YahooSettings, quota: Quota, context: VendorContext) -> None:
        # On a kept connection that breaks, curl sends a request again by itself, and nobody would count it.
        super().__init__(impersonate="chrome", curl_options={CurlOpt.FORBID_REUSE: 1})
        self.chart: ChartAnswer | None = None
        self._home_url = settings.base_url.rstrip("/")
        self._timeout_s = settings.timeout_s
        self._quota = quota
        self._context = context
        self._no_crumb_before = 0.0
        self._greeting: curl.Response | None = None

    def request(self, method: Any, url: str, **options: Any) -> curl.Response:  # type: ignore[override]
        """One exchange; redirects are followed here, so that each is counted and stays on the base URL.

        Raises:
            FetchFailed: a chart answer that is no data; its failure says why.
            VendorRateLimited: our quota is used up.
            OSError: network, time, or no crumb.
        """
        options.pop("allow_redirects", None)
        for _ in range(_MAX_REDIRECTS):
            response = self._exchange(method, url, **options)
            location = response.headers.get("Location")
            if not 300 <= response.status_code < 400 or not location:
                return self._judged(urlsplit(url).path, response)
            url = urljoin(url, location)
            options.pop("params", None)
            if response.status_code not in (307, 308):
                method = "GET"
                options = {name: value for name, value in options.items() if name not in ("data", "json")}
        raise curl.exceptions.TooManyRedirects(f"more than {_MAX_REDIRECTS} redirects, the last to {url}")

    def _exchange(self, method: Any, url: str, **options: Any) -> curl.Response:
        is_chart = _CHART_PATH in url
        if url == _GREETING_URL and self._greeting is not None:
            return self._greeting  # yfinance asks for the cookie before every chart.
        if not is_chart and self._context.clock() < self._no_crumb_before:
            raise NoCrumb("Yahoo gave no crumb a moment ago")
        self._quota.acquire()
        options |= {"timeout": self._timeout_s, "allow_redirects": False}
        try:
            response = super().request(method, self._reachable(url), **options)
        except OSError:
            if not is_chart:
                self._do_without_crumb()
            raise
        # yfinance recognises the consent page by its host.
        response.url = url
        if url == _GREETING_URL:
            self._greeting = response
        return response

    def _reachable(self, url: str) -> str:
        """The URL itself, or with every host of Yahoo below ``base_url``."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if not self._home_url or not (host == _DOMAIN or host.endswith(f".{_DOMAIN}")):
            return url
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._home_url}/{host}{parts.path}{query}"

    def _judged(self, path: str, response: curl.Response) -> curl.Response:
        if path.endswith(_CRUMB_PATH):
            self._require_crumb(response)
        elif path.startswith(_CHART_PATH):
            self._require_chart(path.removeprefix(_CHART_PATH), response)
        return response

    def _require_crumb(self, response: curl.Response) -> None:
        crumb = response.text.strip()
        if response.status_code == 200 and crumb and len(crumb) <= _LONGEST_CRUMB and not set(crumb) & set(" <{"):
            return
        # yfinance would keep this text and send it as its crumb for as long as the process lives.
        self._do_without_crumb()
        _LOG.info("yahoo: no crumb (HTTP %d); charts are asked without one", response.status_code)
        raise NoCrumb(f"Yahoo gave no crumb (HTTP {response.status_code})")

    def _require_chart(self, symbol: str, response: curl.Response) -> None:
        document = _parsed(response)
        self.chart = ChartAnswer(response.status_code, response.content, document)
        if self.chart.status == _UNAUTHORIZED:
            self._greeting = None
            return  # yfinance fetches another cookie and crumb and asks once more.
        headers = {name: value or "" for name, value in response.headers.items()}
        failure = chart_failure(self.chart, symbol, headers, self._context.moment())
        if failure:
            raise FetchFailed(failure)
        response.json = lambda **options: document  # type: ignore[method-assign]

    def _do_without_crumb(self) -> None:
        """Asks for no cookies and crumbs for a while: charts come without, and each attempt would cost requests."""
        self._greeting = None
        self._no_crumb_before = self._context.clock() + _CRUMB_PAUSE_S


def _parsed(response: curl.Response) -> Any:
    """The body as JSON; None where it is not."""
    try:
        return response.json()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
