"""The journal: an entry is there as a whole or not at all, and is read back as it was written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from warehouse import Journal
from wealtharena.core.errors import WarehouseError


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "home" / "journal")


def test_entries_come_back_in_order_with_their_metadata(journal: Journal) -> None:
    rows = pa.table({"symbol": ["AAA"], "close": [1.5]})
    journal.append({"vendor": "yahoo", "n": 1}, rows)
    journal.append({"vendor": "fred", "n": 2}, rows.slice(0, 0))
    journal.append({"vendor": "rest", "n": 3}, pd.DataFrame({"day": pd.to_datetime(["2026-01-01"]), "close": [None]}))
    found = journal.entries()
    assert [entry.metadata for entry in found] == [
        {"vendor": "yahoo", "n": 1},
        {"vendor": "fred", "n": 2},
        {"vendor": "rest", "n": 3},
    ]
    assert found[0].rows == rows
    assert found[1].rows.num_rows == 0
    assert found[2].rows.to_pandas()["day"].tolist() == [pd.Timestamp("2026-01-01")]
    assert [entry.path for entry in found] == sorted(journal.folder.iterdir())


def test_discarded_entries_are_gone_and_later_ones_stay_behind_the_rest(journal: Journal) -> None:
    assert journal.entries() == []
    rows = pa.table({"n": [1]})
    for number in range(3):
        journal.append({"n": number}, rows)
    first, *others = journal.entries()
    journal.discard([first])
    journal.discard([first])
    journal.append({"n": 3}, rows)
    assert [entry.metadata["n"] for entry in journal.entries()] == [1, 2, 3]
    journal.discard([*others, *journal.entries()])
    assert list(journal.folder.iterdir()) == []


@pytest.mark.parametrize("harm", ["short", "cut", "empty", "foreign"])
def test_a_damaged_entry_is_set_aside_with_a_warning_and_the_others_are_read(
    journal: Journal, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = journal.append({"n": 1}, pa.table({"n": list(range(1000))}))
    journal.append({"n": 2}, pa.table({"n": [1]}))
    content = path.read_bytes()
    foreign = content.replace(b"wealtharena", b"otherwriter")
    path.write_bytes({"short": content[:100], "cut": content[:-100], "empty": b"", "foreign": foreign}[harm])
    assert [entry.metadata["n"] for entry in journal.entries()] == [2]
    assert path.with_suffix(".damaged").exists()
    assert f"{path.with_suffix('.damaged')} is damaged" in caplog.text
    assert [entry.metadata["n"] for entry in journal.entries()] == [2]


def test_what_a_killed_process_left_half_written_is_removed_and_what_a_living_one_writes_is_not(
    journal: Journal,
) -> None:
    journal.append({"n": 1}, pa.table({"n": [1]}))
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    abandoned = journal.folder / f".{int(gone.stdout)}-0123456789ab.unfinished"
    growing = journal.folder / f".{os.getpid()}-0123456789ab.unfinished"
    for path in (abandoned, growing):
        path.write_bytes(b"ARROW1")
    assert [entry.metadata["n"] for entry in journal.entries()] == [1]
    assert not abandoned.exists()
    assert growing.exists()


def test_a_process_killed_while_appending_leaves_whole_entries_only(journal: Journal) -> None:
    code = (
        "import itertools, sys, pyarrow as pa; from pathlib import Path; from warehouse.journal import Journal\n"
        "journal, rows = Journal(Path(sys.argv[1])), pa.table({'n': list(range(20_000))})\n"
        "for number in itertools.count(): journal.append({'n': number}, rows); print(number, flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(journal.folder)], stdout=subprocess.PIPE, text=True, env=environment
    ) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
    found = journal.entries()
    assert len(found) >= len(seen)
    assert [entry.metadata["n"] for entry in found] == list(range(len(found)))
    assert all(entry.rows.num_rows == 20_000 for entry in found)
    assert len(list(journal.folder.iterdir())) == len(found)


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(WarehouseError, match=r"journal entry could not be written: .*Not a directory"):
        Journal(tmp_path / "file" / "journal").append({}, pa.table({"n": [1]}))
