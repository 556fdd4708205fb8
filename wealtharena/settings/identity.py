"""Hashes of settings: what a result depends on, and nothing else."""

from typing import Any

from wealtharena.core.hashing import hash_json
from wealtharena.settings.models import AccessSettings, Settings

# Where results are kept and how they are shown does not change them. The date stands beside the hash wherever a result
# is named, so that a night is the same whether its date was given or found.
_ACCESS = set(AccessSettings.model_fields) - {"base_url"}
_LEFT_OUT: dict[str, Any] = {
    **dict.fromkeys(
        ("home", "report", "registry", "drift", "mlflow", "prefect", "warehouse", "log_level", "profile"), True
    ),
    "run": {"as_of"},
    "vendors": {"batch_size": True, **dict.fromkeys(("yahoo", "alpha_vantage", "fred", "coingecko", "rest"), _ACCESS)},
}


def settings_hash(settings: Settings) -> str:
    """SHA-256 over every setting that can change a result of a given date: over ``decisive_settings``."""
    return hash_json(decisive_settings(settings))


def decisive_settings(settings: Settings) -> dict[str, Any]:
    """Every setting that can change a result of a given date, as JSON knows it; no secrets are among them."""
    return settings.model_dump(mode="json", exclude=_LEFT_OUT)
