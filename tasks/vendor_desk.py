"""The vendors of a run: each is made once, asked by one thread at a time, and left out where its key is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock

from tasks.night import Night
from wealtharena.core.market_data import Catalogue, Vendor
from wealtharena.vendors import Universe, VendorContext, make_catalogue, make_vendor, missing_key, vendor_order

# Of a run that goes on where another was killed, only the identity differs.
_Run = tuple[str, str, datetime]
_vendors: dict[tuple[_Run, str], tuple[Vendor, Lock]] = {}
_making = Lock()


@contextmanager
def vendor_of(night: Night, name: str) -> Iterator[Vendor]:
    """The run's vendor of this name; other threads wait.

    One instance serves all classes of a run, so that a vendor that is down is found out once, not once per class. The
    clients are not made for threads, and a paced vendor answers no faster to several.
    """
    with _making:
        if (_run(night), name) not in _vendors:
            context = VendorContext(home=night.settings.home, now=night.opened_at)
            _vendors[_run(night), name] = (make_vendor(night.settings, name, context), Lock())
        vendor, lock = _vendors[_run(night), name]
    with lock:
        yield vendor


def catalogue_of(night: Night) -> Catalogue:
    """What there is to collect, as it was known on the night's date."""
    catalogue = make_catalogue(night.settings)
    return catalogue.as_of(night.as_of) if isinstance(catalogue, Universe) else catalogue


def vendors_of(night: Night, group: str) -> tuple[str, ...]:
    """Names of the vendors that can be asked about a class or the macro series, in order."""
    return tuple(name for name in vendor_order(night.settings, group) if not missing_key(night.settings, name))


def left_out(night: Night, group: str) -> tuple[str, ...]:
    """A sentence per vendor that lacks its key: what that costs and how to get one."""
    reasons = (missing_key(night.settings, name) for name in vendor_order(night.settings, group))
    return tuple(reason for reason in reasons if reason)


def forget(night: Night) -> None:
    """Lets go of the run's vendors."""
    with _making:
        for key in [key for key in _vendors if key[0] == _run(night)]:
            del _vendors[key]


def _run(night: Night) -> _Run:
    return str(night.settings.home), night.night_id, night.opened_at
