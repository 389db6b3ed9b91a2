"""How our commands use typer."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

from meshdemo.cli.command import _plain
from meshdemo.cli.program import build


def test_this_typer_converts_values_our_way() -> None:
    params = _plain(build().commands["verify"].params)
    assert {type(param._runtime_param).__name__ for param in params} == {"_PlainValue"}


def test_a_typer_that_changed_inside_keeps_its_own_way() -> None:
    changed = [
        SimpleNamespace(),
        SimpleNamespace(_runtime_param=None),
        SimpleNamespace(_runtime_param=None, type_descriptor=object()),
    ]
    assert _plain(changed) == changed
    assert all(getattr(param, "_runtime_param", None) is None for param in changed)


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from meshdemo.cli import main; main(['up', '--help']);"
        "print(*{'yaml', 'rich', 'psutil', 'kubernetes'}.intersection(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ""
