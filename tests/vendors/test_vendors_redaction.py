"""Keys never reach a log record, an exception's text or a reason."""

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from wealtharena.settings import Settings
from wealtharena.vendors.redaction import install_redaction, redact, settings_secrets

KEY = "QX7-demo+KEY/42"


@pytest.fixture
def redacted_logs(tmp_path: Path) -> Iterator[Path]:
    """A log file of this process while the key is redacted."""
    factory = logging.getLogRecordFactory()
    path = tmp_path / "run.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    install_redaction((KEY,))
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()
    logging.setLogRecordFactory(factory)


def test_alpha_vantages_limit_message_loses_the_key_it_quotes() -> None:
    message = (
        f"We have detected your API key as {KEY} and our standard API rate limit is 25 requests per day. "
        "Please subscribe to any of the premium plans."
    )
    expected = message.replace(KEY, "***")
    assert redact(message, (KEY,)) == expected
    assert redact(message) == expected


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://x/query?apikey=abc123&symbol=BHP", "https://x/query?apikey=***&symbol=BHP"),
        ("https://x/fred?series_id=CPI&api_key=abc123", "https://x/fred?series_id=CPI&api_key=***"),
        ("/coins?x_cg_demo_api_key=CG-abc&days=30", "/coins?x_cg_demo_api_key=***&days=30"),
        ("{'X-API-Key': 'abc123', 'Accept': '*/*'}", "{'X-API-Key': '***', 'Accept': '*/*'}"),
        ("Authorization: Bearer abc.123", "Authorization: Bearer ***"),
        ('{"access_token": "abc123"}', '{"access_token": "***"}'),
        ("?crumb=a.b/c&interval=1d", "?crumb=***&interval=1d"),
    ],
)
def test_whatever_looks_like_a_key_is_redacted_without_knowing_it(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize("text", ["BHP.AX: HTTP 500", "monkey=1&day=2", "the keys of a dictionary", "close=1.5"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text, (KEY,)) == text


@given(before=st.text(), after=st.text(), secret=st.text("abcXYZ019-+/=&%", min_size=6))
def test_a_known_secret_never_survives(before: str, after: str, secret: str) -> None:
    for form in (secret, quote(secret, safe="")):
        assert form not in redact(f"{before}{form}{after}", (secret,))


def test_the_url_in_an_exception_of_requests_is_redacted() -> None:
    session = requests.Session()
    with pytest.raises(requests.ConnectionError) as refused:
        session.get("http://127.0.0.1:9/query", params={"apikey": KEY}, timeout=2)
    text = str(refused.value)
    assert "QX7-demo%2BKEY%2F42" in text
    assert "QX7" not in redact(text, (KEY,))


def test_log_records_of_every_library_are_redacted_tracebacks_included(redacted_logs: Path) -> None:
    with pytest.raises(requests.ConnectionError):
        requests.get("http://127.0.0.1:9/query", params={"apikey": KEY, "symbol": "BHP"}, timeout=2)
    logging.getLogger("alpha_vantage.client").warning("asked with %s", KEY)
    try:
        int(f"key {KEY} refused")
    except ValueError:
        logging.getLogger("wealtharena.somewhere").exception("no answer for %d symbols", 3)
    logging.getLogger("pycoingecko").info("nothing to hide in %s", "this")
    text = redacted_logs.read_text()
    assert "alpha_vantage.client asked with ***" in text
    assert "ValueError: invalid literal for int() with base 10: 'key *** refused'" in text
    assert "no answer for 3 symbols" in text
    assert "nothing to hide in this" in text
    assert "QX7" not in text


def test_installing_twice_adds_secrets_and_wraps_once(redacted_logs: Path) -> None:
    factory = logging.getLogRecordFactory()
    install_redaction(("other-secret",))
    assert logging.getLogRecordFactory() is factory
    logging.getLogger("x").warning("%s and %s", KEY, "other-secret")
    assert redacted_logs.read_text().strip().endswith("x *** and ***")


def test_every_secret_of_the_settings_is_found() -> None:
    chosen = Settings.model_validate(
        {
            "vendors": {"fred": {"api_key": "fred-key"}, "alpha_vantage": {"api_key": SecretStr("av-key")}},
            "mlflow": {"password": "mlflow-password"},
        }
    )
    assert settings_secrets(chosen) == ("av-key", "fred-key", "mlflow-password")
