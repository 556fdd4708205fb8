"""Seeds of one agent: how they are derived, which training is kept, what is told about the others; who begins first."""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wealtharena.core.errors import TrainingError
from wealtharena.settings.models import Algorithm
from wealtharena.training.cluster import TrainingQueue
from wealtharena.training.result import CurveRow, TrainingJob, TrainingResult
from wealtharena.training.selection import Purpose, SeedOutcome, best_of, derived_seed, describe, jobs_of, spread_of
from wealtharena.training.work import Best, TrainingState, hold

NAN = math.nan
MakeJob = Callable[..., TrainingJob]


def result(seed: int, sharpe: float) -> TrainingResult:
    row = CurveRow(1, 100, 0.5, 0.1, 0.2, 0.3, sharpe)
    here = Path()
    return TrainingResult("stocks", seed, 0.5, 1, sharpe, (row,), "abc", here, here, here, 1.0)


def test_the_first_seed_is_the_jobs_own_and_the_others_are_unlike_it(make_job: MakeJob) -> None:
    job = make_job(Algorithm.PPO)
    jobs = jobs_of(replace(job, training=job.training.model_copy(update={"seeds": 3})))
    assert jobs[0].seed == job.seed
    assert len({item.seed for item in jobs}) == 3
    assert [item.output_dir.name for item in jobs] == ["seed-0", "seed-1", "seed-2"]
    assert all(0 <= item.seed < 2**31 for item in jobs)


def test_derived_seeds_depend_on_seed_purpose_and_number_and_never_change() -> None:
    assert derived_seed(1, Purpose.TRAINING, 1) == 823424618
    assert len({derived_seed(s, p, n) for s in (1, 2) for p in Purpose for n in (1, 2)}) == 4 * len(Purpose)


def test_the_best_score_wins_and_of_equals_the_first() -> None:
    assert best_of([result(1, 0.5), result(2, 0.9), result(3, 0.9)]).seed == 2
    assert best_of([result(1, NAN), result(2, -3.0)]).seed == 2
    assert best_of([result(1, NAN), result(2, NAN)]).seed == 1
    with pytest.raises(TrainingError, match="got none"):
        best_of([])


def test_the_spread_is_that_of_the_defined_scores() -> None:
    spread = spread_of([1.0, 3.0, None, NAN])
    assert (spread.mean, spread.deviation, spread.count) == (2.0, math.sqrt(2.0), 2)
    assert math.isnan(spread_of([1.0]).deviation) and math.isnan(spread_of([]).mean)


def test_seeds_are_described_in_one_line() -> None:
    good, better, failed = SeedOutcome(1, 1.0), SeedOutcome(2, 2.0), SeedOutcome(3, failure="loss must be finite")
    assert describe([good]) == "validation Sharpe +1.00"
    assert describe([good, better]) == "best of 2 seeds, validation Sharpe +2.00 (mean +1.50 ± 0.71)"
    assert describe([good, failed]) == "best of 2 seeds, 1 failed, validation Sharpe +1.00"
    assert describe([SeedOutcome(1)]) == "validation Sharpe undefined"


def test_of_those_who_wait_the_longest_training_begins_first_and_no_more_than_there_is_room() -> None:
    queue, order, gate = TrainingQueue(1), [], threading.Event()

    def train(cost: float) -> None:
        with queue.turn(cost):
            order.append(cost)
            gate.wait()

    threads = [threading.Thread(target=train, args=(cost,)) for cost in (0.0, 2.0, 9.0, 5.0)]
    threads[0].start()
    while not order:
        pass
    for thread in threads[1:]:
        thread.start()
    while len(queue._waiting) < 3:
        pass
    assert order == [0.0]
    gate.set()
    for thread in threads:
        thread.join()
    assert order == [0.0, 9.0, 5.0, 2.0]


def state(iterations: int, best: int | None = None) -> TrainingState:
    """A curve whose evaluations, in every iteration, were best in one of them."""
    rows = tuple(CurveRow(k, 10 * k, 0.1 * k, NAN, 0.1, 1 / 3, NAN, {"variance": -0.1}, {}) for k in range(iterations))
    return TrainingState(rows, None if best is None else Best(best, 0.5, f"000-{best:08d}", "abc"))


def save(folder: Path) -> None:
    folder.mkdir()
    (folder / "algorithm_state.pkl").write_bytes(b"state")


def test_a_point_keeps_every_bit_of_the_state(tmp_path: Path) -> None:
    kept = replace(state(3), failures=("loss",), seconds=1.25, warm_start="weights of v1")
    with hold(tmp_path / "work", "fingerprint") as work:
        work.write_point(kept, save)
        point = work.latest_point()
    assert point is not None
    assert repr(point.state) == repr(kept)
    assert (point.checkpoint / "algorithm_state.pkl").read_bytes() == b"state"


def test_two_points_and_the_best_policy_are_kept(tmp_path: Path) -> None:
    with hold(tmp_path / "work", "fingerprint") as work:
        for iteration, best in ((1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (6, 3)):
            work.write_point(state(iteration, best), save)
        assert [path.name for path in sorted((work.folder / "points").iterdir())] == [
            "000-00000003",
            "000-00000005",
            "000-00000006",
        ]
        best_point = work.best_point(state(6, 3))
        assert best_point is not None and best_point.state.iteration == 3


def test_points_of_another_job_are_not_read(tmp_path: Path) -> None:
    with hold(tmp_path / "work", "one") as work:
        work.write_point(state(1), save)
    with hold(tmp_path / "work", "other") as work:
        assert work.latest_point() is None
        assert not list((work.folder / "points").iterdir())


def test_one_at_a_time_works_in_a_folder_also_where_it_was_discarded_meanwhile(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with hold(tmp_path / "work", "fingerprint") as work:
            order.append("second")
            assert (work.folder / "lock").is_file()

    waiting = threading.Thread(target=second)
    with hold(tmp_path / "work", "fingerprint") as work:
        waiting.start()
        waiting.join(0.2)
        order.append("first")
        work.discard()
    waiting.join(10)
    assert order == ["first", "second"]
