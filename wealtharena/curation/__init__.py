"""From raw rows to core rows: checks, quarantine, corporate actions and adjustment. Pure functions."""

from wealtharena.core.calendars import exchange_sessions
from wealtharena.curation.actions import KnownAction, load_known_actions
from wealtharena.curation.bars import CuratedBars, curate_bars
from wealtharena.curation.knowledge import visible_bars, visible_macro
from wealtharena.curation.macro import CuratedMacro, curate_macro
from wealtharena.curation.quarantine import QUARANTINE_COLUMNS
from wealtharena.curation.sources import DISAGREEMENT_COLUMNS, Merged, merge_vendors

__all__ = [
    "DISAGREEMENT_COLUMNS",
    "QUARANTINE_COLUMNS",
    "CuratedBars",
    "CuratedMacro",
    "KnownAction",
    "Merged",
    "curate_bars",
    "curate_macro",
    "exchange_sessions",
    "load_known_actions",
    "merge_vendors",
    "visible_bars",
    "visible_macro",
]
