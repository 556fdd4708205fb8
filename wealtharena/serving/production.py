"""Champions in production: load them by agent name and ask them for target weights."""

from pathlib import Path
from typing import Any

from wealtharena.agents.specs import AGENTS, resolve_agent
from wealtharena.core.errors import ModelIntegrityError
from wealtharena.core.panel import MarketPanel
from wealtharena.serving.champions import ChampionRegistry, RegisteredBundle
from wealtharena.serving.frames import Context, OhlcvData, observed_panel
from wealtharena.serving.model import ServedModel, load_model
from wealtharena.serving.signals import Holdings, make_signals


class ProductionModelManager:
    """The models in service below a WEALTHARENA_HOME folder.

    A loaded model stays the same until ``load_agent_model`` is called again: a promotion in the middle of the day
    changes no prediction unasked.
    """

    def __init__(self, path: Path | str, tracking_uri: str = "") -> None:
        """Reads the registry lazily.

        Args:
            path: the home folder.
            tracking_uri: MLflow server, if the registry is not the SQLite database of the home folder.
        """
        self._home = Path(path)
        self._tracking_uri = tracking_uri
        self._opened: ChampionRegistry | None = None
        self._models: dict[str, ServedModel] = {}

    def load_agent_model(self, agent: str) -> ServedModel:
        """The present champion of an agent (name or alias such as ``asx_stocks``), verified.

        Raises:
            SettingsError: there is no such agent.
            RegistryError: it has no champion.
            ModelIntegrityError: the champion's bundle is not as it was registered.
        """
        return self._load(self._registry().champion(resolve_agent(agent).name))

    def load_all(self) -> dict[str, ServedModel]:
        """The present champion of every agent that has one, verified, by agent.

        Raises:
            RegistryError: there is no registry.
            ModelIntegrityError: a champion's bundle is not as it was registered.
        """
        return {found.agent: self._load(found) for found in self._champions()}

    def get_model_prediction(
        self,
        agent: str,
        data: MarketPanel | OhlcvData,
        holdings: Holdings | None = None,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """What the champion wants to hold from the next session on.

        Args:
            agent: name or alias; its champion is loaded on the first call.
            data: a panel, or plain OHLCV bars as ``wealtharena.markets.frames.bars_from_frames`` takes
                them (more than a year of them).
            holdings: state of the account, in the order of the panel's symbols; all cash by default.
            context: macro series and sectors for OHLCV bars.

        Returns:
            ``agent``, ``version``, ``as_of`` (last session, ISO date) and ``weights`` (symbol to target weight).

        Raises:
            SettingsError, RegistryError, ModelIntegrityError: see ``load_agent_model``.
            CurationError, DataWindowError, ExecutionError: the data cannot be used.
        """
        spec = resolve_agent(agent)
        model = self._models.get(spec.name) or self.load_agent_model(spec.name)
        if isinstance(data, MarketPanel):
            panel = data
        elif spec.asset_class is None:
            raise ModelIntegrityError(f"{spec.name} decides on the agents' books: it needs a MarketPanel of them")
        else:
            panel = observed_panel(spec.asset_class, data, model.card.feature_names, context or Context())
        signals = make_signals(model, panel, holdings)
        return {
            "agent": spec.name,
            "version": model.version,
            "as_of": str(panel.dates[-1]),
            "weights": {signal.symbol: signal.target_weight for signal in signals},
        }

    def list_models(self) -> list[dict[str, Any]]:
        """One dict per agent with a champion: ``agent``, ``version``, ``path``, ``bundle_hash`` and the model card.

        Raises:
            RegistryError: there is no registry.
            ModelIntegrityError: a champion's bundle is not intact.
        """
        return [
            {
                "agent": item.agent,
                "version": item.version,
                "path": str(item.folder),
                "bundle_hash": item.bundle_hash,
                **load_model(item.folder, item.version, item.bundle_hash).card.model_dump(
                    mode="json", exclude={"agent"}
                ),
            }
            for item in self._champions()
        ]

    def _registry(self) -> ChampionRegistry:
        if self._opened is None:
            self._opened = ChampionRegistry(self._home, self._tracking_uri)
        return self._opened

    def _champions(self) -> list[RegisteredBundle]:
        """In the order of the agents."""
        found = {item.agent: item for item in self._registry().champions()}
        return [found[name] for name in AGENTS if name in found]

    def _load(self, found: RegisteredBundle) -> ServedModel:
        model = load_model(found.folder, found.version, found.bundle_hash)
        if model.card.agent != found.agent:
            raise ModelIntegrityError(f"{found.folder}: must hold a model of {found.agent!r}, got {model.card.agent!r}")
        self._models[found.agent] = model
        return model
