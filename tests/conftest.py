"""Which tests share a process, where several run side by side."""

import pytest


# First: xdist reads the groups in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file share its fixtures; the README's first night is shared by those of several files."""
    for item in items:
        shared = "first_night" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("first-night" if shared else item.nodeid.partition("::")[0]))
