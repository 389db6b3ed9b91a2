"""What exec -o json keeps of a command's output."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import subprocess, sys
from meshdemo.cli.capture import captured_stdout
with captured_stdout() as captured:
    subprocess.run(["sh", "-c", sys.argv[1]])
print(len(captured.text), captured.is_cut, captured.text[:4])
"""


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo here", "5 False here"),
        ("head -c 3000000 /dev/zero | tr '\\0' x", "1048576 True xxxx"),
        ("echo here; sleep 4 2>&- &", "5 False here"),
    ],
    ids=["all", "the first part of too much", "not what runs on"],
)
def test_output_is_kept_up_to_a_limit(script: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, script],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == said
