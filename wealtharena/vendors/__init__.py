"""Sources of market data. A new vendor is one file and one line in ``VENDORS``."""

from collections.abc import Callable

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.market_data import Catalogue, Vendor
from wealtharena.core.rates import CurrencyRates
from wealtharena.settings import CONFIG_FOLDER, USUAL_KEYS, Settings
from wealtharena.vendors.context import VendorContext
from wealtharena.vendors.files import FilesVendor
from wealtharena.vendors.simulator import SimulatorVendor
from wealtharena.vendors.universe import Universe, load_universe

MACRO = "macro"
"""Stands for the macro series where a group of symbols is named."""
LIVE = "live"
"""Value of ``vendors.source`` with which each class has the vendors of ``vendors.order``."""
LIVE_VENDORS = ("yahoo", "alpha_vantage", "fred", "coingecko", "rest")
"""Vendors that are reached over the network."""
# Vendors that answer nothing without a key: what a night lacks without them, and where the key comes from.
_KEYS = {
    "alpha_vantage": (
        "no second vendor stands in for Yahoo, nor checks it",
        "A key is free (25 requests a day) at https://www.alphavantage.co/support/#api-key",
    ),
    "fred": (
        "there are no macro series, agents are trained without macro features",
        "A key is free at https://fredaccount.stlouisfed.org/apikeys",
    ),
}


def make_vendor(settings: Settings, name: str, context: VendorContext) -> Vendor:
    """The vendor of this name.

    Raises:
        SettingsError: there is no such vendor.
    """
    if name not in VENDORS:
        raise SettingsError(unknown_name("vendor", name, VENDORS))
    return VENDORS[name](settings, context)


def make_catalogue(settings: Settings) -> Catalogue:
    """What there is to collect: the files or the simulator themselves, or the universe of ``config/universe`` as
    ``run.exchanges`` and ``run.max_symbols`` limit it.

    Raises:
        SettingsError: ``vendors.source`` is unknown, or the universe's tables break a rule.
    """
    source = settings.vendors.source
    if source == "files":
        return _files(settings)
    if source == "simulator":
        return _simulator(settings)
    _require_source(settings)
    universe = load_universe(CONFIG_FOLDER / settings.vendors.universe)
    return universe.restricted(settings.run.exchanges, settings.run.max_symbols)


def vendor_order(settings: Settings, group: str) -> tuple[str, ...]:
    """Vendors of an asset class, or of ``macro``, in the order in which they are asked.

    Raises:
        SettingsError: a vendor is unknown, or ``vendors.order`` names none for the group.
    """
    source = _require_source(settings)
    if source != LIVE:
        return (source,)
    order = settings.vendors.order
    if not order.get(group):
        raise SettingsError(f"vendors.order must name the vendors of {group}; it has {', '.join(sorted(order))}")
    for name in order[group]:
        if name not in VENDORS:
            raise SettingsError(f"vendors.order.{group}: {unknown_name('vendor', name, VENDORS)}")
    return order[group]


def publication_lags(settings: Settings) -> dict[str, int]:
    """Days from a reference date until its figure is out, per macro series: those of the universe's table, whatever the
    source is, and over them those of ``features.macro_lag_days``.

    Raises:
        SettingsError: the universe's tables break a rule.
    """
    series = load_universe(CONFIG_FOLDER / settings.vendors.universe).series
    return {item.symbol: item.lag_days for item in series} | settings.features.macro_lag_days


def currency_rates(settings: Settings) -> CurrencyRates:
    """Which macro series are the interest rates of currencies: those of the universe's table, whatever the source is.

    Raises:
        SettingsError: the universe's tables break a rule.
    """
    return load_universe(CONFIG_FOLDER / settings.vendors.universe).rates


def missing_key(settings: Settings, name: str) -> str:
    """Why a vendor cannot be asked for want of a key, what that costs and how to get one; ``""`` if it can be asked."""
    if name not in _KEYS:
        return ""
    if getattr(settings.vendors, name).api_key:
        return ""
    cost, origin = _KEYS[name]
    block = f"{name.replace('_', '-')}-api-key"
    return (
        f"{name} is left out, it has no key: {cost}. {origin}; give it as variable {USUAL_KEYS[name]} or as Prefect "
        f"Secret block {block}"
    )


def _require_source(settings: Settings) -> str:
    source = settings.vendors.source
    if source not in (LIVE, *VENDORS):
        raise SettingsError(f"vendors.source: {unknown_name('vendor', source, (LIVE, *VENDORS))}")
    return source


def _files(settings: Settings) -> FilesVendor:
    return FilesVendor(settings.vendors.files, settings.curation.stale_sessions)


def _simulator(settings: Settings) -> SimulatorVendor:
    return SimulatorVendor(settings.vendors.simulator)


# The clients of the live vendors are large: each is imported when its vendor is first made.
def _yahoo(settings: Settings, context: VendorContext) -> Vendor:
    from wealtharena.vendors.yahoo import YahooVendor

    return YahooVendor(settings.vendors.yahoo, context)


def _alpha_vantage(settings: Settings, context: VendorContext) -> Vendor:
    from wealtharena.vendors.alpha_vantage import AlphaVantageVendor

    return AlphaVantageVendor(settings.vendors.alpha_vantage, context)


def _fred(settings: Settings, context: VendorContext) -> Vendor:
    from wealtharena.vendors.fred import FredVendor

    return FredVendor(settings.vendors.fred, context)


def _coingecko(settings: Settings, context: VendorContext) -> Vendor:
    from wealtharena.vendors.coingecko import CoingeckoVendor

    return CoingeckoVendor(settings.vendors.coingecko, context)


def _rest(settings: Settings, context: VendorContext) -> Vendor:
    from wealtharena.vendors.rest import RestVendor

    return RestVendor(settings.vendors.rest, context)


VENDORS: dict[str, Callable[[Settings, VendorContext], Vendor]] = {
    "simulator": lambda settings, context: _simulator(settings),
    "files": lambda settings, context: _files(settings),
    "yahoo": _yahoo,
    "alpha_vantage": _alpha_vantage,
    "fred": _fred,
    "coingecko": _coingecko,
    "rest": _rest,
}

__all__ = [
    "LIVE",
    "LIVE_VENDORS",
    "MACRO",
    "VENDORS",
    "FilesVendor",
    "SimulatorVendor",
    "Universe",
    "VendorContext",
    "currency_rates",
    "load_universe",
    "make_catalogue",
    "make_vendor",
    "missing_key",
    "publication_lags",
    "vendor_order",
]
