"""Every error that WealthArena raises on purpose. A message names the thing, the rule and the value."""

from collections.abc import Iterable
from datetime import datetime


class WealthArenaError(Exception):
    """Base of all errors that a user can act on; the command line prints it without a traceback."""


class SettingsError(WealthArenaError):
    """A setting is missing, unknown or out of its range."""


class VendorError(WealthArenaError):
    """A market-data source could not deliver."""


class VendorUnavailable(VendorError):
    """The source failed in a way that may pass: worth a retry."""


class VendorRejected(VendorError):
    """The source refused the request or sent something unusable: a retry would not help."""


class VendorRateLimited(VendorUnavailable):
    """The source asks to wait; ``retry_at`` says until when, None if it does not tell."""

    def __init__(self, message: str, retry_at: datetime | None = None) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class CurationError(WealthArenaError):
    """Raw data breaks a rule that quarantine cannot contain."""


class WarehouseError(WealthArenaError):
    """A table could not be read or written."""


class DataWindowError(WealthArenaError):
    """Too little data for the windows that the settings ask for."""


class ExecutionError(WealthArenaError):
    """Scores, weights or market arrays that no account can trade on."""


class TrainingError(WealthArenaError):
    """A training did not deliver a usable policy."""


class PromotionError(WealthArenaError):
    """Score cards that cannot be compared were put before the promotion gate."""


class ModelIntegrityError(WealthArenaError):
    """A stored model is incomplete, altered or not of the expected kind."""


class TrackingError(WealthArenaError):
    """A run could not be recorded."""


class RegistryError(WealthArenaError):
    """The model registry has no such model, version or alias."""


class PipelineError(WealthArenaError):
    """A stage of the nightly run failed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Message for a name that is not in a table of names, listing those that are."""
    return f"unknown {kind} {name!r}; known: {', '.join(sorted(known))}"
