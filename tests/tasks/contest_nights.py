"""A contest whose outcome is known beforehand: hand-made prices, and networks whose scores hang on nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from simulated_nights import with_features, write_returns

from tasks.baselines import register_baseline
from tasks.features import STAGE as FEATURES
from tasks.features import FeaturesReceipt
from tasks.markets import agent_market
from tasks.night import Night
from tasks.receipts import finished, record
from tasks.tracking import register, start_agent_run
from tasks.training import STAGE as TRAIN
from tasks.training import TrainingReceipt
from wealtharena.agents.lanes import Lane, policy_lanes
from wealtharena.core.calendars import exchange_sessions
from wealtharena.core.panel import FloatArray
from wealtharena.execution import TradingRules
from wealtharena.execution.columns import ACCOUNT_COLUMNS
from wealtharena.serving.checkpoints import ModelCheckpoint
from wealtharena.serving.manifest import ModelCard, ModelKind
from wealtharena.settings import Settings
from wealtharena.settings.models import LaneSettings
from wealtharena.tracking import ModelRegistry, ModelVersionInfo, Tracker

AGENT = "etfs"
START, AS_OF = date(2020, 9, 1), date(2022, 6, 30)
SYMBOLS = ("DOWN", "EVEN", "SWING", "UP")
"""In a session one loses 0.3 % and one gains it; one falls by half of its price in the end, and recovers."""
EQUAL_WEIGHTS = "baseline:equal_weight"
HISTORY = [date.fromordinal(date(2019, 1, 1).toordinal() + k) for k in range(700)]
PAPER = [date.fromordinal(AS_OF.toordinal() - 99 + k) for k in range(100)]

_STEP = 0.003
_COST_BPS = 10.0
_SWING = 25


@dataclass(frozen=True)
class Network:
    """The smallest policy that shows something.

    Attributes:
        scores: of ``SYMBOLS``, whatever is observed.
        churns: buys only what it does not hold, so that it sells everything again a session later.
    """

    scores: tuple[float, float, float, float]
    churns: bool = False

    def write(self, path: Path, columns: int) -> None:
        """The network as ONNX, for observations of ``columns`` columns."""
        mask, position = columns - 3, columns - ACCOUNT_COLUMNS
        wanted = ["mask", "scores_of_symbols"]
        nodes = [helper.make_node("Gather", ["observation", "mask_column"], ["mask"], axis=2)]
        if self.churns:
            nodes += [
                helper.make_node("Gather", ["observation", "position_column"], ["position"], axis=2),
                helper.make_node("Less", ["position", "half"], ["is_free"]),
                helper.make_node("Cast", ["is_free"], ["free"], to=TensorProto.FLOAT),
                helper.make_node("Mul", ["mask", "free"], ["buyable"]),
            ]
            wanted[0] = "buyable"
        graph = helper.make_graph(
            [*nodes, helper.make_node("Mul", wanted, ["scores"])],
            "fixed",
            [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["N", len(SYMBOLS), columns])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(SYMBOLS)])],
            [
                numpy_helper.from_array(np.array(mask, np.int64), "mask_column"),
                numpy_helper.from_array(np.array(position, np.int64), "position_column"),
                numpy_helper.from_array(np.array(0.5, np.float32), "half"),
                numpy_helper.from_array(np.array(self.scores, np.float32), "scores_of_symbols"),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())


@dataclass(frozen=True)
class Contest:
    """An agent's own lane against the equal weights: both of its keys are turned.

    Attributes:
        market: the night whose market all nights of the contest share.
        features: receipt of that market.
        names: columns of an observation.
    """

    market: Night
    features: FeaturesReceipt
    names: tuple[str, ...]

    @classmethod
    def over(cls, folder: Path) -> Self:
        """Prices, features, histories and paper accounts; nobody serves yet."""
        _write_prices(folder / "files")
        settings = Settings.model_validate(
            {
                "home": folder / "home",
                "run": {"asset_classes": [AGENT], "history_start": START},
                "vendors": {"source": "files", "files": {"root": folder / "files"}},
                "windows": {"held_out_days": 90, "validation_days": 30, "embargo_days": 1, "min_train_days": 60},
                "features": {"macro": False},
                "costs": {AGENT: {"commission_bps": _COST_BPS, "half_spread_bps": 0.0, "impact": 0.0}},
                "risk": {"max_drawdown": 0.1},
            }
        )
        opened = datetime(2022, 7, 1, 8, tzinfo=UTC)
        night = Night(settings=settings, as_of=AS_OF, opened_at=opened, run_id="r", agents=(AGENT,), with_meta=False)
        with_features(night)
        features = finished(night, FEATURES, FeaturesReceipt)[AGENT]
        contest = cls(night, features, agent_market(night, AGENT).panel.feature_names)
        contest.turn_keys(contest.lane.lane_id)
        return contest

    @property
    def lane(self) -> Lane:
        """The agent's own."""
        return policy_lanes(self.market.settings, AGENT)[0]

    @property
    def registry(self) -> ModelRegistry:
        """Of the contest's home folder."""
        return ModelRegistry(Tracker(self.market.settings))

    @property
    def champion(self) -> ModelVersionInfo:
        """Who serves."""
        found = self.registry.alias(AGENT, "champion")
        assert found is not None
        return found

    def night(self, seed: int, lanes: Mapping[str, LaneSettings] = MappingProxyType({}), **promotion: Any) -> Night:
        """A night of its own over the same market."""
        settings = self.market.settings
        changed = {"seed": seed, "lanes": dict(lanes), "promotion": settings.promotion.model_copy(update=promotion)}
        night = self.market.model_copy(update={"settings": settings.model_copy(update=changed)})
        record(night, FEATURES, AGENT, self.features, FeaturesReceipt)
        return night

    def crown(self, version: str, before: str = "") -> None:
        """Makes a version the champion that has served since before the paper accounts began, in place of a lane."""
        tags = {"serving_since": "2022-01-03", "serving_before": before, "serving_challenged": ""}
        self.registry.note(AGENT, version, tags)
        decision_id = f"coronation {len(self.registry.history(AGENT))}"
        self.registry.promote(AGENT, version, decision_id, state="unproven")

    def register_equal_weights(self) -> str:
        """Version of the rule that the own lane is better than."""
        return register_baseline(self.market, AGENT, "equal_weight")

    def train(self, night: Night, network: Network, name: str = AGENT) -> TrainingReceipt:
        """What a training of a lane, by default the own, leaves: a stored and registered bundle, and a receipt."""
        (lane,) = (item for item in policy_lanes(night.settings, AGENT) if item.name == name)
        folder = night.settings.home / "trained" / night.night_id
        folder.mkdir(parents=True)
        network.write(folder / "policy.onnx", len(self.names) + ACCOUNT_COLUMNS)
        card = ModelCard(
            agent=AGENT,
            kind=ModelKind.POLICY,
            algorithm="PPO",
            feature_names=self.names,
            symbols=SYMBOLS,
            lane_id=lane.lane_id,
            rules=TradingRules.from_settings(night.settings, AGENT),
            settings_hash="s" * 64,
            data_version=self.features.data_version,
            seed=night.settings.seed,
        )
        ref = ModelCheckpoint(night.settings.home).save_checkpoint(AGENT, night.night_id, card, folder, night.opened_at)
        run = start_agent_run(Tracker(night.settings), self.market, AGENT, self.features.data_version)
        version = register(night, lane, ref, run)
        receipt = TrainingReceipt(AGENT, ref, version, run, "PPO", "w" * 64, None, None, 1.0)
        record(night, TRAIN, name, receipt, TrainingReceipt)
        return receipt

    def turn_keys(self, lane_id: str) -> None:
        """A history and a paper account that are better than those of the equal weights."""
        days = {"out_lanes__walk_forward": HISTORY, "out_lanes__paper": PAPER}
        for number, (table, sessions) in enumerate(days.items(), 1):
            other = _noise(number, len(sessions), 0.01)
            better = other + _noise(10 * number, len(sessions), 0.003) + 0.002
            write_returns(self.market, table, AGENT, EQUAL_WEIGHTS, sessions, other)
            write_returns(self.market, table, AGENT, lane_id, sessions, better)


def _write_prices(root: Path) -> None:
    """Daily bars with a little noise, for no account may be without risk."""
    days = exchange_sessions("XNYS", START, AS_OF)
    folder = root / "market" / AGENT
    folder.mkdir(parents=True)
    for number, symbol in enumerate(SYMBOLS):
        close = 50.0 * np.exp(np.cumsum(_steps(symbol, len(days)) + _noise(number, len(days), 0.001)))
        bars = {"date": days, "open": close, "high": close * 1.001, "low": close * 0.999, "close": close}
        pd.DataFrame({**bars, "volume": 1e9}).to_csv(folder / f"{symbol}.csv", index=False, date_format="%Y-%m-%d")


def _steps(symbol: str, sessions: int) -> FloatArray:
    steps = np.full(sessions, {"DOWN": -_STEP, "EVEN": 0.0, "SWING": 0.0, "UP": _STEP}[symbol])
    if symbol == "SWING":
        steps[-2 * _SWING : -_SWING], steps[-_SWING:] = -0.03, 0.04
    return steps


def _noise(seed: int, size: int, scale: float) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0, scale, size)
