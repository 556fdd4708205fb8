"""Which tests share a process, where several run side by side."""

from collections.abc import Generator

import pytest


# A wrapper comes before every other hook: xdist reads the groups in its own.
@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    """The tests of a file share its fixtures; the README's first night is shared by those of several files."""
    for item in items:
        shared = "first_night" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("first-night" if shared else item.nodeid.partition("::")[0]))
    return (yield)
