"""Keys from Secret blocks of a real Prefect server."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.blocks.system import Secret
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.opening import open_night
from wealtharena.settings import Settings, load_settings
from wealtharena.vendors import missing_key

pytestmark = pytest.mark.slow

FRED, COINS = "fred-key-of-the-block-4711", "coingecko-key-of-the-block-4712"


@pytest.fixture
def blocks(prefect_api: str) -> Iterator[None]:
    """A server with blocks for two of the three vendors that may have a key."""
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        Secret(value=FRED).save("fred-api-key", overwrite=True)
        Secret(value=COINS).save("coingecko-api-key", overwrite=True)
        yield


def live(home: Path, **environment: str) -> Settings:
    return load_settings("nightly", ["run.as_of=2026-11-13"], {"WEALTHARENA_HOME": str(home), **environment})


def test_a_night_takes_the_keys_that_its_settings_lack_from_blocks(blocks: None, tmp_path: Path) -> None:
    settings = live(tmp_path, COINGECKO_API_KEY="own-key")
    night = open_night(settings, None, force=False)
    vendors = night.settings.vendors
    assert vendors.fred.api_key is not None and vendors.fred.api_key.get_secret_value() == FRED
    assert vendors.coingecko.api_key is not None and vendors.coingecko.api_key.get_secret_value() == "own-key"
    assert vendors.alpha_vantage.api_key is None, "there is no block of that name"
    assert missing_key(night.settings, "fred") == ""
    assert "Secret block alpha-vantage-api-key" in missing_key(night.settings, "alpha_vantage")
    assert night.night_id == night.model_copy(update={"settings": settings}).night_id


def test_a_key_of_a_block_is_in_no_log(blocks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    night = open_night(live(tmp_path), None, force=False)
    with caplog.at_level(logging.INFO):
        logging.getLogger("urllib3.connectionpool").info("GET /fred/series?file_type=xml&key=%s", FRED)
        logging.getLogger("wealtharena").info("coins refused %s", COINS)
    assert "***" in caplog.text
    assert FRED not in caplog.text and COINS not in caplog.text
    assert FRED not in night.model_dump_json() + repr(night)
