"""Collections in processes of their own, which may be killed; a plain script: ``python collection_child.py``.

One JSON object per line comes in, one goes out: ``together`` holds jobs of ``Nights``, which run side by side, and
``kill_after_s`` says when they are killed. Every collection runs in a fork of a process that has only imported, so that
a start costs nothing.
"""

import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from datetime import date
from typing import Any

from tasks.collection import collect_class, collect_macro
from tasks.night import Night
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.errors import WealthArenaError
from wealtharena.settings import Settings
from wealtharena.vendors import MACRO
from wealtharena.vendors.redaction import install_redaction, settings_secrets


def main() -> None:
    """Forks once per line of the input, until it ends."""
    _warm_up()
    for line in sys.stdin:
        job = json.loads(line)
        started = time.perf_counter()
        children = [_fork(part) for part in job["together"]]
        if job["kill_after_s"] is not None:
            time.sleep(job["kill_after_s"])
            for child in children:
                os.kill(child, signal.SIGKILL)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps({"codes": codes, "seconds": time.perf_counter() - started}) + "\n")
        sys.stdout.flush()


def _warm_up() -> None:
    """Imports what a vendor imports when it is made, and builds the calendars; opens nothing and starts no thread."""
    import wealtharena.vendors.alpha_vantage
    import wealtharena.vendors.coingecko
    import wealtharena.vendors.fred
    import wealtharena.vendors.yahoo  # noqa: F401

    for exchange in ("XNYS", "24/7", "24/5"):
        exchange_sessions(exchange, date(2023, 1, 1), date(2024, 12, 31))


def _fork(part: Mapping[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        code = _collect(part)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _collect(part: Mapping[str, Any]) -> int:
    """Runs one collection; an error of ours is told in words, and its code is 1."""
    night = Night.model_validate(part["night"] | {"settings": Settings.model_validate(part["settings"])})
    install_redaction(settings_secrets(night.settings))
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    try:
        for group in part["groups"]:
            _ = collect_macro.fn(night) if group == MACRO else collect_class.fn(night, AssetClass(group))
    except WealthArenaError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    main()
