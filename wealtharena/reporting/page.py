"""HTML pages that hold everything that they show: templates, styles and scripts of this package, written whole."""

import base64
import hashlib
import json
import math
import os
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from wealtharena.reporting import display

_PACKAGE = "wealtharena.reporting"
_FILTERS = (
    display.display_name,
    display.figure,
    display.limit_figure,
    display.long_date,
    display.number,
    display.percent,
    display.price,
    display.signed_percent,
)


def render_page(template: str, **values: Any) -> str:
    """A template of this package as HTML, with ``style``; every text is escaped, an unknown name is an error."""
    style = Markup(resource("report.css"))  # noqa: S704 - our own file
    return _environment().get_template(template).render(style=style, **values)


def write_page(path: Path, html: str) -> Path:
    """Writes a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    staging = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(html)
        staging.chmod(0o644)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)
    return path


def script_json(value: Any) -> Markup:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def csp_hash(script: str) -> str:
    """What a Content-Security-Policy names a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


@cache
def plotly_js() -> str:
    """The whole library."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def resource(name: str) -> str:
    """Text of a file of this package."""
    return resources.files(_PACKAGE).joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(resource), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters.update({item.__name__: item for item in _FILTERS})
    environment.tests["defined_number"] = math.isfinite
    return environment
