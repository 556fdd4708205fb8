"""Lists on the command line: ``--classes stocks crypto`` means both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.options import LIST_OPTIONS, repeat_lists

WORDS = st.sampled_from(["collect", "stocks", "ASX", "2020-01-02", "--source", "--force", "-v", *LIST_OPTIONS])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("collect --classes stocks crypto", "collect --classes stocks --classes crypto"),
        (
            "collect --classes stocks crypto etfs --exchanges ASX NYSE --source live",
            "collect --classes stocks --classes crypto --classes etfs --exchanges ASX --exchanges NYSE --source live",
        ),
        ("collect --classes stocks --force", "collect --classes stocks --force"),
        ("collect --exchanges ASX -v --classes reits", "collect --exchanges ASX -v --classes reits"),
        ("data history BHP.AX --session 2024-03-01", "data history BHP.AX --session 2024-03-01"),
        ("nightly --agent stocks crypto", "nightly --agent stocks crypto"),
        ("collect --classes", "collect --classes"),
        ("", ""),
    ],
)
def test_a_list_is_written_out_and_nothing_else_is_touched(typed: str, meant: str) -> None:
    assert repeat_lists(typed.split()) == meant.split()


@given(st.lists(WORDS, max_size=12))
def test_what_is_written_out_stays_as_it_is_and_no_value_is_lost(words: list[str]) -> None:
    written = repeat_lists(words)
    assert repeat_lists(written) == written
    assert [word for word in written if word not in LIST_OPTIONS] == [
        word for word in words if word not in LIST_OPTIONS
    ]
