"""Histories of an agent: what is trained, what is there already, what fails, and what a night reads of it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks import walk_forward as stage
from tasks.ledger import TABLE as LEDGER
from tasks.ledger import trials_of
from tasks.night import Night
from tasks.progress import ProgressEvent, listen, unlisten
from tasks.training import training_cluster
from tasks.walk_forward import FOLDS, RETURNS, WalkForwardReceipt, histories, walk_forward_agent
from wealtharena.core import MarketPanel
from wealtharena.core.errors import PipelineError, TrainingError
from wealtharena.core.panel import AssetCosts, Float32Array, FloatArray
from wealtharena.evaluation import walk_forward_table
from wealtharena.settings import Settings
from wealtharena.training.result import CurveRow, TrainingJob, TrainingProgress, TrainingResult

MakeNight = Callable[..., Night]
WINDOWS = {"held_out_days": 20, "validation_days": 60, "embargo_days": 2, "min_train_days": 100}
BASELINES = {"cash", "equal_weight", "time_series_momentum"}


def market(last: str = "2022-02-01", revised: str = "") -> MarketPanel:
    """Two assets on weekdays since 2019; prices of the past are the same whatever ``last`` is."""
    dates = pd.bdate_range("2019-01-01", last).to_numpy("datetime64[D]")
    shocks = np.random.default_rng(1).normal(0.0, 0.01, (3_000, 2))[: len(dates)]
    close = 100.0 * np.exp(np.cumsum(shocks, axis=0))
    if revised:
        close[int(np.searchsorted(dates, np.datetime64(revised)))] *= 1.01
    bars = np.ones(close.shape, bool)
    return MarketPanel(
        dates=dates,
        symbols=("AAA", "BBB"),
        feature_names=("f",),
        features=np.sign(shocks).astype(np.float32)[:, :, None],
        open=np.vstack([close[:1], close[:-1]]),
        close=close,
        tradable=bars,
        observed=bars,
        delisted=~bars,
        dollar_volume=np.full(close.shape, np.nan),
        volatility=np.full(close.shape, 0.01),
        costs=AssetCosts.flat(2, 0.001),
        annualisation=252,
    )


class Always:
    """Stands for an exported policy: the same scores for ever."""

    def __init__(self, path: Path) -> None:
        self._score = float(path.name)

    def act(self, observation: Float32Array) -> FloatArray:
        return np.full(observation.shape[:2], self._score)


class Bench:
    """A night's surroundings: its market, and trainings that are only noted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.panel = market()
        self.jobs: list[TrainingJob] = []
        self.fails: dict[str, Exception] = {}
        self.score = "0.5"
        monkeypatch.setattr(stage, "agent_panel", lambda night, agent: self.panel)
        monkeypatch.setattr(stage, "finished", self._finished)
        monkeypatch.setattr(stage, "train_in_turn", self._train)
        monkeypatch.setattr(stage, "OnnxPolicy", Always)
        monkeypatch.setattr(walk_forward_table, "RESAMPLES", 20)  # intervals are tested elsewhere

    @property
    def trained(self) -> list[str]:
        """Years that were trained since it was last asked."""
        years = sorted(job.output_dir.parent.name for job in self.jobs)
        self.jobs.clear()
        return years

    def _finished(self, *_: Any) -> dict[str, Any]:
        return {"stocks": SimpleNamespace(data_version=self.panel.content_hash)}

    def _train(self, job: TrainingJob, hear: Callable[[TrainingProgress], None]) -> TrainingResult:
        self.jobs.append(job)
        year = job.output_dir.parent.name
        if year in self.fails:
            raise self.fails[year]
        row = CurveRow(1, 100, 0.0, 0.0, 0.0, 0.0, 0.5)
        hear(TrainingProgress("stocks", job.seed, row, 100, 1.0))
        policy = job.output_dir / self.score
        return TrainingResult("stocks", job.seed, 0.0, 1, 0.5, (row,), f"w{job.seed}", policy, policy, policy, 1.0)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.fixture
def night_of(make_night: MakeNight, tmp_path: Path) -> Callable[..., Night]:
    """Nights of one agent on short windows; keyword arguments are settings."""

    def make(run_id: str = "run1", force: bool = False, **changes: Any) -> Night:
        settings = Settings.model_validate(
            {"home": tmp_path / "home", "windows": WINDOWS, "walk_forward": {"max_years": 5}} | changes
        )
        return make_night(settings=settings, agents=("stocks",), run_id=run_id, force=force)

    return make


def walk(night: Night) -> WalkForwardReceipt:
    receipt: WalkForwardReceipt = walk_forward_agent.fn(night, "stocks")
    return receipt


def test_every_complete_year_is_trained_once_and_kept(bench: Bench, night_of: Callable[..., Night]) -> None:
    night = night_of()
    receipt = walk(night)
    assert bench.trained == ["2020", "2021"]
    assert receipt.computed == ("stocks 2020", "stocks 2021") and receipt.notes == ()
    folds = night.warehouse.read(FOLDS)
    policies = folds[folds["kind"] == "policy"]
    assert policies["fold"].tolist() == ["2020", "2021"]
    assert policies["train_first"].dt.year.tolist() == [2019, 2019]
    assert folds[folds["kind"] == "baseline"]["train_first"].isna().all()
    assert {name.removeprefix("baseline:") for name in folds["lane_id"]} >= BASELINES
    rows = night.warehouse.read(RETURNS)
    assert set(rows["session_date"].dt.year) == {2020, 2021}
    assert walk(night) == receipt
    assert walk(night_of("run2", walk_forward={"max_years": 6})).computed == ()
    assert bench.trained == []


def test_another_year_is_all_that_a_later_night_pays_for(bench: Bench, night_of: Callable[..., Night]) -> None:
    walk(night_of())
    before = {job.output_dir.parent.name: job.seed for job in bench.jobs}
    assert bench.trained == ["2020", "2021"]
    early = histories(night_of(), "stocks")
    bench.panel = market("2023-03-01")
    assert walk(night_of("run2", seed=1, training={"num_workers": 3})).computed == ("stocks 2022",)
    assert [job.seed for job in bench.jobs] != list(before.values())
    # What the first night reads has not grown.
    assert {lane: len(item.dates) for lane, item in histories(night_of(), "stocks").items()} == {
        lane: len(item.dates) for lane, item in early.items()
    }


def test_the_seed_of_a_year_depends_on_no_other_year(bench: Bench, night_of: Callable[..., Night]) -> None:
    walk(night_of(walk_forward={"max_years": 1}))
    (alone,) = bench.jobs
    bench.jobs.clear()
    walk(night_of(walk_forward={"max_years": 5}, force=True))
    seeds = {job.output_dir.parent.name: job.seed for job in bench.jobs}
    assert seeds["2021"] == alone.seed != seeds["2020"]


def test_several_seeds_are_trained_and_the_best_is_traded(bench: Bench, night_of: Callable[..., Night]) -> None:
    night = night_of(walk_forward={"max_years": 1, "seeds": 3})
    walk(night)
    assert len({job.seed for job in bench.jobs}) == 3
    assert {job.output_dir.name for job in bench.jobs} == {"seed-0", "seed-1", "seed-2"}
    folds = night.warehouse.read(FOLDS)
    assert folds[folds["kind"] == "policy"]["seeds"].tolist() == [3]
    ledger = night.warehouse.read(LEDGER)
    assert sorted(ledger["seed"]) == sorted(job.seed for job in bench.jobs)
    assert set(ledger["kind"]) == {"seed"}
    assert set(ledger["last_date"].astype(str)) == {"2020-12-29"}
    assert trials_of(night.warehouse, "stocks").number == 3


def test_a_training_ends_before_the_year_and_the_embargo(bench: Bench, night_of: Callable[..., Night]) -> None:
    walk(night_of(walk_forward={"max_years": 1}))
    (job,) = bench.jobs
    assert job.panel_validation.dates[-1] == np.datetime64("2020-12-29")  # two sessions before 2021-01-01
    assert job.panel_train.dates[-1] < job.panel_validation.dates[job.recipe.window] - np.timedelta64(2, "D")


def test_a_year_that_fails_is_noted_and_tried_again(bench: Bench, night_of: Callable[..., Night]) -> None:
    bench.fails["2020"] = TrainingError("loss must be finite, got nan")
    receipt = walk(night_of())
    assert receipt.failures == {"stocks 2020": "loss must be finite, got nan"}
    assert receipt.notes == ("stocks 2020: loss must be finite, got nan",)
    assert receipt.computed == ("stocks 2021",)
    own = next(row for row in receipt.table if not row.is_baseline)
    rule = next(row for row in receipt.table if row.name == "equal_weight")
    assert own.sessions < rule.sessions
    bench.fails.clear()
    bench.jobs.clear()
    assert walk(night_of()).computed == ("stocks 2020",)
    assert bench.trained == ["2020"]


def test_an_agent_of_whom_no_year_can_be_trained_fails(bench: Bench, night_of: Callable[..., Night]) -> None:
    bench.fails = {"2020": TrainingError("no core"), "2021": TrainingError("no core")}
    with pytest.raises(TrainingError, match=r"^no core$"):
        walk(night_of())


def test_a_run_that_is_killed_goes_on_with_the_years_that_are_there(
    bench: Bench, night_of: Callable[..., Night]
) -> None:
    bench.fails["2021"] = RuntimeError("the process ends here")
    with pytest.raises(RuntimeError):
        walk(night_of())
    bench.fails.clear()
    bench.jobs.clear()
    assert walk(night_of()).computed == ("stocks 2021",)
    assert bench.trained == ["2021"]


def test_a_year_whose_data_were_revised_is_computed_anew(bench: Bench, night_of: Callable[..., Night]) -> None:
    first = walk(night_of())
    bench.jobs.clear()
    bench.panel = market(revised="2021-06-01")
    receipt = walk(night_of())
    assert bench.trained == ["2021"]
    assert receipt.notes == ("computed anew, for data or settings that changed: stocks 2021",)
    (lane,) = [key for key in receipt.folds if key.startswith("stocks@")]
    assert receipt.folds[lane]["2020"] == first.folds[lane]["2020"]
    assert receipt.folds[lane]["2021"] != first.folds[lane]["2021"]


def test_a_history_that_another_run_has_replaced_is_not_read_as_ones_own(
    bench: Bench, night_of: Callable[..., Night]
) -> None:
    mine, other = night_of(walk_forward={"max_years": 1}), night_of(walk_forward={"max_years": 2})
    walk(mine)
    bench.panel = market(revised="2021-06-01")
    walk(other)
    with pytest.raises(PipelineError, match="another run has replaced 2021"):
        histories(mine, "stocks")
    bench.panel = market()
    assert walk(mine).computed == ("stocks 2021",)
    assert histories(mine, "stocks")


def test_what_is_stored_is_what_was_traded_at_both_costs(bench: Bench, night_of: Callable[..., Night]) -> None:
    night = night_of()
    receipt = walk(night)
    found = histories(night, "stocks")
    (lane,) = [key for key in found if key.startswith("stocks@")]
    own, rule = found[lane], found["baseline:equal_weight"]
    assert (own.dates == rule.dates).all()
    assert own.dates[0] == np.datetime64("2020-01-01") and own.dates[-1] == np.datetime64("2021-12-31")
    # Each year buys its book anew: at twice the costs its first session costs twice as much.
    entries = [0, int(np.searchsorted(own.dates, np.datetime64("2021-01-01")))]
    assert (own.turnover[entries] > 0.2).all()
    assert own.returns[entries] - own.returns_double_cost[entries] == pytest.approx(own.cost[entries], rel=0.01)
    assert (found["baseline:cash"].returns == 0.0).all()
    assert {row.name for row in receipt.table} == {"stocks"} | {
        key.removeprefix("baseline:") for key in found if key != lane
    }


def test_too_short_a_market_has_no_history_and_says_so(bench: Bench, night_of: Callable[..., Night]) -> None:
    bench.panel = market("2020-03-01")
    receipt = walk(night_of(windows=WINDOWS | {"min_train_days": 400}))
    assert receipt.table == () and receipt.folds == {}
    assert receipt.notes == ("no history: no complete year with 400 days of training before it",)
    assert histories(night_of(), "stocks") == {}


def test_every_lane_has_a_history_of_its_own(bench: Bench, night_of: Callable[..., Night]) -> None:
    lanes = {"stocks-fast": {"agent": "stocks", "recipe": {"learning_rate": 0.01}}}
    receipt = walk(night_of(lanes=lanes, walk_forward={"max_years": 1}))
    assert receipt.computed == ("stocks 2021", "stocks-fast 2021")
    assert [row.name for row in receipt.table if not row.is_baseline] == ["stocks", "stocks-fast"]


def test_the_terminal_hears_of_every_year_and_the_bar_is_full_at_the_end_only(
    bench: Bench, night_of: Callable[..., Night]
) -> None:
    events: list[ProgressEvent] = []
    listen(events.append)
    try:
        walk(night_of())
    finally:
        unlisten(events.append)
    notes = [event.note for event in events]
    assert notes[0] == "2 years to train" and notes[-1] == "2020 to 2021, 2 trained"
    assert {"stocks 2020 has ended", "stocks 2021 has ended"} <= set(notes)
    assert all(event.done < event.total for event in events[:-1])
    assert events[-1].done == events[-1].total


@pytest.mark.slow
def test_years_are_trained_in_ray_and_a_second_run_trains_none(
    monkeypatch: pytest.MonkeyPatch, night_of: Callable[..., Night]
) -> None:
    panel = market()
    monkeypatch.setattr(stage, "agent_panel", lambda night, agent: panel)
    monkeypatch.setattr(stage, "finished", lambda *_: {"stocks": SimpleNamespace(data_version=panel.content_hash)})
    tiny = {"env_steps": 1024, "train_batch_size": 512, "minibatch_size": 256, "hidden_sizes": [8], "num_accounts": 16}
    settings = {
        "training": {"evaluations": 1, "episode_days": 20},
        "agents": {name: recipe.model_dump() for name, recipe in Settings().agents.items()}
        | {"stocks": {"algorithm": "PPO"} | tiny},
    }
    night = night_of(**settings)
    with training_cluster(night):
        receipt = walk(night)
        assert receipt.computed == ("stocks 2020", "stocks 2021")
        assert not list((night.folder / stage.STAGE).rglob("*.onnx"))  # no training is kept
        stored = night.warehouse.read(FOLDS)
        hashes = stored[stored["kind"] == "policy"]["weights_hash"].tolist()
        assert len(set(hashes)) == 2 and all(len(item) == 64 for item in hashes)
        assert walk(night) == receipt
        other = night_of("run2", **settings | {"walk_forward": {"max_years": 1}})
        assert walk(other).computed == ()
        # The same year, trained for itself: the same weights and the same returns.
        before = histories(other, "stocks")
        forced = night_of("run3", force=True, **settings | {"walk_forward": {"max_years": 1}})
        walk(forced)
    after = histories(forced, "stocks")
    assert all((after[lane].returns == item.returns).all() for lane, item in before.items())
