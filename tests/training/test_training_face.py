"""The Python face: agents by name, the meta-agent over them, on prices as a user has them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wealtharena.core.errors import CurationError, DataWindowError, SettingsError, TrainingError
from wealtharena.settings.models import Settings
from wealtharena.training.factory import RLAgentFactory
from wealtharena.training.meta_agent import RLMetaAgent, RLMetaAgentConfig


def prices(seed: int, sessions: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.01 * rng.standard_normal(sessions)))
    return pd.DataFrame(
        {"Open": close * (1 + 0.001 * rng.standard_normal(sessions)), "High": close * 1.01, "Low": close * 0.99,
         "Close": close, "Volume": 1e6},
        index=pd.bdate_range("2023-01-02", periods=sessions),
    )  # fmt: skip


def quick_settings() -> Settings:
    small = {"hidden_sizes": (8,), "num_accounts": 8, "train_batch_size": 64, "minibatch_size": 32}
    defaults = Settings()
    agents = {name: recipe.model_copy(update=small) for name, recipe in defaults.agents.items()}
    return defaults.model_copy(update={"agents": agents, "meta": defaults.meta.model_copy(update={"env_steps": 4_096})})


def test_an_agent_trains_on_prices_of_several_symbols_and_says_what_to_hold(tmp_path: Path) -> None:
    data = {"AAA": prices(1), "BBB": prices(2)}
    agent = RLAgentFactory.create_agent("asx_stocks", quick_settings(), tmp_path)
    report = agent.train(data, num_iterations=3)
    weights = agent.predict(data)
    assert isinstance(report["final_reward"], float)
    assert len(report["episode_returns"]) == len(report["curve"]) == 3
    assert Path(report["checkpoint"]).is_dir()
    assert list(weights) == ["AAA", "BBB"]
    assert all(0.0 <= weight <= 0.35 for weight in weights.values())


def test_the_same_prices_in_any_layout_give_the_same_agent(tmp_path: Path) -> None:
    frames = {"AAA": prices(1), "BBB": prices(2)}
    long = pd.concat([frame.rename_axis("date").reset_index().assign(symbol=name) for name, frame in frames.items()])
    agents = [RLAgentFactory.create_agent("reits", quick_settings(), tmp_path / name) for name in ("one", "two")]
    reports = [agent.train(data, num_iterations=1) for agent, data in zip(agents, (frames, long), strict=True)]
    assert reports[0]["episode_returns"] == reports[1]["episode_returns"]
    assert agents[0].predict(frames) == agents[1].predict(long)


def test_one_symbol_indexed_by_date_is_enough(tmp_path: Path) -> None:
    agent = RLAgentFactory.create_agent("forex", quick_settings(), tmp_path)
    agent.train(prices(3), num_iterations=1)
    (weight,) = agent.predict(prices(3)).values()
    assert abs(weight) in (0.0, 0.35)


def test_what_cannot_be_done_is_said_clearly(tmp_path: Path) -> None:
    agent = RLAgentFactory.create_agent("stocks", quick_settings(), tmp_path)
    with pytest.raises(TrainingError, match="stocks: not trained yet"):
        agent.predict(prices(1))
    with pytest.raises(CurationError, match="missing open"):
        agent.train(prices(1).drop(columns="Open"))
    with pytest.raises(DataWindowError, match="stocks: training and validation need 10 sessions each"):
        agent.train(prices(1, sessions=30))
    with pytest.raises(SettingsError, match="num_iterations must be at least 1, got 0"):
        agent.train(prices(1), num_iterations=0)
    with pytest.raises(SettingsError, match="unknown agent 'bonds'"):
        RLAgentFactory.create_agent("bonds")
    with pytest.raises(SettingsError, match="RLMetaAgent"):
        RLAgentFactory.create_agent("meta")


@pytest.mark.parametrize("field", ["coordination_method", "fusion_method"])
def test_unknown_methods_are_refused_with_the_known_ones(field: str) -> None:
    with pytest.raises(SettingsError, match=rf"unknown {field} 'votes'; known: (hierarchical|weighted)"):
        RLMetaAgentConfig(**{field: "votes"})


def test_the_meta_agent_makes_one_book_of_several(tmp_path: Path) -> None:
    data = {"stocks": {"AAA": prices(1), "BBB": prices(2)}, "etfs": {"BBB": prices(4), "CCC": prices(5)}}
    config = RLMetaAgentConfig(agent_weights={"stocks": 3.0}, settings=quick_settings(), output_dir=tmp_path)
    meta = RLMetaAgent(config)
    with pytest.raises(TrainingError, match="meta: not trained yet"):
        meta.generate_signals(data)
    report = meta.train_meta_agent(data, num_iterations=1, meta_iterations=1)
    signals = meta.generate_signals(data)
    assert set(report["agents"]) == {"stocks", "etfs"}
    assert set(signals["trading_decision"]) == {"AAA", "stocks:BBB", "etfs:BBB", "CCC"}
    assert set(signals["agent_signals"]["etfs"]) == {"BBB", "CCC"}
    shares = signals["allocation"]
    for agent, symbol, name in (("stocks", "AAA", "AAA"), ("etfs", "BBB", "etfs:BBB")):
        expected = signals["agent_signals"][agent][symbol] * shares[agent]
        assert signals["trading_decision"][name]["weight"] == pytest.approx(expected)
        assert signals["trading_decision"][name]["action"] in ("buy", "hold")
    assert sum(shares.values()) <= 1.0 + 1e-9
    with pytest.raises(TrainingError, match="not trained: crypto; trained: etfs, stocks"):
        meta.generate_signals({"crypto": prices(1)})


def test_equal_weights_of_the_meta_agent_leave_the_allocators_shares_alone(tmp_path: Path) -> None:
    data = {"stocks": prices(1), "etfs": prices(4)}
    plain, tilted = (
        RLMetaAgent(RLMetaAgentConfig(agent_weights=weights, settings=quick_settings(), output_dir=tmp_path / name))
        for name, weights in (("plain", {}), ("tilted", {"stocks": 3.0, "etfs": 1.0}))
    )
    allocations = []
    for meta in (plain, tilted):
        meta.train_meta_agent(data, num_iterations=1, meta_iterations=1)
        allocations.append(meta.generate_signals(data)["allocation"])
    before, after = allocations
    assert sum(after.values()) == pytest.approx(sum(before.values()))
    assert after["stocks"] / after["etfs"] == pytest.approx(3.0 * before["stocks"] / before["etfs"])
