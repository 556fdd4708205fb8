"""Runs the learning controls that `wealtharena evaluate learning` asks for, and prints what came out."""

import math
import time
from collections.abc import Sequence

from flows import terminal
from tasks.progress import ProgressEvent, tell
from wealtharena.evaluation.learning import LearningControl, LearningSummary, learning_control
from wealtharena.settings import Settings
from wealtharena.training.controls import TARGET_SHARES, Student, find_student, run_control
from wealtharena.training.result import TrainingProgress
from wealtharena.training.session import ray_session

Summaries = list[tuple[Student, LearningSummary]]


def run_controls(
    settings: Settings,
    agents: Sequence[str],
    markets: Sequence[str],
    seeds: int,
    years: float,
    steps: int | None,
    leak: bool,
) -> Summaries:
    """Every agent on every market, one after the other; their seeds side by side.

    Raises:
        SettingsError: an agent or market does not exist or does not fit; nothing was started.
    """
    pairs = [_pair(settings, agent, market, steps, leak) for agent in agents for market in markets]
    summaries: Summaries = []
    terminal.quiet_libraries(verbose=False)
    with terminal.progress_bars(verbose=False), ray_session(settings.training, settings.training.num_workers):
        for student, control in pairs:
            started = time.perf_counter()
            bar = _Bar(f"{student.name} {control.title}", seeds)
            first = settings.seed
            summary = run_control(control, student, range(first, first + seeds), years, bar.show)
            bar.finish(summary, time.perf_counter() - started)
            summaries.append((student, summary))
    return summaries


def print_summaries(summaries: Summaries, as_json: bool) -> None:
    """One row per agent and market."""
    columns = ["agent", "market", "score", "oracle", "share of oracle", "95 %", "turnover", "target", "", "s per seed"]
    rows = [
        [
            student.name,
            summary.control.title,
            f"{summary.score:.4g}",
            f"{summary.oracle:.4g}",
            _number(summary.ratio),
            f"{_number(summary.ratio_low)} to {_number(summary.ratio_high)}",
            f"{summary.turnover:.4f}",
            summary.target,
            _verdict(summary),
            f"{sum(o.train_seconds + o.test_seconds for o in summary.outcomes) / len(summary.outcomes):.0f}",
        ]
        for student, summary in summaries
    ]
    right = ("score", "oracle", "share of oracle", "turnover", "s per seed")
    terminal.print_table(
        "Learning controls: means over the seeds, on histories that no training saw", columns, rows, right
    )
    if as_json:
        terminal.print_json(
            {
                "controls": [
                    {"agent": student.name, "recipe": student.recipe.model_dump(mode="json"), **summary.as_record()}
                    for student, summary in summaries
                ]
            }
        )


def _pair(
    settings: Settings, agent: str, market: str, steps: int | None, leak: bool
) -> tuple[Student, LearningControl]:
    student = find_student(agent, settings, steps)
    control = learning_control(market, TARGET_SHARES[student.recipe.algorithm], leak=leak)
    return find_student(agent, settings, steps, is_book=control.num_assets > 1), control


class _Bar:
    """One bar for all seeds of a control."""

    def __init__(self, item: str, seeds: int) -> None:
        self._item, self._seeds = item, seeds
        self._steps: dict[int, int] = {}
        self._total = 0

    def show(self, progress: TrainingProgress) -> None:
        self._steps[progress.seed] = progress.env_steps
        self._total = self._seeds * progress.total_env_steps
        # The bar is full when the tests are done too.
        done = min(sum(self._steps.values()), self._total - 1)
        tell(ProgressEvent("learning", self._item, done, self._total, f"{len(self._steps)} of {self._seeds} seeds"))

    def finish(self, summary: LearningSummary, seconds: float) -> None:
        note = f"{_verdict(summary)} in {seconds:.0f} s"
        tell(ProgressEvent("learning", self._item, max(1, self._total), max(1, self._total), note))


def _verdict(summary: LearningSummary) -> str:
    if summary.above_ceiling:
        return "too good to be true"
    return "met" if summary.meets_target else "missed"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
