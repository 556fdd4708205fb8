"""Which tests share a process, where several run side by side."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# These look at the night that the README begins with: it is run once for all of them.
_FIRST_NIGHT = tuple(f"tests/flows/test_flows_{name}.py" for name in ("cli", "night", "readme"))


class ByFile(LoadScopeScheduling):
    """The tests of a file share a process, for they share its fixtures; so do the files of the first night."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "first night" if file in _FIRST_NIGHT else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """xdist's own ``--dist loadgroup`` names groups in node ids, which pytest 9 lets nobody change."""
    return ByFile(config, log)
