"""The command line in a process of its own, the README's shell, and a profile small enough for a test."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
OWN_ENVIRONMENT = Path(sys.prefix) == CHECKOUT / ".venv" and (CHECKOUT / ".venv" / "bin" / "wealtharena").is_file()

# One class per algorithm; the night on files has all six.
TINY = """
run: {as_of: 2023-06-30, asset_classes: [stocks, crypto, etfs, currencies]}
vendors: {simulator: {symbols_per_class: 3, start: 2019-01-02}}
windows: {held_out_days: 90, validation_days: 130, embargo_days: 2, min_train_days: 150}
training: {evaluations: 2, episode_days: 40, seeds: 1, checkpoint_seconds: 0.1}
walk_forward: {enabled: false, max_years: 1}
analysis: {return_paths: 100, market_paths: 3, noise_paths: 4, limit_paths: 2, start_shifts: 2}
report: {tear_sheets: none}
meta: {env_steps: 4096}
agents:
  stocks: &ppo {env_steps: 4096, train_batch_size: 1024, hidden_sizes: [16], num_accounts: 32}
  crypto: &replay {env_steps: 2048, hidden_sizes: [16], num_accounts: 32}
  etfs: *ppo
  currencies: *replay
  reits: *ppo
  commodities: *ppo
"""

LEAN = "\n".join("analysis: {enabled: false}" if line.startswith("analysis:") else line for line in TINY.splitlines())
"""Without simulations of the results, for nights whose tests do not look at them."""


@dataclass(frozen=True)
class Answer:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> dict[str, Any]:
        """The last line of the output, as JSON."""
        parsed: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return parsed


@dataclass(frozen=True)
class Console:
    """The command line in a process of its own, on a home folder of its own."""

    home: Path
    api_url: str

    def environment(self) -> dict[str, str]:
        """Variables of the process."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("WEALTHARENA_", "PREFECT_"))}
        return plain | {
            "WEALTHARENA_HOME": str(self.home),
            "PREFECT_API_URL": self.api_url,
            "PREFECT_HOME": str(self.home.parent / "prefect-client"),
        }

    def command(self, *arguments: str) -> list[str]:
        """The process's command line."""
        return [sys.executable, "-m", "flows.cli", *arguments]

    def run(self, *arguments: str, timeout_s: float = 500.0) -> Answer:
        """Runs a command to its end."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


class Shell:
    """Runs lines of the README in the checkout, the tiny profile given by variables: they stay as they are."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        # MAKELEVEL, which `make test` passes on, would have `make nightly` frame its output as a part of that.
        foreign = ("WEALTHARENA_", "PREFECT_", "MAKE", "MFLAGS")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        tiny = {f"WEALTHARENA_{key.upper()}": yaml.safe_dump(value) for key, value in yaml.safe_load(TINY).items()}
        self.environment = plain | tiny
        self.environment |= {
            "WEALTHARENA_HOME": str(home),
            "WEALTHARENA_PREFECT__PORT": str(self.port),
            "PREFECT_HOME": str(home.parent / "prefect"),
        }

    @property
    def console(self) -> Console:
        """The command line on this shell's home and server."""
        return Console(self.home, f"http://127.0.0.1:{self.port}/api")

    def run(self, line: str, **variables: str) -> Answer:
        """Runs a line to its end."""
        done = subprocess.run(
            ["bash", "-c", line],
            env=self.environment | variables,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class FirstNight:
    """The first night of a home folder, and the shell that it ran in."""

    shell: Shell
    answer: Answer


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
