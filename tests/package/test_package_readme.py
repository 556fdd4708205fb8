"""The README's example of an environment runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_of_an_environment_trades_a_session() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "gymnasium.make" in block]
    names: dict[str, object] = {}
    exec(example, names)  # noqa: S102 - our own file
    info = names["info"]
    assert isinstance(info, dict)
    assert 0.9 < info["equity"] < 1.1
    assert "log_return" in info["reward_terms"]
