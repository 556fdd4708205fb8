"""Sources of market data. A new vendor is one file and one line in ``VENDORS``."""

from collections.abc import Callable

from wealtharena.core.errors import SettingsError, unknown_name
from wealtharena.core.market_data import Vendor
from wealtharena.settings import Settings
from wealtharena.vendors.files import FilesVendor
from wealtharena.vendors.simulator import SimulatorVendor

VENDORS: dict[str, Callable[[Settings], Vendor]] = {
    "files": lambda settings: FilesVendor(settings.vendors.files, settings.curation.stale_sessions),
    "simulator": lambda settings: SimulatorVendor(settings.vendors.simulator),
}


def make_vendor(settings: Settings) -> Vendor:
    """The vendor that ``vendors.source`` names.

    Raises:
        SettingsError: there is no such vendor.
    """
    source = settings.vendors.source
    if source not in VENDORS:
        raise SettingsError(f"vendors.source: {unknown_name('vendor', source, VENDORS)}")
    return VENDORS[source](settings)


__all__ = ["VENDORS", "FilesVendor", "SimulatorVendor", "make_vendor"]
