"""Figures of a benchmark beside a peer's: interleaved rounds, medians with quartiles, a table or JSON.

Both sides of a figure run in turns, round by round, in one process, so that what else the machine does falls on both;
the ratio is taken within each round. Every side is one thread, and what counts is its CPU time: on an idle machine that
is the time on the clock, on a busy one it leaves out what others took.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

HOW_TO_INSTALL = "`make bench` installs the peers of tests/benchmarks/requirements-bench.txt into .venv-bench"


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what was measured.
        unit: of ``ours`` and ``peer``.
        ours, peer: one value per round; ``peer`` is empty if there is none.
        ratios: one value per round; the aim is about their median, or about that of ``ours`` if there are none.
        ratio_of_best: of the best rounds of both sides, which other work on the machine disturbs least.
        at_least, at_most: the aim.
        note: what else is to be known.
    """

    name: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()
    ratios: Sequence[float] = ()
    ratio_of_best: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    def is_met(self) -> bool | None:
        """Whether the aim is reached; None without an aim."""
        value = median(self.ratios or self.ours)
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def as_json(self) -> dict[str, object]:
        """Medians and quartiles."""
        return {
            "figure": self.name,
            "unit": self.unit,
            "ours": _spread(self.ours),
            "peer": _spread(self.peer),
            "ratio": _spread(self.ratios),
            "ratio_of_best": self.ratio_of_best,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "met": self.is_met(),
            "note": self.note,
        }


@dataclass
class Report:
    """The figures of a script in the order in which they were measured."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])

    def add(self, *figures: Figure) -> None:
        """Append figures."""
        self.figures.extend(figures)

    def lacks(self, peer: str) -> None:
        """Say that a peer is not installed."""
        self.missing.append(peer)

    def write(self, *, as_json: bool) -> None:
        """Print the table, or one JSON object."""
        load = [round(self.load_before, 2), round(os.getloadavg()[0], 2)]
        if as_json:
            lines = [figure.as_json() for figure in self.figures]
            whole = {"title": self.title, "load": load, "cpus": os.cpu_count(), "missing": self.missing}
            sys.stdout.write(json.dumps(whole | {"figures": lines}) + "\n")
            return
        sys.stdout.write(
            f"{self.title}\nload of the machine before and after: {load[0]}, {load[1]} on {os.cpu_count()} cores\n\n"
        )
        sys.stdout.write(_table(self.figures))
        for peer in self.missing:
            sys.stdout.write(f"{peer} is not installed, so nothing stands beside it: {HOW_TO_INSTALL}\n")


def interleaved(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """One value of every side per round; each side runs once before, unmeasured."""
    for measure in sides.values():
        measure()
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            values[name].append(measure())
    return values


def beside(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    speeds: bool = False,
    how_slow: bool = False,
    at_least: float | None = None,
    note: str = "",
) -> Figure:
    """A figure whose ratio says how many times as fast ours is.

    Args:
        speeds: the values are speeds; otherwise they are times.
        how_slow: of two times, say how many times as long ours takes.
    """
    best = max if speeds else min
    above, below = (ours, peer) if speeds or how_slow else (peer, ours)
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return Figure(name, unit, ours, peer, ratios, best(above) / best(below), at_least, note=note)


def seconds_per_call(act: Callable[[], object], calls: int) -> float:
    """Mean CPU seconds of ``calls`` calls in a row."""
    start = time.process_time()
    for _ in range(calls):
        act()
    return (time.process_time() - start) / calls


def calls_per_second(act: Callable[[], object], seconds: float) -> float:
    """Calls of ``act`` in a CPU second, counted over at least ``seconds``."""
    count, start = 0, time.process_time()
    while True:
        act()
        count += 1
        elapsed = time.process_time() - start
        if elapsed >= seconds:
            return count / elapsed


def _spread(values: Sequence[float]) -> list[float] | None:
    """Median, lower and upper quartile."""
    if not values:
        return None
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return [median(values), low, high]


def _table(figures: Sequence[Figure]) -> str:
    head = ("figure", "ours", "peer", "ratio (quartiles)", "of best", "aim", "met", "")
    lines = [head, *(_line(figure) for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _line(figure: Figure) -> tuple[str, ...]:
    ratio = _spread(figure.ratios)
    aims = [f">= {figure.at_least:,g}"] if figure.at_least is not None else []
    aims += [f"<= {figure.at_most:,g}"] if figure.at_most is not None else []
    met = figure.is_met()
    return (
        figure.name,
        _quantity(figure.ours, figure.unit),
        _quantity(figure.peer, figure.unit),
        f"{_number(ratio[0])} ({_number(ratio[1])} to {_number(ratio[2])})" if ratio else "",
        _number(figure.ratio_of_best) if figure.ratio_of_best is not None else "",
        " and ".join(aims),
        "" if met is None else "yes" if met else "no",
        figure.note,
    )


def _quantity(values: Sequence[float], unit: str) -> str:
    return f"{_number(median(values))} {unit}" if values else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
