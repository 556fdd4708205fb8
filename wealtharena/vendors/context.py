"""What a live vendor needs to know of the run that it serves."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class VendorContext:
    """Surroundings of a live vendor.

    Attributes:
        home: folder that all processes of an installation share; the quota file and yfinance's cache lie in it.
        now: moment of the run (with time zone), read once: sessions that had not closed by then are left out.
        sleep: waits for so many seconds.
        clock: seconds since 1970, for quotas and pauses.
    """

    home: Path
    now: datetime
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def moment(self) -> datetime:
        """The clock's present time."""
        return datetime.fromtimestamp(self.clock(), UTC)
