"""Agents: who trades what, the networks that decide, and the fusion of their books."""

from wealtharena.agents.fusion import fixed_allocation, fuse
from wealtharena.agents.policy import Policy
from wealtharena.agents.specs import AGENTS, META_AGENT, AgentSpec, resolve_agent

__all__ = [
    "AGENTS",
    "META_AGENT",
    "AgentSpec",
    "Policy",
    "fixed_allocation",
    "fuse",
    "resolve_agent",
]
