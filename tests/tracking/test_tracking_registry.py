"""The registry: versions, who is in charge, the way back, and the trail of it all."""

import json
from pathlib import Path

import pytest

from wealtharena.core.errors import RegistryError
from wealtharena.settings import Settings
from wealtharena.tracking import Act, ModelRegistry, ModelState
from wealtharena.tracking import registry as registry_module
from wealtharena.tracking.trail import as_text, new_key


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


def test_an_alias_that_a_person_moved_in_mlflow_is_respected(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    registry.promote("stocks", "1", "d1")
    registry.tracker.client.set_registered_model_alias("wealtharena-stocks", "champion", "2")
    registry.promote("stocks", "3", "d3")
    assert [entry.act for entry in registry.history("stocks")] == ["promoted", "found", "promoted"]
    assert [registry.rollback("stocks").version for _ in range(2)] == ["2", "1"]


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


def test_the_trail_tells_every_move_with_decision_moment_and_who(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    assert registry.history("stocks") == ()
    registry.promote("stocks", "1", "d1", reason="first champion", state=ModelState.UNPROVEN)
    registry.promote("stocks", "2", "d2", state=ModelState.PROVISIONAL)
    registry.mark("stocks", ModelState.CONFIRMED, "d3", reason="E is 24")
    registry.rollback("stocks", by="Ada", reason="drawdown on Friday", decision_id="d4")
    registry.retire("stocks", "3", by="prune", reason="old")
    trail = registry.history("stocks")
    assert [(e.number, e.act, e.before, e.after, e.decision_id, e.by, e.state) for e in trail] == [
        (1, "promoted", "", "1", "d1", "gate", "unproven"),
        (2, "promoted", "1", "2", "d2", "gate", "provisional"),
        (3, "state", "2", "2", "d3", "gate", "confirmed"),
        (4, "rolled_back", "2", "1", "d4", "Ada", ""),
        (5, "retired", "3", "", "", "prune", ""),
    ]
    assert [e.at for e in trail] == sorted(e.at for e in trail)
    assert (trail[2].reason, trail[3].reason) == ("E is 24", "drawdown on Friday")
    assert [registry.version("stocks", version).state for version in ("1", "2")] == ["unproven", "confirmed"]


def test_the_same_state_again_is_no_news(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    registry.promote("stocks", "1", "d1", state=ModelState.PROVISIONAL)
    for _ in range(2):
        assert registry.mark("stocks", ModelState.CONFIRMED, "d2").state == "confirmed"
    assert [entry.act for entry in registry.history("stocks")] == [Act.PROMOTED, Act.STATE]


def test_states_are_known_ones_and_need_a_champion(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa")
    with pytest.raises(RegistryError, match="must be one of unproven, provisional, confirmed, got 'great'"):
        registry.promote("stocks", "1", "d1", state="great")
    with pytest.raises(RegistryError, match="stocks has no champion that could be confirmed"):
        registry.mark("stocks", ModelState.CONFIRMED, "d1")


def test_a_champion_promoted_again_by_another_decision_stays_one_step(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb")
    for version, decision in (("1", "d1"), ("2", "d2"), ("2", "d3")):
        registry.promote("stocks", version, decision)
    assert len(registry.history("stocks")) == 3
    assert registry.rollback("stocks").version == "1"


def test_what_serves_or_may_serve_again_is_not_retired(registry: ModelRegistry, bundle: Path, run_id: str) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc", "dd")
    registry.promote("stocks", "1", "d1")
    registry.promote("stocks", "2", "d2")
    registry.set_challenger("stocks", "3")
    registry.tracker.client.set_registered_model_alias("wealtharena-stocks", "keep-for-audit", "4")
    assert registry.aliases("stocks") == {"champion": "2", "challenger": "3", "keep-for-audit": "4"}
    for version in ("1", "2", "3", "4"):
        with pytest.raises(RegistryError, match=f"version {version} must stay: it bears an alias, or a rollback"):
            registry.retire("stocks", version, by="prune", reason="old")
        assert registry.download("stocks", version).is_dir()


def test_a_retired_version_stays_on_record_without_its_files(
    registry: ModelRegistry, bundle: Path, run_id: str
) -> None:
    register(registry, bundle, run_id, "aa", "bb")
    registry.promote("stocks", "1", "d1")
    folder = registry.download("stocks", "2")
    for _ in range(2):
        registry.retire("stocks", "2", by="prune", reason="old")
    assert not folder.exists()
    assert registry.version("stocks", "2").is_retired
    assert [entry.act for entry in registry.history("stocks")] == [Act.PROMOTED, Act.RETIRED]
    for refused in (
        lambda: registry.download("stocks", "2"),
        lambda: registry.promote("stocks", "2", "d2"),
    ):
        with pytest.raises(RegistryError, match=r"files of stocks version 2 were removed on 20\d\d-.* to save space"):
            refused()
    assert register(registry, bundle, run_id, "bb") == ["3"]
    assert registry.download("stocks", "3").is_dir()


def test_a_rival_that_writes_at_the_same_time_goes_first(
    registry: ModelRegistry, bundle: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file lock holds on one machine; the rival here stands for one on another machine, past the lock."""
    register(registry, bundle, run_id, "aa", "bb", "cc")
    registry.promote("stocks", "1", "d1")
    client = registry.tracker.client
    write = client.set_registered_model_tag
    rival = {**json.loads(as_text(registry.history("stocks")[0])), "number": 2, "before": "1", "after": "3"}

    def write_after_a_rival(name: str, key: str, value: str) -> None:
        monkeypatch.setattr(client, "set_registered_model_tag", write)
        write(name, new_key(2), json.dumps({**rival, "decision_id": "rival"}))
        client.set_registered_model_alias(name, "champion", "3")
        write(name, key, value)

    monkeypatch.setattr(client, "set_registered_model_tag", write_after_a_rival)
    registry.promote("stocks", "2", "d2")
    trail = registry.history("stocks")
    assert [(e.number, e.before, e.after, e.decision_id) for e in trail] == [
        (1, "", "1", "d1"), (2, "1", "3", "rival"), (3, "3", "2", "d2"),
    ]  # fmt: skip
    assert [registry.rollback("stocks").version for _ in range(2)] == ["3", "1"]


def test_a_rival_that_moves_the_alias_meanwhile_is_told(
    registry: ModelRegistry, bundle: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry, bundle, run_id, "aa", "bb", "cc")
    registry.promote("stocks", "1", "d1")
    client = registry.tracker.client
    move = client.set_registered_model_alias
    with monkeypatch.context() as patch:
        patch.setattr(client, "set_registered_model_alias", lambda name, alias, _: move(name, alias, "3"))
        with pytest.raises(RegistryError, match="moved by two writers at once: version 2 was wanted here, 3 it is"):
            registry.promote("stocks", "2", "d2")
    assert registry.promote("stocks", "2", "d2").version == "3"
    assert registry.promote("stocks", "2", "d3").version == "2"
    assert [(e.act, e.after) for e in registry.history("stocks")] == [
        ("promoted", "1"), ("promoted", "2"), ("found", "3"), ("promoted", "2"),
    ]  # fmt: skip


def test_a_writer_that_always_meets_another_gives_up_and_moves_nothing(
    registry: ModelRegistry, bundle: Path, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry, bundle, run_id, "aa", "bb")
    registry.promote("stocks", "1", "d1")
    client = registry.tracker.client
    write = client.set_registered_model_tag
    entry = as_text(registry.history("stocks")[0])

    def write_beside_a_rival(name: str, key: str, value: str) -> None:
        write(name, new_key(int(key.split(".")[1])), entry)
        write(name, key, value)

    monkeypatch.setattr(registry_module, "_PAUSE_S", 0.0)
    monkeypatch.setattr(client, "set_registered_model_tag", write_beside_a_rival)
    with pytest.raises(RegistryError, match="gave way to other writers 8 times: repeat it later"):
        registry.promote("stocks", "2", "d2")
    assert champion(registry) == "1"


def champion(registry: ModelRegistry) -> str:
    found = registry.alias("stocks", "champion")
    assert found is not None
    return found.version
