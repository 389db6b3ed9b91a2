"""Taking a mesh down: whatever runs from files of its folder is waited for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from meshdemo.engines.local import teardown
from meshdemo.engines.local.processes import configuration
from meshdemo.engines.local.programs import RUN_VARIABLE
from meshdemo.engines.local.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_supervisord_that_bears_another_name_than_the_record_is_ended(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    with store.locked("test", 1):
        store.begin("/bin/envoy", "1.2.3", name="0" * 12)
    stand_in = [sys.executable, "-c", "import time; time.sleep(600)"]
    supervisord = subprocess.Popen(
        [*stand_in, "-c", str(store.folder / configuration.CONFIG)], env={RUN_VARIABLE: "a" * 12}
    )
    try:
        checks = list(teardown.take_down(store, timeout=60))
        assert supervisord.poll() is not None
    finally:
        supervisord.kill()
        supervisord.wait()
    assert [check.detail for check in checks if not check.ok] == []
    assert checks[0].detail.startswith("1 ended")
    assert not store.folder.exists()
