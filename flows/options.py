"""Options that several commands share, with their help texts."""

from collections.abc import Iterable, Iterator
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
Classes = Annotated[
    list[str] | None,
    typer.Option("--classes", metavar="CLASS ...", help="Only these asset classes. Default: those of the profile."),
]
Exchanges = Annotated[
    list[str] | None,
    typer.Option("--exchanges", metavar="NAME ...", help="Only instruments listed there (ASX, NYSE, NASDAQ ...)."),
]
MaxSymbols = Annotated[int | None, typer.Option("--max-symbols", min=1, help="At most this many symbols per class.")]
Start = Annotated[
    datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="First day to collect. Default: the profile's.")
]
End = Annotated[
    datetime | None,
    typer.Option("--end", "--as-of", formats=["%Y-%m-%d"], help="Last session to collect. Default: the latest closed."),
]
Source = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="live (the vendors of each class), or one vendor for everything."),
]

LIST_OPTIONS = ("--classes", "--exchanges")


def repeat_lists(arguments: Iterable[str]) -> list[str]:
    """Command-line words with ``--classes stocks crypto`` written out as ``--classes stocks --classes crypto``."""
    return list(_repeated(arguments))


def _repeated(arguments: Iterable[str]) -> Iterator[str]:
    option, is_first = "", False
    for word in arguments:
        if word.startswith("-"):
            option, is_first = word, True
        elif option in LIST_OPTIONS and not is_first:
            yield option
        else:
            is_first = False
        yield word
