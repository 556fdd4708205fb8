"""When a session counts as over: closes in the exchange's own time, early closes, holidays, markets without a close."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wealtharena.core.calendars import exchange_sessions, last_closed_session
from wealtharena.core.errors import SettingsError

NEW_YORK, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Australia/Sydney")


@pytest.mark.parametrize(
    ("exchange", "now", "expected"),
    [
        # New York closes at 16:00; the bar counts from half an hour later.
        ("XNYS", datetime(2026, 11, 19, 15, 59, tzinfo=NEW_YORK), date(2026, 11, 18)),
        ("XNYS", datetime(2026, 11, 19, 16, 29, tzinfo=NEW_YORK), date(2026, 11, 18)),
        ("XNYS", datetime(2026, 11, 19, 16, 30, tzinfo=NEW_YORK), date(2026, 11, 19)),
        # The same hour on both sides of the end of daylight saving on 2026-11-01: 20:30 UTC, then 21:30 UTC.
        ("XNYS", datetime(2026, 10, 30, 20, 30, tzinfo=UTC), date(2026, 10, 30)),
        ("XNYS", datetime(2026, 11, 2, 20, 30, tzinfo=UTC), date(2026, 10, 30)),
        ("XNYS", datetime(2026, 11, 2, 21, 30, tzinfo=UTC), date(2026, 11, 2)),
        # The day after Thanksgiving closes at 13:00; Thanksgiving itself has no session.
        ("XNYS", datetime(2025, 11, 28, 13, 29, tzinfo=NEW_YORK), date(2025, 11, 26)),
        ("XNYS", datetime(2025, 11, 28, 13, 30, tzinfo=NEW_YORK), date(2025, 11, 28)),
        # A weekend, and New Year's Day, belong to the session before.
        ("XNYS", datetime(2026, 11, 22, 12, tzinfo=UTC), date(2026, 11, 20)),
        ("XNYS", datetime(2026, 1, 1, 22, tzinfo=UTC), date(2025, 12, 31)),
        # Sydney closes at 16:00, which is 05:00 UTC in its summer and 06:00 UTC in its winter.
        ("XASX", datetime(2026, 11, 20, 5, 30, tzinfo=UTC), date(2026, 11, 20)),
        ("XASX", datetime(2026, 11, 20, 5, 29, tzinfo=UTC), date(2026, 11, 19)),
        ("XASX", datetime(2026, 7, 15, 5, 30, tzinfo=UTC), date(2026, 7, 14)),
        ("XASX", datetime(2026, 7, 15, 16, 30, tzinfo=SYDNEY), date(2026, 7, 15)),
        # Australia Day 2026 fell on a Monday; Christmas Eve closes at 14:10.
        ("XASX", datetime(2026, 1, 26, 20, tzinfo=SYDNEY), date(2026, 1, 23)),
        ("XASX", datetime(2025, 12, 24, 14, 45, tzinfo=SYDNEY), date(2025, 12, 24)),
        # Coins: the UTC day is over at midnight.
        ("24/7", datetime(2026, 11, 22, 0, 29, tzinfo=UTC), date(2026, 11, 20)),
        ("24/7", datetime(2026, 11, 22, 0, 30, tzinfo=UTC), date(2026, 11, 21)),
        # Currencies: weekdays only; Friday is over on Saturday.
        ("24/5", datetime(2026, 11, 20, 23, 59, tzinfo=UTC), date(2026, 11, 19)),
        ("24/5", datetime(2026, 11, 21, 0, 30, tzinfo=UTC), date(2026, 11, 20)),
        ("24/5", datetime(2026, 11, 23, 12, tzinfo=UTC), date(2026, 11, 20)),
    ],
)
def test_a_session_is_over_half_an_hour_after_its_close(exchange: str, now: datetime, expected: date) -> None:
    assert last_closed_session(exchange, now) == expected


def test_settling_may_take_longer_and_no_time_at_all() -> None:
    close = datetime(2026, 11, 19, 16, tzinfo=NEW_YORK)
    assert last_closed_session("XNYS", close, settle_minutes=0) == date(2026, 11, 19)
    assert last_closed_session("XNYS", close + timedelta(minutes=89), settle_minutes=90) == date(2026, 11, 18)


def test_an_exchange_that_nobody_knows_is_refused() -> None:
    with pytest.raises(SettingsError, match="exchange 'XSYD' must be a name that exchange_calendars knows"):
        last_closed_session("XSYD", datetime(2026, 11, 19, tzinfo=UTC))


@settings(max_examples=60)
@given(
    exchange=st.sampled_from(["XASX", "XNYS", "24/7", "24/5"]),
    minutes=st.integers(0, 364 * 24 * 60),
    hours=st.integers(0, 24 * 10),
    offset=st.integers(-11, 12),
)
def test_time_never_takes_a_session_back_and_the_zone_does_not_matter(
    exchange: str, minutes: int, hours: int, offset: int
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    first = last_closed_session(exchange, now)
    assert first in {day.date() for day in exchange_sessions(exchange, date(2025, 12, 1), date(2026, 12, 31))}
    assert first <= last_closed_session(exchange, now + timedelta(hours=hours))
    assert first == last_closed_session(exchange, now.astimezone(timezone(timedelta(hours=offset))))
