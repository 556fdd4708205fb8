"""Weights of an earlier policy to begin with, where they fit."""

from pathlib import Path
from typing import Any

import torch

from wealtharena.training.result import TrainingJob

_MODULE = Path("learner_group") / "learner" / "rl_module" / "default_policy"


def load_module(checkpoint: Path) -> Any:
    """The RLModule in an RLlib checkpoint, without an algorithm around it."""
    from ray.rllib.core.rl_module.rl_module import RLModule

    return RLModule.from_checkpoint(checkpoint.resolve() / _MODULE)


def warm_up(job: TrainingJob, module: Any) -> str:
    """Puts the weights of ``job.warm_start`` into a new module if they fit it; says what was done and why.

    Statistics of observations stay those of the new training window. What is not a weight (optimiser, counters,
    accounts) begins anew.
    """
    start = job.warm_start
    if start is None:
        return ""
    obstacle = _obstacle(job, module)
    return f"from scratch, not from {start.model}: {obstacle}" if obstacle else f"weights of {start.model}"


def _obstacle(job: TrainingJob, module: Any) -> str:
    """Why the weights could not be taken over; ``""`` if they were."""
    start = job.warm_start
    assert start is not None  # noqa: S101 - checked by the caller
    if start.feature_names != job.panel_train.feature_names:
        return f"its features are {_difference(start.feature_names, job.panel_train.feature_names)}"
    try:
        weights = dict(load_module(start.checkpoint).named_parameters())
    # A checkpoint of older code may fail in any way when its classes are looked up.
    except Exception as error:
        return f"its checkpoint does not load: {type(error).__name__}: {error}"
    targets = module.get_target_network_pairs() if hasattr(module, "get_target_network_pairs") else []
    followers = {id(values) for _, target in targets for values in target.parameters()}
    own = {name: values for name, values in module.named_parameters() if id(values) not in followers}
    if weights.keys() != own.keys():
        return f"its network has {_difference(tuple(weights), tuple(own))}"
    for name, values in own.items():
        if values.shape != weights[name].shape:
            return f"its {name} is {tuple(weights[name].shape)}, not {tuple(values.shape)}"
    with torch.no_grad():
        for name, values in own.items():
            values.copy_(weights[name])
    for main, target in targets:
        target.load_state_dict(main.state_dict())
    return ""


def _difference(theirs: tuple[str, ...], ours: tuple[str, ...]) -> str:
    more = [name for name in theirs if name not in ours]
    fewer = [name for name in ours if name not in theirs]
    if not more and not fewer:
        return "in another order"
    return ", ".join([*(f"with {name}" for name in more), *(f"without {name}" for name in fewer)])
