"""What every test gets: an environment that says nothing about the machine it runs on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "MESHDEMO_ENVOY")


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide proxies, kubeconfigs, a home folder and colours; fix the terminal's width."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(KEPT):
            if not name.startswith("PYTEST_"):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("COLUMNS", "120")
        patch.setenv("NO_COLOR", "1")
        yield
