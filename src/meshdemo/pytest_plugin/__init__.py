"""The plugin for pytest: ``*.meshtest.yaml`` are tests, and ``mesh`` is a mesh of real Envoys.

pytest imports this module in every run where meshdemo is installed: it must import nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.pytest_plugin.collecting import RouteTests
    from meshdemo.pytest_plugin.mesh import Mesh

SUFFIX = ".meshtest.yaml"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> RouteTests | None:
    """Collect a file of route tests."""
    if not file_path.name.endswith(SUFFIX):
        return None
    from meshdemo.pytest_plugin.collecting import RouteTests  # noqa: PLC0415 - see above

    return RouteTests.from_parent(parent, path=file_path)


@pytest.fixture(scope="session")
def mesh() -> Iterator[Mesh]:
    """A mesh of real Envoys for rules that tests apply: apply(), get() and verify()."""
    from meshdemo.pytest_plugin.mesh import Mesh  # noqa: PLC0415 - see above

    with Mesh() as found:
        yield found
