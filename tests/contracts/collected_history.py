"""Everything that a seeded series of nights stored: versions, rewritten histories, failed answers, vintages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.market_data import Instrument

SESSIONS = exchange_sessions("XNYS", date(2020, 1, 2), date(2020, 7, 31))[:120]
INSTRUMENTS = tuple(Instrument(symbol, AssetClass.STOCKS, "XNYS") for symbol in ("AAA", "BBB"))
FIRST_NIGHT = 85
"""Session after which collection begins; what lies before is collected in one go."""
_OVERLAP = 3
# Everything happens within so many sessions, so that the nights beside an event are few.
_WINDOW = 12


@dataclass
class Collected:
    """What the nights left behind.

    Attributes:
        bars, fetches, macro: every stored version, the ledger, and every stored vintage, with ``known_at``.
        marked: sessions beside a gap, split, dividend, revision, outage or release.
    """

    bars: pd.DataFrame
    fetches: pd.DataFrame
    macro: pd.DataFrame
    marked: list[int]

    def until(self, moment: pd.Timestamp) -> "Collected":
        """What was there at a moment."""
        parts = [frame[frame["known_at"] <= moment] for frame in (self.bars, self.fetches, self.macro)]
        return Collected(*parts, self.marked)


def night(session: int, minutes: int = 0) -> pd.Timestamp:
    """When the night after a session asks."""
    return pd.Timestamp(SESSIONS[session], tz="UTC") + pd.Timedelta(hours=23, minutes=minutes)


def collect(seed: int) -> Collected:
    """Nights from ``FIRST_NIGHT`` to the last session; with the second vendor as stand-in and cross-check."""
    rng = np.random.default_rng(seed)
    window = int(rng.integers(FIRST_NIGHT + 3, len(SESSIONS) - _WINDOW - 5))
    places = {item.symbol: _Truth.drawn(rng, item.symbol, window) for item in INSTRUMENTS}
    bars, fetches = [], []
    for number, (symbol, truth) in enumerate(sorted(places.items())):
        for vendor in ("yahoo", "alpha_vantage"):
            for rows, fetch in _answers(truth, vendor, rng):
                fetches.append({**fetch, "symbol": symbol, "vendor": vendor, "dataset": "bars"})
                # The second symbol is asked some minutes after the first.
                bars.append(rows.assign(symbol=symbol, vendor=vendor, known_at=fetch["known_at"]))
                fetches[-1]["known_at"] += pd.Timedelta(minutes=number)
                bars[-1]["known_at"] += pd.Timedelta(minutes=number)
    macro, releases = _macro(rng, window)
    for series in sorted(set(macro["series"])):
        fetches += [
            {**_fetch(place, 40), "symbol": series, "vendor": "fred", "dataset": "macro"}
            for place in range(FIRST_NIGHT, len(SESSIONS))
        ]
    events = {place for truth in places.values() for place in truth.events} | releases
    around = {near for place in events for near in (place - 1, place, place + 1)}
    stored = pd.concat(bars, ignore_index=True).astype({"known_at": "datetime64[us, UTC]"})
    ledger = pd.DataFrame(fetches).astype({"known_at": "datetime64[us, UTC]", "requested_to": "datetime64[us]"})
    return Collected(stored, ledger, macro, sorted(around))


@dataclass
class _Truth:
    """One symbol's as-traded prices and what happens to them."""

    close: np.ndarray
    shares: np.ndarray
    split: np.ndarray
    dividend: np.ndarray
    gaps: set[int]
    outages: set[int]
    revisions: dict[int, int]
    events: set[int] = field(default_factory=set)

    @classmethod
    def drawn(cls, rng: np.random.Generator, symbol: str, window: int) -> "_Truth":
        count = len(SESSIONS)
        split, dividend = np.ones(count), np.zeros(count)
        splits = int(rng.integers(70, 80)), window + int(rng.integers(_WINDOW - 2))
        split[list(splits)] = rng.choice([2.0, 3.0, 0.2], 2)
        dividends = [int(day) for day in window + rng.integers(0, _WINDOW, 2)]
        dividend[[66, *dividends]] = 0.7
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.012, count)))
        shares = np.cumprod(split)
        gaps = {int(day) for day in window + rng.integers(0, _WINDOW, 2)} - {splits[1], *dividends}
        outage = window + int(rng.integers(_WINDOW - 4))
        outages = set(range(outage, outage + int(rng.integers(1, 5)))) if symbol == "AAA" else set()
        # A session and the later night on which the vendor says otherwise.
        revised = {int(day): int(day) + 2 for day in window + rng.integers(0, _WINDOW - 2, 2)}
        events = {splits[1], *dividends, *gaps, *outages, *revised, *revised.values()}
        return cls(close / shares, shares, split, dividend, gaps, outages, revised, events)

    def rows(self, vendor: str, first: int, last: int) -> pd.DataFrame:
        """What a vendor says about sessions ``first`` to ``last`` in the night after ``last``."""
        places = np.arange(first, last + 1)
        traded = self.close[places]
        revised = np.array([self.revisions.get(place, len(SESSIONS)) <= last for place in places])
        adjusted = vendor == "yahoo"
        close = traded * np.where(revised & adjusted, 1.004, 1.0)
        close = close * self.shares[places] / self.shares[last] if adjusted else close
        told = {"dividend": self.dividend[places], "split": self.split[places]} if adjusted else {}
        frame = pd.DataFrame(
            {
                "session_date": SESSIONS[places],
                **{"open": close * 0.999, "high": close * 1.01, "low": close * 0.99, "close": close},
                "adj_close": np.nan,
                "volume": 1e6 + 1e4 * (places % 11),
                **{"dividend": np.nan, "split": np.nan, **told},
                "price_basis": "split_adjusted" if adjusted else "as_traded",
                "currency": "",
            }
        )
        return frame[~np.isin(places, list(self.gaps))] if adjusted else frame


def _answers(truth: _Truth, vendor: str, rng: np.random.Generator) -> Iterator[tuple[pd.DataFrame, dict[str, object]]]:
    """A vendor's stored answers about one symbol, night by night."""
    reached, epoch = -1, 0
    for place in range(FIRST_NIGHT, len(SESSIONS)):
        asked = vendor == "yahoo" or place in truth.outages or place in truth.gaps or rng.random() < 0.2
        if not asked:
            continue
        minutes = 0 if vendor == "yahoo" else 20
        if vendor == "yahoo" and place in truth.outages:
            yield truth.rows(vendor, 0, 0).iloc[:0].assign(epoch=epoch), _fetch(place, minutes, "vendor_failure", epoch)
            continue
        since_last = slice(reached + 1, place + 1)
        rewritten = vendor == "yahoo" and reached >= 0 and bool((truth.split[since_last] != 1.0).any())
        epoch += rewritten
        first = 0 if rewritten or reached < 0 else max(reached - _OVERLAP, 0)
        yield truth.rows(vendor, first, place).assign(epoch=epoch), _fetch(place, minutes, "rows", epoch)
        reached = place


def _fetch(place: int, minutes: int, outcome: str = "rows", epoch: int = 0) -> dict[str, object]:
    return {
        "requested_to": SESSIONS[place],
        "outcome": outcome,
        "run_id": f"run-{place}",
        "epoch": epoch,
        "known_at": night(place, minutes),
    }


def _macro(rng: np.random.Generator, window: int) -> tuple[pd.DataFrame, set[int]]:
    """A quarterly series with two vintages each and a daily one without, and the sessions of the last releases."""
    quarters = pd.date_range("2014-04-01", "2020-04-01", freq="QS").as_unit("us")
    value = 5.0 + np.cumsum(rng.normal(0.0, 0.2, len(quarters)))
    releases = sorted(int(place) for place in window + rng.choice(_WINDOW, 2, replace=False))
    vintages = [
        pd.DataFrame(
            {
                "series": "UNRATE",
                "reference_date": quarters,
                "value": values,
                "available_date": quarters + (SESSIONS[place] - quarters[-1]),
            }
        )
        for values, place in zip((value, value + rng.normal(0.0, 0.1, len(quarters))), releases, strict=True)
    ]
    days = SESSIONS[40:-1]
    daily = pd.DataFrame({"series": "DGS10", "reference_date": days, "value": rng.normal(2.0, 0.1, len(days))})
    rows = pd.concat([*vintages, daily.assign(available_date=pd.NaT)], ignore_index=True)
    out = rows["available_date"].fillna(rows["reference_date"] + pd.Timedelta(days=1))
    place = np.clip(SESSIONS.searchsorted(out), FIRST_NIGHT, len(SESSIONS) - 1)
    rows["known_at"] = pd.DatetimeIndex([night(int(row), 40) for row in place]).as_unit("us")
    return rows.astype({"available_date": "datetime64[us]"}), set(releases)
