"""What makes two trainings one: equal fingerprints, equal weights, so one may go on where the other was stopped."""

from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version

import torch

from wealtharena.core.hashing import hash_file, hash_json
from wealtharena.training.result import TrainingJob

_LIBRARIES = ("ray", "torch", "numpy", "numba", "gymnasium")
_PACKAGE = Path(__file__).parents[1]
_CODE = ("core", "execution", "envs", "agents", "evaluation", "training")


def fingerprint(job: TrainingJob) -> str:
    """SHA-256 of everything that the result of a training depends on, down to the code and the kind of CPU."""
    start = job.warm_start
    return hash_json(
        {
            "agent": job.agent.name,
            "recipe": job.recipe.model_dump(mode="json"),
            "train": job.panel_train.content_hash,
            "validation": job.panel_validation.content_hash,
            "rules": asdict(job.rules),
            "reward": asdict(job.reward),
            "training": job.decisive_settings,
            "seed": job.seed,
            "warm_start": None if start is None else [start.model, start.feature_names, _files(start.checkpoint)],
            "surroundings": _surroundings(),
        }
    )


@cache
def _surroundings() -> dict[str, object]:
    libraries = {name: version(name) for name in _LIBRARIES}
    code = {name: _files(_PACKAGE / name, "*.py") for name in _CODE}
    return {"python": python_version(), "cpu": torch.backends.cpu.get_cpu_capability(), **libraries, **code}


def _files(folder: Path, pattern: str = "*") -> dict[str, str]:
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in paths}
