"""Collections that are killed, and collections that meet: the warehouse holds what one undisturbed run gives.

``WEALTHARENA_TEST_KILLS`` says how often they are killed.
"""

import os
import random
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from collection_nights import (
    END,
    SERIES,
    Children,
    Nights,
    assert_core_is_truth,
    assert_raw_is_truth,
    assert_same_content,
    content,
    stored_answers,
)
from stand_in import StandIn
from stand_in_world import World

from wealtharena.core.asset_class import AssetClass
from wealtharena.core.market_data import Instrument
from wealtharena.vendors import MACRO

pytestmark = pytest.mark.slow

START = date(2023, 7, 3)
FUNDS = tuple(Instrument(name, AssetClass.ETFS, "XNYS") for name in ("EA", "EB", "EC"))
COINS = tuple(
    Instrument(f"{name}-USD", AssetClass.CRYPTO, "24/7", aliases=(("coingecko", name.lower()),))
    for name in ("AAA", "BBB", "CCC")
)
KILLS = int(os.environ.get("WEALTHARENA_TEST_KILLS", "8"))
KILLS_OF_ONE_NIGHT = 5


class Scene:
    """One world and its vendors, and processes that collect from them; ``span_s``: how long a collection takes."""

    def __init__(self, folder: Path, stand_in: StandIn, children: Children) -> None:
        self.folder, self.stand_in, self.children = folder, stand_in, children
        self.nights = Nights.over(folder, stand_in)
        self.span_s = 0.0

    @property
    def world(self) -> World:
        return self.stand_in.world

    def run(self, nights: Nights, *groups: str, runs: tuple[str, ...] = ("whole",)) -> None:
        """Collects to the end, in as many processes at once as there are runs."""
        codes, self.span_s = self.children.run(*(nights.job(run, *groups) for run in runs))
        assert codes == [0] * len(runs), self.children.told()

    def kill_until_done(self, home: Path, groups: tuple[str, ...], draw: random.Random) -> int:
        """Kills one night several times, each time at a random moment, then lets it end; returns how often.

        No answer that was safe at a kill may be asked for again.
        """
        nights = self.nights.at(home)
        night_id = nights.night("any").night_id
        for attempt in range(KILLS_OF_ONE_NIGHT + 1):
            safe = stored_answers(home, night_id, self.folder / "scratch")
            self.stand_in.forget()
            after_s = draw.uniform(0.0, self.span_s) if attempt < KILLS_OF_ONE_NIGHT else None
            codes, seconds = self.children.run(nights.job(f"run-{attempt}", *groups), kill_after_s=after_s)
            asked = {(item.vendor, item.symbol) for item in self.stand_in.requests if item.symbol}
            assert not asked & safe, f"attempt {attempt} asked again for what was stored"
            if codes == [0]:
                # What is stored need not be asked for: later runs of a night are shorter.
                self.span_s = min(self.span_s, seconds)
                break
            assert codes == [-9], self.children.told()
        assert codes == [0]
        return attempt


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    world = World(2, (*FUNDS, *COINS), START, END, SERIES[1:])
    with StandIn(world) as stand_in, Children(tmp_path / "errors") as children:
        yield Scene(tmp_path, stand_in, children)


def test_a_first_night_killed_anywhere_ends_like_one_that_was_not(scene: Scene) -> None:
    groups = ("crypto",)
    scene.run(scene.nights, *groups)
    assert_whole(scene, "AAA-USD", "BBB-USD", "CCC-USD")
    whole = content(scene.nights.warehouse)
    kill_everywhere(scene, None, groups, whole)


def test_a_later_night_killed_anywhere_ends_like_one_that_was_not(scene: Scene) -> None:
    """With a split, a revision and vintages between the nights: a history is reloaded, rows get new versions."""
    groups = ("etfs", MACRO)
    scene.run(scene.nights, *groups)
    base = shutil.copytree(scene.nights.home, scene.folder / "base")
    tonight = END + timedelta(days=2)
    scene.world.advance(tonight)
    scene.world.add_split("EA", tonight, 3.0)
    close = float(scene.world.bars("EB")["close"].iloc[-4])
    scene.world.revise("EB", date(2024, 5, 13), close=round(close * 1.002, 2), high=round(close * 1.05, 2))
    scene.world.revise_macro("CPIAUCSL", date(2024, 2, 1), 250.0, tonight)
    scene.run(scene.nights, *groups)
    assert_whole(scene, "EA", "EB", "EC")
    whole = content(scene.nights.warehouse)
    epochs = whole["raw_yahoo__daily_bars"].groupby("symbol")["epoch"].max()
    assert epochs.to_dict() == {"EA": 1, "EB": 0, "EC": 0}
    kill_everywhere(scene, base, groups, whole)


def test_two_collections_at_once_end_like_one_and_ask_no_more(scene: Scene) -> None:
    groups = ("etfs", "crypto")
    scene.run(scene.nights, *groups)
    alone = requests_of(scene)
    scene.stand_in.forget()
    pair = scene.nights.at(scene.folder / "pair")
    scene.run(pair, *groups, runs=("left", "right"))
    assert requests_of(scene) == alone
    assert_same_content(pair.warehouse, content(scene.nights.warehouse))


def kill_everywhere(scene: Scene, base: Path | None, groups: tuple[str, ...], whole: dict[str, pd.DataFrame]) -> None:
    """Kills nights, on copies of ``base``, until there were ``KILLS`` kills; each ends with the tables of ``whole``."""
    kills, nights = 0, 0
    draw = random.Random(1)  # noqa: S311
    while kills < KILLS:
        home = scene.folder / f"killed-{nights}"
        if base is not None:
            shutil.copytree(base, home)
        kills += scene.kill_until_done(home, groups, draw)
        assert_same_content(scene.nights.at(home).warehouse, whole)
        nights += 1
        assert nights < KILLS, "most runs ended before they were killed"


def assert_whole(scene: Scene, *symbols: str) -> None:
    """The undisturbed run's tables are the vendors' truth."""
    for symbol in symbols:
        assert_raw_is_truth(scene.nights.warehouse, scene.world, "yahoo", symbol, adj_close=False)
        assert_core_is_truth(scene.nights.warehouse, scene.world, symbol)


def requests_of(scene: Scene) -> list[tuple[str, str, str]]:
    """What was asked about symbols and series, sorted."""
    return sorted((item.vendor, item.symbol, item.path) for item in scene.stand_in.requests if item.symbol)
