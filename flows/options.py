"""Options that several commands share, with their help texts."""

from datetime import datetime
from typing import Annotated

import typer

Profile = Annotated[
    str, typer.Option("--profile", "-p", help="quickstart, files, nightly, or the path of a YAML file.")
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Last session that the run may know of. Default: the latest."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, e.g. windows.held_out_days=126. Repeatable."),
]
Agents = Annotated[
    list[str] | None, typer.Option("--agent", "-a", metavar="NAME", help="Only this agent. Repeatable. Default: all.")
]
Force = Annotated[bool, typer.Option("--force", help="Repeat stages that were finished before.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON last, for machines.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the log of the run instead of progress bars.")]
