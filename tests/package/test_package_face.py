"""What ``import wealtharena`` offers, what it costs, and the snippets that the product promises."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wealtharena
from wealtharena import (
    RLAgentFactory,
    RLMetaAgent,
    RLMetaAgentConfig,
    WealthArenaMultiAgentRLEnv,
)


def prices(seed: int, sessions: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(sessions)))
    return pd.DataFrame(
        {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1e6},
        index=pd.bdate_range("2023-01-02", periods=sessions),
    )


@pytest.mark.parametrize("name", wealtharena.__all__)
def test_every_public_name_loads_from_where_it_lives(name: str) -> None:
    found = getattr(wealtharena, name)
    if name != "__version__":
        assert found.__name__ == name
        assert getattr(import_module(found.__module__), name) is found
    assert name in dir(wealtharena)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'wealtharena' has no attribute 'RLTrader'"):
        _ = wealtharena.RLTrader  # type: ignore[attr-defined]
    assert not hasattr(wealtharena, "numpy")


def test_importing_the_package_brings_in_no_heavy_library() -> None:
    code = (
        "import sys, wealtharena; dir(wealtharena); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'ray', 'torch', 'mlflow', 'pandas', 'prefect'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_several_agents_trade_in_one_environment() -> None:
    config = {"data": {"AAA": prices(1), "BBB": prices(2)}, "agents": ["momentum", "value"], "episode_days": 5}
    env = WealthArenaMultiAgentRLEnv(config)
    assert env.agent_ids == ["momentum", "value"]
    observations, _ = env.reset(seed=3)
    assert set(observations) == set(env.agent_ids)
    for _ in range(5):
        actions = {name: env.action_space(name).sample() for name in env.agent_ids}
        observations, rewards, terminateds, truncateds, infos = env.step(actions)
        assert set(rewards) == set(infos) == set(env.agent_ids)
        assert all(np.isfinite(reward) for reward in rewards.values())
    assert truncateds["__all__"]
    assert not terminateds["__all__"]
    assert observations["value"] in env.observation_space("value")


@pytest.mark.slow
def test_an_agent_of_the_factory_learns_and_reports_its_reward(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = {"AAA": prices(1), "BBB": prices(2)}
    reward = RLAgentFactory.create_agent("stocks").train(data, num_iterations=2)["final_reward"]
    assert isinstance(reward, float)
    assert np.isfinite(reward)


@pytest.mark.slow
def test_the_meta_agent_learns_and_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = {"stocks": {"AAA": prices(1), "BBB": prices(2)}, "etfs": {"SPY": prices(3)}}
    meta = RLMetaAgent(
        RLMetaAgentConfig(
            coordination_method="hierarchical",
            fusion_method="weighted",
            agent_weights={"stocks": 0.6, "etfs": 0.4},
        )
    )
    report = meta.train_meta_agent(data)
    assert np.isfinite(report["final_reward"])
    decision = meta.generate_signals(data)["trading_decision"]
    assert set(decision) == {"AAA", "BBB", "SPY"}
    assert {item["action"] for item in decision.values()} <= {"buy", "sell", "hold"}
    assert sum(abs(item["weight"]) for item in decision.values()) <= 1.0 + 1e-9
