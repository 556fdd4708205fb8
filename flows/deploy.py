"""Registers the deployments of ``deployments/prefect.yaml`` and their work pool with the Prefect server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from wealtharena.core.errors import PipelineError
from wealtharena.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[1]
PREFECT_FILE = CHECKOUT / "deployments" / "prefect.yaml"
DEPLOYMENTS = ("nightly/nightly",)


def deploy_all(settings: Settings, profile: str, overrides: list[str]) -> dict[str, Any]:
    """Makes the work pool if it is missing and registers every deployment; safe to repeat.

    Args:
        settings: for the pool's name and the home folder that runs write to.
        profile: profile that scheduled runs use.
        overrides: ``key.sub=value`` texts that scheduled runs use.

    Raises:
        PipelineError: Prefect refused; the message holds its words.
    """
    environment = os.environ | {
        "WEALTHARENA_CHECKOUT": str(CHECKOUT),
        "WEALTHARENA_HOME_FOLDER": str(settings.home.resolve()),
        "WEALTHARENA_WORK_POOL": settings.prefect.work_pool,
    }
    parameters = json.dumps({"profile": profile, "overrides": overrides})
    _prefect(["work-pool", "create", settings.prefect.work_pool, "--type", "process", "--overwrite"], environment)
    for name in DEPLOYMENTS:
        arguments = ["deploy", "--name", name, "--prefect-file", str(PREFECT_FILE), "--params", parameters]
        _prefect(["--no-prompt", *arguments], environment)
    return {
        "deployments": list(DEPLOYMENTS),
        "work_pool": settings.prefect.work_pool,
        "api_url": os.environ["PREFECT_API_URL"],
    }


def _prefect(arguments: list[str], environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "prefect", *arguments]
    done = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PipelineError(f"`prefect {' '.join(arguments)}` failed: {words[-1] if words else 'no message'}")
