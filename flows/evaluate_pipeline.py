"""Runs the rehearsals that `wealtharena evaluate pipeline` asks for, and prints what came out."""

import math
import time
from collections.abc import Sequence

from flows import terminal
from tasks.progress import ProgressEvent, tell
from wealtharena.evaluation.learning import learning_control
from wealtharena.evaluation.verification import Estimate
from wealtharena.promotion.rehearsal import Calendar, PipelineSummary
from wealtharena.promotion.simulation import Rate
from wealtharena.settings import Settings
from wealtharena.training.controls import TARGET_SHARES, find_student
from wealtharena.training.rehearsal import Rehearsal, RehearsalProgress, run_rehearsal
from wealtharena.training.session import ray_session


def run_pipeline(
    settings: Settings,
    agent: str,
    markets: Sequence[str],
    seeds: int,
    years: int,
    steps: int,
    every: int,
    incumbent: str = "",
) -> list[PipelineSummary]:
    """Every market, one after the other; their worlds side by side.

    Raises:
        SettingsError: the agent, a market or the incumbent does not exist or does not fit; nothing was started.
    """
    rehearsals = [rehearsal_of(settings, agent, market, years, steps, every, incumbent) for market in markets]
    worlds = range(settings.seed, settings.seed + seeds)
    summaries = []
    terminal.quiet_libraries(verbose=False)
    with terminal.progress_bars(verbose=False), ray_session(settings.training, settings.training.num_workers):
        for rehearsal in rehearsals:
            started = time.perf_counter()
            bar = _Bar(f"{agent} {rehearsal.control.market}", seeds)
            summary = run_rehearsal(rehearsal, worlds, bar.show)
            bar.finish(summary, time.perf_counter() - started)
            summaries.append(summary)
    return summaries


def rehearsal_of(
    settings: Settings, agent: str, market: str, years: int, steps: int, every: int, incumbent: str = ""
) -> Rehearsal:
    """An agent on a market, trained as a night does it: the checkpoint that does best in validation is kept.

    Raises:
        SettingsError: see ``run_pipeline``.
    """
    student = find_student(agent, settings, steps)
    control = learning_control(market, TARGET_SHARES[student.recipe.algorithm])
    student = find_student(agent, settings, steps, is_book=control.num_assets > 1, training=settings.training)
    return Rehearsal(control, student, settings, Calendar(years), every, incumbent)


def print_pipeline(summaries: Sequence[PipelineSummary], as_json: bool) -> None:
    """One row per market, and a line for what was asked of it."""
    columns = ["market", "worlds", "agent champion", "confirmed", "rolled back", "after sessions"]
    means = ["served", "agent", "oracle", "agent's history"]
    rows = [
        [
            summary.market,
            f"{len(summary.outcomes)}",
            _rate(summary.promoted),
            _rate(summary.confirmed),
            "–" if summary.rolled_back is None else f"{summary.rolled_back.count} of {summary.rolled_back.worlds}",
            "–" if math.isnan(summary.median_session) else f"{summary.median_session:.0f}",
            *(_mean(mean) for mean in (summary.served, summary.policy, summary.oracle, summary.history)),
        ]
        for summary in summaries
    ]
    title = "A year of nights: worlds in %, 95 % interval; Sharpe ratios above cash, mean (standard error)"
    terminal.print_table(title, columns + means, rows, right=tuple(columns[1:] + means))
    for summary in summaries:
        terminal.console.print(f"{summary.market}: agent champion, {summary.bound}: {_verdict(summary)}")
    if as_json:
        terminal.print_json({"markets": [summary.as_record() for summary in summaries]})


class _Bar:
    """One bar for all worlds of a market."""

    def __init__(self, item: str, worlds: int) -> None:
        self._item, self._worlds = item, worlds
        self._trained: dict[int, float] = {}
        self._total = 1.0

    def show(self, progress: RehearsalProgress) -> None:
        self._trained[progress.seed] = progress.trained
        self._total = float(self._worlds * progress.trainings)
        # The bar is full when the nights are done too.
        done = min(sum(self._trained.values()), self._total - 0.01)
        note = f"{len(self._trained)} of {self._worlds} worlds"
        tell(ProgressEvent("rehearse", self._item, done, self._total, note))

    def finish(self, summary: PipelineSummary, seconds: float) -> None:
        note = f"{_verdict(summary)} in {seconds:.0f} s"
        tell(ProgressEvent("rehearse", self._item, self._total, self._total, note))


def _verdict(summary: PipelineSummary) -> str:
    return "kept" if summary.kept else "missed"


def _mean(mean: Estimate) -> str:
    error = "–" if math.isnan(mean.standard_error) else f"{mean.standard_error:.2f}"
    return f"{mean.value:.2f} ({error})"


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{100 * rate.value:.1f} ({100 * low:.1f}–{100 * high:.1f})"
