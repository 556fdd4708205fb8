"""What a stage of the night ends with: receipts of what was done, reasons for what was not."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class StageResult:
    """Outcome of a stage.

    Attributes:
        stage: name of the stage.
        done: receipt per finished item (agent or asset class).
        failed: reason per item that could not be finished.
        warnings: what a person should mend although the stage went on, e.g. a rejected file.
        notes: what is worth knowing and needs no mending, e.g. a vendor that was left out.
    """

    stage: str
    done: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Everything was done and nothing has to be mended."""
        return not self.failed and not self.warnings
