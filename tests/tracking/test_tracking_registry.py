"""The registry: versions, who is in charge, the way back, and several processes at once."""

import json
import multiprocessing
import multiprocessing.synchronize
from pathlib import Path

import pytest

from wealtharena.core.errors import RegistryError
from wealtharena.settings import Settings
from wealtharena.tracking import ModelRegistry, Tracker

PROCESSES = 3


def register(registry: ModelRegistry, bundle: Path, run_id: str, *hashes: str) -> list[str]:
    return [registry.register("stocks", bundle, run_id, {"bundle_hash": item, "seed": "1"}) for item in hashes]


def test_each_bundle_is_a_version_and_an_equal_one_is_not(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    assert register(registry, bundle, run_id, "aa", "bb", "aa") == ["1", "2", "1"]
    assert registry.register("crypto", bundle, run_id, {"bundle_hash": "aa"}) == "1"


def test_a_version_says_what_was_noted_with_it(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    registry.note("stocks", "1", {"decision": "refused"})
    info = registry.version("stocks", "1")
    assert (info.agent, info.version, info.run_id, info.bundle_hash) == ("stocks", "1", run_id, "aa")
    assert info.tags == {"bundle_hash": "aa", "decision": "refused", "seed": "1"}


def test_a_bundle_comes_back_as_it_went_in(
    registry: ModelRegistry, bundle: Path, run_id: str, settings: Settings
) -> None:
    register(registry, bundle, run_id, "aa")
    (bundle / "policy.onnx").write_bytes(b"overwritten by the next training")
    register(registry, bundle, run_id, "bb")
    folder = registry.download("stocks", "1")
    assert (folder / "policy.onnx").read_bytes() == b"weights"
    assert (folder / "training" / "state.json").is_file()
    assert folder.is_relative_to(settings.home / "mlflow" / "artifacts")


def test_nobody_is_in_charge_at_first(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    assert registry.alias("stocks", "champion") is None
    register(registry, bundle, run_id, "aa")
    assert registry.alias("stocks", "champion") is None
    with pytest.raises(RegistryError, match="stocks has no version with the alias 'champion'"):
        registry.download("stocks", "champion")
    with pytest.raises(RegistryError, match="stocks has no previous champion to go back to: it has no champion at all"):
        registry.rollback("stocks")


def test_promotions_and_rollbacks_go_down_and_up_the_same_steps(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    for number, version in enumerate(["1", "2", "1", "3"]):
        assert registry.promote("stocks", version, f"decision{number}").version == version
        assert champion(registry) == version
    assert registry.version("stocks", "3").tags["previous_champion"] == "1"
    assert [registry.rollback("stocks").version for _ in range(3)] == ["1", "2", "1"]
    with pytest.raises(RegistryError, match="no previous champion to go back to: version 1 is the first one"):
        registry.rollback("stocks")
    assert champion(registry) == "1"
    registry.promote("stocks", "3", "decision9")
    assert registry.rollback("stocks").version == "1"


def test_agents_have_champions_of_their_own(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    registry.register("crypto", bundle, run_id, {"bundle_hash": "aa"})
    registry.promote("stocks", "1", "d1")
    assert registry.alias("crypto", "champion") is None


def test_a_decision_counts_once_even_after_a_rollback(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa", "bb")
    registry.promote("stocks", "1", "d1")
    for _ in range(2):
        registry.promote("stocks", "2", "d2")
    assert registry.rollback("stocks").version == "1"
    assert registry.promote("stocks", "2", "d2").version == "1"
    assert registry.promote("stocks", "2", "d3").version == "2"
    assert registry.rollback("stocks").version == "1"


def test_a_promoted_challenger_is_no_longer_one(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa", "bb")
    registry.promote("stocks", "1", "d1")
    registry.set_challenger("stocks", "2")
    challenger = registry.alias("stocks", "challenger")
    assert challenger is not None
    assert (challenger.version, champion(registry)) == ("2", "1")
    registry.promote("stocks", "2", "d2")
    assert registry.alias("stocks", "challenger") is None


def test_a_promotion_cut_short_before_the_alias_moved_leaves_the_old_champion(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    registry.promote("stocks", "1", "d1")
    registry.promote("stocks", "2", "d2")
    registry.tracker.client.set_registered_model_tag("wealtharena-stocks", "champions", json.dumps(["1", "2", "3"]))
    assert champion(registry) == "2"
    assert registry.promote("stocks", "3", "d3").version == "3"
    assert [registry.rollback("stocks").version for _ in range(2)] == ["2", "1"]


def test_an_alias_that_a_person_moved_in_mlflow_is_respected(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    registry.promote("stocks", "1", "d1")
    registry.tracker.client.set_registered_model_alias("wealtharena-stocks", "champion", "2")
    registry.promote("stocks", "3", "d3")
    assert registry.rollback("stocks").version == "2"


@pytest.mark.parametrize(
    ("tags", "message"),
    [({}, "tag `bundle_hash` of a model must be a hash, got ''"), ({"bundle_hash": "a' OR 'b"}, "must be a hash")],
)
def test_a_bundle_without_a_hash_is_refused(
    registry: ModelRegistry, bundle: Path, run_id: str, tags: dict[str, str], message: str
) -> None:
    with pytest.raises(RegistryError, match=message):
        registry.register("stocks", bundle, run_id, tags)


def test_a_bundle_that_is_not_there_is_refused(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    with pytest.raises(RegistryError, match="the bundle of stocks must be a folder"):
        registry.register("stocks", bundle / "nothing", run_id, {"bundle_hash": "aa"})


def test_a_version_that_is_not_there_is_an_error_of_ours(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    registry.promote("stocks", "1", "d1")
    for act in (
        lambda: registry.version("stocks", "9"),
        lambda: registry.promote("stocks", "9", "d2"),
        lambda: registry.set_challenger("stocks", "9"),
        lambda: registry.note("stocks", "9", {"a": "b"}),
        lambda: registry.download("stocks", "9"),
    ):
        with pytest.raises(RegistryError, match="version=9"):
            act()
    assert champion(registry) == "1"


def test_a_bundle_whose_files_are_gone_is_an_error_of_ours(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    folder = registry.download("stocks", "1")
    folder.rename(folder.with_name("moved"))
    with pytest.raises(RegistryError, match="the files of stocks version 1 are gone: "):
        registry.download("stocks", "1")


@pytest.mark.slow
def test_processes_that_start_on_nothing_and_promote_at_once_end_with_one_champion(
    tmp_path: Path, bundle: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    workers = [
        context.Process(target=_train_and_promote, args=(tmp_path / "home", bundle, number, barrier))
        for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    tracker = Tracker(Settings(home=tmp_path / "home"))
    registry = ModelRegistry(tracker)
    order = [champion(registry)] + [registry.rollback("stocks").version for _ in range(PROCESSES - 1)]
    assert sorted(order) == ["1", "2", "3"]
    runs = tracker.client.search_runs([tracker.experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["night1", "stocks"]


def champion(registry: ModelRegistry) -> str:
    found = registry.alias("stocks", "champion")
    assert found is not None
    return found.version


def _train_and_promote(home: Path, bundle: Path, number: int, barrier: multiprocessing.synchronize.Barrier) -> None:
    tracker = Tracker(Settings(home=home))
    registry = ModelRegistry(tracker)
    barrier.wait(60)
    run_id = tracker.start_agent(tracker.start_night("night1"), "stocks")
    tracker.log_metrics(run_id, {f"metric{number}": 1.0})
    version = registry.register("stocks", bundle, run_id, {"bundle_hash": f"hash{number}"})
    registry.promote("stocks", version, f"decision{number}")
