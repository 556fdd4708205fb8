"""Retention as a rule: what anything points to stays, and so do the newest and the young."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wealtharena.settings import RegistrySettings
from wealtharena.tracking.registry import RETIRED, ModelVersionInfo
from wealtharena.tracking.retention import trail_pointers, verdicts
from wealtharena.tracking.trail import Act, TrailEntry, champions_of

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RULES = RegistrySettings(keep_versions=2, keep_days=30)


def info(version: int, days: int = 400, retired: bool = False) -> ModelVersionInfo:
    tags = {RETIRED: "2026-01-01"} if retired else {}
    return ModelVersionInfo("stocks", str(version), "file:///x", "run", f"h{version}", tags, NOW - timedelta(days=days))


def test_old_versions_that_nothing_points_to_go_and_the_rest_says_why_it_stays() -> None:
    versions = [info(10, 5), info(9, 40), info(3, 29), info(2, 30), info(1), info(4, retired=True), info(5)]
    found = verdicts(versions, {"1": ["alias champion"], "10": ["alias challenger"]}, RULES, NOW)
    assert {verdict.version: verdict.reasons for verdict in found} == {
        "1": ("alias champion",),
        "2": (),
        "3": ("younger than 30 days",),
        "5": (),
        "9": ("one of the newest 2",),
        "10": ("alias challenger", "one of the newest 2", "younger than 30 days"),
    }
    assert [verdict.version for verdict in found if verdict.goes] == ["2", "5"]
    assert [verdict.version for verdict in found] == ["1", "2", "3", "5", "9", "10"]


TRAILS = st.lists(
    st.tuples(
        st.sampled_from([Act.PROMOTED, Act.ROLLED_BACK, Act.CUT_SHORT, Act.FOUND, Act.STATE, Act.RETIRED]),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    max_size=25,
)


@given(
    trail=TRAILS,
    ages=st.lists(st.integers(0, 900), min_size=1, max_size=9),
    retired=st.sets(st.integers(1, 9)),
    keep_versions=st.integers(1, 5),
    keep_days=st.integers(1, 500),
)
def test_whatever_the_trail_says_no_version_that_it_names_and_none_of_the_newest_or_young_goes(
    trail: Sequence[tuple[Act, int, int]], ages: list[int], retired: set[int], keep_versions: int, keep_days: int
) -> None:
    entries = [
        TrailEntry(number, act, str(before or ""), str(after or ""), NOW, "gate")
        for number, (act, before, after) in enumerate(trail, 1)
    ]
    pointers = {version: [reason] for version, reason in trail_pointers(entries).items()}
    versions = [info(number, days, number in retired) for number, days in enumerate(ages, 1)]
    rules = RegistrySettings(keep_versions=keep_versions, keep_days=keep_days)
    found = {verdict.version: verdict for verdict in verdicts(versions, pointers, rules, NOW)}
    present = [item for item in versions if not item.is_retired]
    going = {version for version, verdict in found.items() if verdict.goes}
    named = {text for e in entries if e.act is not Act.RETIRED for text in (e.before, e.after)}
    assert set(found) == {item.version for item in present}
    assert not going & named
    assert not going & set(champions_of(entries))
    assert not going & {item.version for item in present[-keep_versions:]}
    assert all((NOW - item.created_at).days >= keep_days for item in present if item.version in going)
    # And nothing stays for no reason.
    assert all(verdict.reasons for version, verdict in found.items() if version not in going)
