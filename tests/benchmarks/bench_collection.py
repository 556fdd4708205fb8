"""What collecting costs beside the bare client: ``bench_collection.py [--symbols N] [--rounds N]``.

In turn, in one process, daily bars of N symbols over six years are read from an instant stand-in of Yahoo (a process
of its own): by bare yfinance, one ``Ticker.history`` per symbol with its time zone known beforehand, and by our
collection, which plans, asks, compares, journals and stores in the raw table and the ledger. Reported are medians with
quartiles and the median of the rounds' ratios; bare yfinance as it comes, which asks for each time zone first, stands
beside. Curation is not part of it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "doubles"))

import yfinance
from curl_cffi import requests as curl
from stand_in_process import StandInProcess
from stand_in_world import World

from tasks.fetching import fetch_bars
from tasks.night import Night
from tasks.vendor_desk import forget
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.settings import Settings

START, END = date(2020, 1, 2), date(2025, 12, 31)
OURS, BARE, AS_IT_COMES = "our collection", "bare yfinance", "bare yfinance, zones unknown"


class _Local(curl.Session):
    """Sends Yahoo's requests to the stand-in, as any user without a network would have to."""

    base_url = ""

    def request(self, method: str, url: str, **options: object) -> curl.Response:
        return super().request(method, f"{self.base_url}/{url.removeprefix('https://')}", **options)


class _KnownZone(yfinance.Ticker):
    def _get_ticker_tz(self, timeout: float) -> str:
        return "America/New_York"


def bare(url: str, symbols: Sequence[str], ticker: type[yfinance.Ticker]) -> float:
    """Seconds of yfinance for all symbols; its cache of answers is emptied first."""
    yfinance.data.YfData.cache_get.cache_clear()
    session = _Local(impersonate="chrome")
    session.base_url = f"{url}/yahoo"
    begun = time.perf_counter()
    for symbol in symbols:
        ticker(symbol, session=session).history(start=START, end=END, auto_adjust=False, actions=True)
    return time.perf_counter() - begun


def ours(vendors: dict[str, object], instruments: Sequence[Instrument]) -> float:
    """Seconds of a first collection into an empty home."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings.model_validate(
            {"home": home, "run": {"history_start": START, "as_of": END}, "vendors": {**vendors, "source": "yahoo"}}
        )
        now, agents = datetime.now(UTC), ("stocks",)
        run_id = f"{now.timestamp()}"
        night = Night(settings=settings, as_of=END, opened_at=now, run_id=run_id, agents=agents, with_meta=False)
        begun = time.perf_counter()
        fetched = fetch_bars(night, AssetClass.STOCKS, instruments, lambda symbol: None)
        seconds = time.perf_counter() - begun
        forget(night)
    failed = [symbol for symbol, answers in fetched.answers.items() if not len(answers[-1][1].frame)]
    if failed:
        raise SystemExit(f"the stand-in must deliver every symbol, {len(failed)} came without rows")
    return seconds


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    instruments = [
        Instrument(f"BENCH{number:03d}", AssetClass.STOCKS, "XNYS", first_day=START)
        for number in range(options.symbols)
    ]
    symbols = [item.symbol for item in instruments]
    seconds: dict[str, list[float]] = {OURS: [], BARE: [], AS_IT_COMES: []}
    with (
        tempfile.TemporaryDirectory() as cache,
        StandInProcess(World.default(7, instruments, START, END, ())) as server,
    ):
        yfinance.set_tz_cache_location(cache)
        ours(server.settings(), instruments[:5])  # imports and compiled code
        for _ in range(options.rounds):
            seconds[BARE].append(bare(server.url, symbols, _KnownZone))
            seconds[OURS].append(ours(server.settings(), instruments))
            seconds[AS_IT_COMES].append(bare(server.url, symbols, yfinance.Ticker))
    sys.stdout.write(f"{options.symbols} symbols, {START} to {END}, {options.rounds} rounds\n")
    for name, own in seconds.items():
        low, _, high = quantiles(own, n=4)
        ratio = median(mine / other for mine, other in zip(own, seconds[BARE], strict=True))
        sys.stdout.write(f"{name:<30} {median(own):6.2f} s  ({low:.2f} to {high:.2f})  {ratio:5.2f} x bare yfinance\n")


if __name__ == "__main__":
    main()
