"""From raw rows to core rows: checks, quarantine, corporate actions and adjustment. Pure functions."""

from wealtharena.core.calendars import exchange_sessions
from wealtharena.curation.actions import KnownAction, load_known_actions
from wealtharena.curation.bars import CuratedBars, curate_bars
from wealtharena.curation.macro import CuratedMacro, curate_macro
from wealtharena.curation.quarantine import QUARANTINE_COLUMNS

__all__ = [
    "QUARANTINE_COLUMNS",
    "CuratedBars",
    "CuratedMacro",
    "KnownAction",
    "curate_bars",
    "curate_macro",
    "exchange_sessions",
    "load_known_actions",
]
