"""A disk that fills up while it is collected: words, an intact warehouse, and a later run that goes on from there."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from collection_nights import END, SERIES, Children, Nights, assert_same_content, content
from stand_in import StandIn
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.vendors import MACRO

pytestmark = pytest.mark.slow

START = date(2023, 7, 3)
GROUPS = ("crypto", MACRO)
COINS = tuple(
    Instrument(f"{name}-USD", AssetClass.CRYPTO, "24/7", aliases=(("coingecko", name.lower()),))
    for name in ("AAA", "BBB", "CCC")
)
LARGE_KIB = 65_536


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("only root may mount a small file system")
    try:
        resize(folder, LARGE_KIB)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def resize(folder: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)


def used_kib(folder: Path) -> int:
    told = os.statvfs(folder)
    return (told.f_blocks - told.f_bfree) * told.f_frsize // 1024


@pytest.mark.parametrize("is_later", [False, True], ids=["first night", "later night"])
def test_a_full_disk_ends_in_words_and_with_room_the_night_goes_on(tmp_path: Path, is_later: bool) -> None:
    with (
        StandIn(World(2, COINS, START, END, SERIES[1:])) as stand_in,
        Children(tmp_path / "errors") as children,
        disk(tmp_path / "large") as large,
    ):
        nights = Nights.over(tmp_path, stand_in)
        if is_later:
            assert children.run(nights.job("before", *GROUPS))[0] == [0], children.told()
            stand_in.world.advance(END + timedelta(days=2))
            shutil.copytree(nights.home, large / "home")
        needed = [used_kib(large)]
        whole = nights.at(large / "home")
        assert children.run(whole.job("whole", *GROUPS))[0] == [0], children.told()
        needed.append(used_kib(large))
        for number, share in enumerate((0.0, 0.15, 0.6)):
            with disk(tmp_path / f"small-{number}") as small:
                fill_and_go_on(children, nights, whole, small, int(needed[0] + share * (needed[1] - needed[0])))


def fill_and_go_on(children: Children, nights: Nights, whole: Nights, small: Path, kib: int) -> None:
    """A night for which the disk is too small, and the same night again with room."""
    own = nights.at(small / "home")
    if nights.home.exists():
        shutil.copytree(nights.home, own.home)
    before = content(own.warehouse)
    # A size of 0 would mean no limit.
    resize(small, max(kib, used_kib(small), 4))
    children.errors.write_bytes(b"")
    codes, _ = children.run(own.job("full", *GROUPS))
    assert codes == [1], "it did fit"
    told = children.told()
    assert "Traceback" not in told
    words = told.strip().splitlines()[-1]
    assert words.startswith(("WarehouseError: ", "VendorError: "))
    full = ("no space left on device", "quota file must be readable and writable")
    assert any(text in words.lower() for text in full)
    after = content(own.warehouse)
    assert before.keys() <= after.keys()
    assert all(len(after[name]) >= len(rows) for name, rows in before.items() if name.startswith("raw_"))
    resize(small, LARGE_KIB)
    assert children.run(own.job("again", *GROUPS))[0] == [0], children.told()
    assert_same_content(own.warehouse, content(whole.warehouse))
