"""Agent names, and the fusion of agents' books."""

import numpy as np
import pytest

from wealtharena.agents import AGENTS, META_AGENT, fixed_allocation, fuse, resolve_agent
from wealtharena.core.asset_class import AssetClass
from wealtharena.core.errors import SettingsError


def test_every_asset_class_has_one_agent() -> None:
    assert [spec.asset_class for spec in AGENTS.values()] == [*AssetClass, None]
    assert AGENTS[META_AGENT].asset_class is None


@pytest.mark.parametrize(
    ("name", "agent"),
    [("asx_stocks", "stocks"), ("us_stocks", "stocks"), ("Cryptocurrencies", "crypto"), (" forex ", "currencies"),
     ("currency_pairs", "currencies"), ("reits", "reits"), ("META", "meta")],
)  # fmt: skip
def test_aliases_resolve_in_any_case(name: str, agent: str) -> None:
    assert resolve_agent(name).name == agent


def test_no_name_means_two_agents() -> None:
    names = [name for spec in AGENTS.values() for name in (spec.name, *spec.aliases)]
    assert len(names) == len(set(names))


def test_unknown_agent_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match=r"unknown agent 'bonds'; known: .*commodities.*stocks"):
        resolve_agent("bonds")


def test_fixed_allocation_normalises_over_the_agents_at_hand() -> None:
    shares = fixed_allocation(("stocks", "crypto", "etfs"), {"stocks": 2.0, "reits": 7.0})
    assert shares.tolist() == [0.5, 0.25, 0.25]


@pytest.mark.parametrize("weights", [{"a": 0.0, "b": 0.0}, {"a": -1.0}, {"a": float("nan")}])
def test_fixed_allocation_refuses_weights_that_are_no_shares(weights: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="fusion weights"):
        fixed_allocation(("a", "b"), weights)


def test_fuse_scales_each_book_by_its_share() -> None:
    targets = {"stocks": np.array([[0.5, 0.5], [1.0, 0.0]]), "crypto": np.array([[-1.0], [0.4]])}
    book = fuse(targets, np.array([[0.6, 0.4], [0.5, 0.0]]))
    assert book["stocks"].tolist() == [[0.3, 0.3], [0.5, 0.0]]
    assert book["crypto"].tolist() == [[-0.4], [0.0]]


def test_fuse_takes_one_share_per_agent_for_all_sessions() -> None:
    book = fuse({"a": np.ones((3, 2)), "b": np.ones((3, 1))}, np.array([0.25, 0.75]))
    assert book["a"].tolist() == [[0.25, 0.25]] * 3
    assert book["b"].tolist() == [[0.75]] * 3


def test_fuse_refuses_an_allocation_that_does_not_fit() -> None:
    with pytest.raises(SettingsError, match=r"allocation must have shape \(3, 2\), got \(2, 2\)"):
        fuse({"a": np.ones((3, 2)), "b": np.ones((3, 1))}, np.ones((2, 2)))
    with pytest.raises(SettingsError, match=r"same sessions, got lengths \[2, 3\]"):
        fuse({"a": np.ones((3, 2)), "b": np.ones((2, 1))}, np.ones(2))
