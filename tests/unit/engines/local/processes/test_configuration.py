"""What supervisord is told."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from supervisor.options import UnhosedConfigParser

from meshdemo.engines.local.processes.configuration import Process, render
from meshdemo.errors import EnvironmentFailed

FOLDER = Path("/state of %the% art")


def section(process: Process) -> dict[str, str]:
    """Read a process's section as supervisord does."""
    parser = UnhosedConfigParser()
    parser.read_string(render(FOLDER, FOLDER, [process]))
    return dict(parser.items(f"program:{process.name}"))


def test_any_argument_arrives_as_it_was() -> None:
    argv = ("/bin/a b", "it's", 'say "x"', "100%", "$HOME", "a;b#c", "ö", "")
    found = section(Process("default.app.app", argv, FOLDER / "log"))
    assert tuple(shlex.split(found["command"] % {})) == argv


def test_a_process_whose_file_changed_is_a_changed_process() -> None:
    old, new = (section(Process("app", ("x",), FOLDER, content)) for content in ("old", "new"))
    assert old["environment"] != new["environment"]


def test_every_log_is_kept_within_bounds() -> None:
    for output in (None, FOLDER / "access.log"):
        found = section(Process("app", ("x",), FOLDER / "log", output=output))
        assert found["redirect_stderr"] == ("false" if output else "true")
        for stream in ("stdout", "stderr") if output else ("stdout",):
            assert found[f"{stream}_logfile_maxbytes"].endswith("MB")
            assert found[f"{stream}_logfile_backups"] == "1"


def test_a_path_that_a_line_cannot_hold_is_refused() -> None:
    with pytest.raises(EnvironmentFailed, match="characters"):
        render(Path("/a ;b"), FOLDER, [])
