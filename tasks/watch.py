"""The trainings of one lane as they go: a bar in the terminal, an artifact in Prefect, curves in MLflow."""

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any
from uuid import UUID

import pandas as pd
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from tasks.progress import ProgressEvent, tell
from wealtharena.core.errors import TrackingError
from wealtharena.tracking import Tracker
from wealtharena.training.curves import curve_frame
from wealtharena.training.result import TrainingJob, TrainingProgress, TrainingResult

THROUGHPUT = "steps_per_second"

# Bars are drawn anew several times a second; who is asked over a network is told less often.
_TICK_SECONDS = 0.2
_REPORT_SECONDS = 4.0
# A bar is full when the agent is done, not when the last seed has made its last step.
_ALMOST = 0.999

logger = logging.getLogger(__name__)


class TrainingWatch:
    """Hears of every iteration from any thread, and tells of it from the one that follows.

    What MLflow or Prefect do not take while the trainings run is no failure of a training: MLflow gets it at the end.
    """

    def __init__(self, stage: str, lane: str, tracker: Tracker, run_id: str, jobs: Sequence[TrainingJob]) -> None:
        self._stage, self._lane, self._tracker, self._run_id = stage, lane, tracker, run_id
        self._algorithm = str(jobs[0].recipe.algorithm)
        self._numbers = {job.seed: number for number, job in enumerate(jobs, start=1)}
        self._steps = jobs[0].recipe.env_steps
        self._heard: SimpleQueue[TrainingProgress] = SimpleQueue()
        self._latest: dict[int, TrainingProgress] = {}
        self._ended: set[int] = set()
        self._unlogged: dict[int, list[TrainingProgress]] = {job.seed: [] for job in jobs}
        self._logged: dict[int, set[int]] = {job.seed: set() for job in jobs}
        self._artifact: UUID | None = None
        self._reported = 0.0
        tell(ProgressEvent(self._stage, self._lane, 0, self._total, f"{self._algorithm} waits for a core"))

    def hear(self, progress: TrainingProgress) -> None:
        """One more iteration of one of the jobs."""
        self._heard.put(progress)

    def follow(self, trainings: dict[Future[Any], int]) -> None:
        """Tells of all that is heard until every training (by its seed) has ended, one way or another."""
        pending = set(trainings)
        while pending:
            ended, pending = wait(pending, _TICK_SECONDS, FIRST_COMPLETED)
            self._ended |= {trainings[future] for future in ended}
            self._show(self._gathered())
            if self._latest and time.monotonic() - self._reported >= _REPORT_SECONDS:
                self._report()
        self._show(self._gathered())

    def conclude(self, results: Iterable[TrainingResult], best: TrainingResult, note: str) -> None:
        """Logs what was not logged yet, the best training's curve under the metrics' own names, and fills the bar.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        self._log_heard()
        for result in results:
            rows = [row for row in result.curve if row.iteration not in self._logged[result.seed]]
            self._tracker.log_curves(self._run_id, self._named(curve_frame(rows), result.seed))
        if len(self._numbers) > 1:
            self._tracker.log_curves(self._run_id, curve_frame(best.curve))
        self._show_artifact(100.0, note)
        tell(ProgressEvent(self._stage, self._lane, self._total, self._total, f"{self._algorithm}, {note}"))

    @property
    def _total(self) -> int:
        """Environment steps of all seeds together."""
        return self._steps * len(self._numbers)

    @property
    def _share(self) -> float:
        """How much of it is done."""
        running = [event for seed, event in self._latest.items() if seed not in self._ended]
        done = len(self._ended) + sum(event.env_steps / event.total_env_steps for event in running)
        return min(_ALMOST, done / len(self._numbers))

    def _gathered(self) -> list[TrainingProgress]:
        events: list[TrainingProgress] = []
        with suppress(Empty):
            while True:
                events.append(self._heard.get_nowait())
        for event in events:
            self._latest[event.seed] = event
            self._unlogged[event.seed].append(event)
        return events

    def _show(self, events: Sequence[TrainingProgress]) -> None:
        """A task that goes on after a kill may tell of an iteration twice; the bar shows the latest of all."""
        if events:
            note = f"{self._algorithm} {self._described(events[-1])}"
            tell(ProgressEvent(self._stage, self._lane, self._share * self._total, self._total, note))

    def _report(self) -> None:
        self._reported = time.monotonic()
        try:
            self._log_heard()
        except TrackingError as error:
            logger.warning("%s: the curve will be logged later: %s", self._lane, error)
        lines = [self._described(self._latest[seed]) for seed in self._numbers if seed in self._latest]
        self._show_artifact(100.0 * self._share, "  \n".join(lines))

    def _log_heard(self) -> None:
        """Puts into MLflow what was heard since it was last done."""
        for seed, events in self._unlogged.items():
            if not events:
                continue
            frame = curve_frame([event.row for event in events])
            self._tracker.log_curves(self._run_id, self._named(frame, seed))
            self._tracker.log_curves(self._run_id, self._named(self._throughput(seed, events), seed))
            self._logged[seed] |= {event.iteration for event in events}
            events.clear()

    def _throughput(self, seed: int, events: Sequence[TrainingProgress]) -> pd.DataFrame:
        """Steps per second of iterations that have none yet: it differs whenever an iteration is done once more."""
        last = self._tracker.last_step(self._run_id, self._metric(THROUGHPUT, seed))
        new: dict[int, float] = {}
        for event in events:
            if event.iteration > last:
                new.setdefault(event.iteration, event.steps_per_second)
        return pd.DataFrame({"iteration": list(new), "metric": THROUGHPUT, "value": list(new.values())})

    def _named(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        return frame.assign(metric=[self._metric(name, seed) for name in frame["metric"]])

    def _metric(self, name: str, seed: int) -> str:
        """With several seeds ``seed_2/episode_return_mean``: the plain name is the best one's."""
        return name if len(self._numbers) == 1 else f"seed_{self._numbers[seed]}/{name}"

    def _described(self, event: TrainingProgress) -> str:
        row, seeds = event.row, len(self._numbers)
        parts = [f"seed {self._numbers[event.seed]}/{seeds}"] if seeds > 1 else []
        parts += [f"attempt {event.attempt}"] if event.attempt > 1 else []
        spread = "" if row.episode_return_std is None else f" ± {row.episode_return_std:.3f}"
        parts += [f"iteration {row.iteration}", f"return {row.episode_return_mean:+.3f}{spread}"]
        parts += [] if row.validation_sharpe is None else [f"validation Sharpe {row.validation_sharpe:+.2f}"]
        parts += [f"{event.steps_per_second:,.0f} steps/s", f"{event.seconds_left:.0f} s left"]
        return ", ".join(parts)

    def _show_artifact(self, percent: float, text: str) -> None:
        try:
            if self._artifact is None:
                key = f"training-{self._lane}"
                self._artifact = create_progress_artifact(percent, key, text)  # type: ignore[assignment]
            else:
                update_progress_artifact(self._artifact, percent, text)
        # A server that does not take a picture of the progress must not cost the training.
        except Exception:
            logger.debug("%s: Prefect shows no progress", self._lane, exc_info=True)
