"""Takes keys out of texts and log records before anybody can read them."""

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, SecretStr

REDACTED = "***"
# Query parameters, JSON fields and headers that carry a key, and Alpha Vantage's way of quoting one.
_KEY_LIKE = re.compile(
    r"""(?ix)
    ( (?: [a-z0-9_-]* (?: api_?-?key | token | secret | password ) ) ["']? \s* [=:] \s* ["']?
    | \b crumb = | authorization ["']? \s* [=:] \s* ["']? (?: bearer | basic | token )? \s* | \b bearer \s+
    | \b API \s key \s as \s+ )
    ( [^\s&"'<>,;)}]+ )
    """
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the secrets, as such or URL-encoded, and without whatever a key-like parameter holds."""
    for secret in sorted({form for item in secrets if item for form in _forms(item)}, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _KEY_LIKE.sub(lambda match: match.group(1) + REDACTED, text)


def settings_secrets(settings: BaseModel) -> tuple[str, ...]:
    """Every secret that the settings hold, sorted."""
    return tuple(sorted({secret for secret in _secret_values(settings) if secret}))


def install_redaction(secrets: Iterable[str]) -> None:
    """Redacts every log record of this process from now on, tracebacks included; a second call adds secrets.

    Records are redacted where they are made: a filter on a logger would not see those of its children
    (``urllib3.connectionpool``), and one on a handler would miss handlers that come later.
    """
    factory = logging.getLogRecordFactory()
    if isinstance(factory, _RedactingFactory):
        factory.secrets |= set(secrets)
    else:
        logging.setLogRecordFactory(_RedactingFactory(factory, set(secrets)))


class _RedactingFactory:
    def __init__(self, inner: Any, secrets: set[str]) -> None:
        self.inner = inner
        self.secrets = secrets

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self.inner(*args, **kwargs)
        self._redact_message(record)
        self._redact_traceback(record)
        return record

    def _redact_message(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            return  # A broken log call: logging reports it by its own means.
        clean = redact(message, self.secrets)
        if clean != message:
            record.msg, record.args = clean, ()

    def _redact_traceback(self, record: logging.LogRecord) -> None:
        if not record.exc_info or record.exc_info[0] is None:
            return
        trace = logging.Formatter().formatException(record.exc_info)
        clean = redact(trace, self.secrets)
        if clean != trace:
            record.exc_info, record.exc_text = None, clean


def _forms(secret: str) -> tuple[str, str, str]:
    return secret, quote(secret, safe=""), quote_plus(secret)


def _secret_values(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secret_values(getattr(value, name))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secret_values(item)
