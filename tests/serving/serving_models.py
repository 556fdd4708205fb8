"""Small real models: a linear ONNX network and bundles around it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wealtharena.core.panel import AssetCosts, MarketPanel
from wealtharena.execution import TradingRules
from wealtharena.serving.manifest import ModelCard, ModelKind

CREATED = datetime(2026, 11, 6, 20, 0, tzinfo=UTC)
FEATURES = ("momentum", "volatility", "rsi")
RULES = TradingRules(
    long_only=True,
    max_weight=0.5,
    max_gross=1.0,
    concentration=2.0,
    delisting_haircut=0.3,
)


def write_linear_network(path: Path, weights: Sequence[float], assets: int | str = "A") -> None:
    """Network with scores = tanh(observation @ weights) x mask; the mask is the third column from the end."""
    columns = len(weights)
    matrix = np.array(weights, dtype=np.float32).reshape(columns, 1)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["observation", "weights"], ["wide"]),
            helper.make_node("Squeeze", ["wide", "last_axis"], ["flat"]),
            helper.make_node("Tanh", ["flat"], ["raw"]),
            helper.make_node("Gather", ["observation", "mask_column"], ["mask"], axis=2),
            helper.make_node("Mul", ["raw", "mask"], ["scores"]),
        ],
        "linear",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["N", assets, columns])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", assets])],
        [
            numpy_helper.from_array(matrix, "weights"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last_axis"),
            numpy_helper.from_array(np.array(columns - 3, dtype=np.int64), "mask_column"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def policy_card(**changes: object) -> ModelCard:
    values: dict[str, object] = {
        "agent": "stocks",
        "kind": ModelKind.POLICY,
        "algorithm": "PPO",
        "feature_names": FEATURES,
        "symbols": ("BHP.AX", "CBA.AX"),
        "rules": RULES,
        "settings_hash": "5" * 64,
        "data_version": "d" * 64,
        "seed": 1,
        "git_commit": "00bb50f",
        "windows": {"held_out": (date(2025, 11, 6), date(2026, 11, 6))},
        "metrics": {"sharpe": 0.8, "sortino": float("nan")},
    }
    return ModelCard.model_validate(values | changes)


def baseline_card(baseline: str = "equal_weight", **changes: object) -> ModelCard:
    return policy_card(kind=ModelKind.BASELINE, algorithm="", baseline=baseline, **changes)


def make_panel(sessions: int = 40, symbols: tuple[str, ...] = ("AAA", "BBB", "CCC"), seed: int = 3) -> MarketPanel:
    """Random walks with three random features; all rise in the last session, in which ``CCC`` is unobserved."""
    rng = np.random.default_rng(seed)
    shape = (sessions, len(symbols))
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    observed = np.ones(shape, dtype=np.bool_)
    if "CCC" in symbols:
        observed[-1, symbols.index("CCC")] = False
    features = rng.normal(size=(*shape, len(FEATURES))).astype(np.float32)
    features[-1, :, 0] = np.linspace(0.8, 0.3, len(symbols))
    return MarketPanel(
        dates=np.datetime64("2026-01-01", "D") + np.arange(sessions),
        symbols=symbols,
        feature_names=FEATURES,
        features=np.where(observed[:, :, None], features, np.float32(0.0)),
        open=close * np.exp(rng.normal(0.0, 0.005, shape)),
        close=close,
        tradable=np.ones(shape, dtype=np.bool_),
        observed=observed,
        delisted=np.zeros(shape, dtype=np.bool_),
        dollar_volume=np.full(shape, 1e6),
        volatility=np.full(shape, 0.02),
        costs=AssetCosts.flat(len(symbols), 0.001),
        annualisation=252,
    )
