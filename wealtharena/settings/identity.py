"""Hashes of settings: what a result depends on, and nothing else."""

from wealtharena.core.hashing import hash_json
from wealtharena.settings.models import Settings

# Where results are kept and how they are shown does not change them.
_WITHOUT_EFFECT = {"home", "mlflow", "prefect", "log_level", "profile"}


def settings_hash(settings: Settings) -> str:
    """SHA-256 over every setting that can change a result."""
    return hash_json(settings.model_dump(mode="json", exclude=_WITHOUT_EFFECT))
