"""The examples of docs/environments.md run as they stand."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def run(blocks: list[str]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102  # our own page
    return names


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = run([block for block in BLOCKS if "from ray" not in block])
    assert names["info"]["is_demo"] is True
    assert names["observations"].keys() == {"momentum", "value"}
    assert names["rewards"].keys() == {"momentum", "value"}
    assert np.isfinite(names["env"].reset()[0]).all()
    printed = capsys.readouterr().out
    for block in BLOCKS:
        for promised in re.findall(r"^print\(.*\)  # (.*)$", block, re.MULTILINE):
            assert promised in printed


@pytest.mark.slow
@pytest.mark.usefixtures("own_ray")
def test_the_example_of_rllib_runs() -> None:
    (data,) = [block for block in BLOCKS if "panel_from_frames" in block]
    (training,) = [block for block in BLOCKS if "from ray" in block]
    run(["import gymnasium", data, training])


def test_the_page_keeps_to_its_width() -> None:
    assert max(map(len, PAGE.read_text(encoding="utf-8").splitlines())) <= 120
