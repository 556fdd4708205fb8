"""Vendors' keys from Prefect Secret blocks, where neither settings nor variables give them."""

from prefect.blocks.system import Secret
from pydantic import SecretStr

from wealtharena.settings import USUAL_KEYS, Settings
from wealtharena.vendors import MACRO, vendor_order


def with_secret_blocks(settings: Settings) -> Settings:
    """The settings; the key of a vendor that they ask and lack one for comes from its block (``fred-api-key``).

    Vendors that are not asked are not looked up: a night on the simulator needs no block.
    """
    asked = {name for group in (*settings.run.asset_classes, MACRO) for name in vendor_order(settings, str(group))}
    found = {}
    for name in sorted(asked & set(USUAL_KEYS)):
        access = getattr(settings.vendors, name)
        key = None if access.api_key else _block(block_name(name))
        if key:
            found[name] = access.model_copy(update={"api_key": key})
    return settings.model_copy(update={"vendors": settings.vendors.model_copy(update=found)}) if found else settings


def block_name(vendor: str) -> str:
    """Name of the Secret block that may hold a vendor's key."""
    return f"{vendor.replace('_', '-')}-api-key"


def _block(name: str) -> SecretStr | None:
    try:
        value = Secret.load(name).get()  # type: ignore[union-attr]
    except ValueError:
        return None
    return SecretStr(str(value)) if value else None
