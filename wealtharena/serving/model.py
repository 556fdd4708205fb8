"""A model that is ready to decide: the verified bundle and, for a trained policy, its network."""

from dataclasses import dataclass
from pathlib import Path

from wealtharena.agents.policy import Policy
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.envs.spaces import observation_shape
from wealtharena.evaluation.baselines import BASELINES
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.serving.bundle import verify_bundle
from wealtharena.serving.manifest import POLICY_FILE, ModelCard, ModelKind


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model.

    Attributes:
        card: what it is.
        version: its name among the agent's models: registry version, or name of the bundle's folder.
        folder: the bundle.
        policy: the network; None for a baseline.
    """

    card: ModelCard
    version: str
    folder: Path
    policy: Policy | None

    @property
    def label(self) -> str:
        """Agent, version and recipe for people."""
        return f"{self.card.agent} {self.version} ({self.card.algorithm or self.card.baseline})"


def load_model(folder: Path, version: str = "", bundle_hash: str = "") -> ServedModel:
    """Verifies a bundle and loads what it holds. Needs neither Ray nor torch.

    Args:
        folder: the bundle.
        version: shown with every prediction; the folder's name by default.
        bundle_hash: see ``verify_bundle``.

    Raises:
        ModelIntegrityError: the bundle is not intact, its network does not fit its features, or it names a baseline
            that does not exist.
    """
    card = verify_bundle(folder, bundle_hash).model
    return ServedModel(card, version or folder.name, folder, _policy(folder, card))


def _policy(folder: Path, card: ModelCard) -> Policy | None:
    if card.kind is ModelKind.BASELINE:
        if card.baseline not in BASELINES:
            known = ", ".join(sorted(BASELINES))
            raise ModelIntegrityError(f"{folder}: baseline must be one of {known}, got {card.baseline!r}")
        return None
    from wealtharena.serving.onnx_policy import OnnxPolicy

    policy = OnnxPolicy(folder / POLICY_FILE)
    num_features = len(card.feature_names)
    expected = observation_shape(1, num_features, card.window)[1]
    if policy.observation_columns != expected:
        sessions = "" if card.window == 1 else f" of {card.window} sessions"
        raise ModelIntegrityError(
            f"{folder / POLICY_FILE}: must take {expected} columns ({num_features} features{sessions} and "
            f"{ACCOUNT_COLUMNS} account columns), got {policy.observation_columns}"
        )
    if policy.num_assets not in (None, len(card.symbols)):
        raise ModelIntegrityError(
            f"{folder / POLICY_FILE}: must take any number of assets or the {len(card.symbols)} of its training, "
            f"got {policy.num_assets}"
        )
    return policy
