"""The launcher, which becomes the program that a file describes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from meshdemo.engines.local.processes import launch

if TYPE_CHECKING:
    from pathlib import Path

SAY = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]))"
WORDS = ("", " ", "a\r\nb", "=", "x=y=z", "ü", "\udcff", '"$(X)', "-c")
"""Among them what is no text in any encoding, as a variable of the user's may be."""


def test_any_words_come_to_the_program_as_they_are(tmp_path: Path) -> None:
    env = {f"WORD_{number}": word for number, word in enumerate(WORDS)}
    env["LC_CTYPE"] = "C.UTF-8"  # else Python sets it
    argv = (sys.executable, "-S", "-E", "-c", SAY, *WORDS)
    file = tmp_path / "app.exec"
    file.write_bytes(launch.described(argv, env, str(tmp_path), 0))
    command = [sys.executable, "-S", "-E", launch.__file__, str(file)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [list(WORDS), env, str(tmp_path)]
