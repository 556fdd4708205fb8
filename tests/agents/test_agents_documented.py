"""docs/agents.md tells who the agents are, as the default settings have them."""

import re
from pathlib import Path

from wealtharena.agents.plan import AgentPlan, agent_plans
from wealtharena.settings import Settings

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
TABLE = DOCUMENT.partition("<!-- agents: begin -->")[2].partition("<!-- agents: end -->")[0]


def cells(plan: AgentPlan) -> list[str]:
    levels = ", ".join(f"{level:g}".replace("-", "−") for level in plan.levels)
    return [
        f"`{plan.agent}`",
        plan.algorithm,
        plan.style,
        str(len(plan.features)),
        f"{plan.actions} {levels}".strip(),
        "long" if plan.long_only else "long and short",
    ]


def test_the_table_has_every_agent_as_it_runs() -> None:
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.strip().splitlines()[2:]]
    # What stands in brackets, and what a number counts, is for the reader.
    told = [[re.sub(r" \(.*\)| and macro series| of each book", "", cell) for cell in row] for row in told]
    assert told == [cells(plan) for plan in agent_plans(Settings())]
    macro = [plan.agent for plan in agent_plans(Settings()) if plan.macro]
    assert re.findall(r"^\| `(\w+)`.*and macro series", TABLE, re.MULTILINE) == macro
