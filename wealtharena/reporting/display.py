"""Numbers, dates and names as a person reads them; a dash for what is not defined."""

import math
from datetime import date

MISSING = "–"
_MINUS = "−"
_NAMES = {"etfs": "ETFs", "reits": "REITs", "meta": "Meta-agent", "max_var": "Max VaR", "max_cvar": "Max CVaR"}


def display_name(name: str) -> str:
    """A name of ours in words: ``etfs`` as ``ETFs``, ``equal_weight`` as ``Equal weight``."""
    words = name.replace("_", " ")
    return _NAMES.get(name, words[:1].upper() + words[1:])


def percent(value: float | None, digits: int = 1) -> str:
    """0.123 as ``12.3%``."""
    return MISSING if _is_undefined(value) else f"{value:.{digits}%}".replace("-", _MINUS)


def signed_percent(value: float | None, digits: int = 1) -> str:
    """0.123 as ``+12.3%``."""
    return MISSING if _is_undefined(value) else f"{value:+.{digits}%}".replace("-", _MINUS)


def number(value: float | None, digits: int = 2) -> str:
    """1234.5 as ``1,234.50``."""
    return MISSING if _is_undefined(value) else f"{value:,.{digits}f}".replace("-", _MINUS)


def price(value: float | None) -> str:
    """Two decimals from 10 on, more below: a currency pair moves in the fourth."""
    return number(value, 2 if _is_undefined(value) or abs(value or 0.0) >= 10.0 else 5)


def figure(value: float | None) -> str:
    """Four significant digits, for figures of unknown size."""
    return MISSING if _is_undefined(value) else f"{value:.4g}".replace("-", _MINUS)


def limit_figure(value: float | None, name: str) -> str:
    """A limit's figure: positions as a number, everything else as a share."""
    return number(value, 1) if name == "min_effective_positions" else percent(value)


def long_date(value: date | None) -> str:
    """``Friday 6 November 2026``."""
    return MISSING if value is None else f"{value:%A} {value.day} {value:%B %Y}"


def _is_undefined(value: float | None) -> bool:
    return value is None or not math.isfinite(value)
