"""A night in a folder of its own: real settings, real warehouse."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.night import Night
from wealtharena.settings import Settings


@pytest.fixture
def make_night(tmp_path: Path) -> Callable[..., Night]:
    """Nights over one warehouse; keyword arguments change the night."""

    def make(**changes: Any) -> Night:
        values: dict[str, Any] = {
            "settings": Settings(home=tmp_path / "home"),
            "as_of": date(2026, 1, 9),
            "opened_at": datetime(2026, 1, 10, 8, tzinfo=UTC),
            "run_id": "run1",
            "agents": ("stocks", "etfs"),
            "with_meta": True,
        }
        return Night(**{**values, **changes})

    return make
