"""Which vendors' keys are looked up in Prefect, and which need not be."""

from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.keys import block_name, with_secret_blocks
from wealtharena.settings import USUAL_KEYS, Settings

NOWHERE = "http://127.0.0.1:9/api"
KEYS = {name: {"api_key": f"{name}-own"} for name in USUAL_KEYS}


@pytest.mark.parametrize(
    "vendors",
    [
        {"source": "simulator"},
        {"source": "files"},
        {"source": "yahoo"},
        {"source": "live", **KEYS},
        {"source": "live", "order": {"stocks": ["yahoo"], "macro": ["fred"]}, "fred": KEYS["fred"]},
    ],
)
def test_prefect_is_not_asked_for_keys_that_are_there_or_not_needed(vendors: dict[str, Any]) -> None:
    run = {"asset_classes": ["stocks"]}
    settings = Settings.model_validate({"vendors": vendors, "run": run})
    with temporary_settings({PREFECT_API_URL: NOWHERE}):
        assert with_secret_blocks(settings) is settings


def test_blocks_are_named_after_the_vendors() -> None:
    assert [block_name(name) for name in USUAL_KEYS] == ["alpha-vantage-api-key", "fred-api-key", "coingecko-api-key"]
