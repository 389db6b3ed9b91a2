"""A command that a container's runtime does not start: what the person at the terminal gets."""

from __future__ import annotations

import pytest

from meshdemo.engines.cluster.api import terminal
from meshdemo.errors import EnvironmentFailed

RUNC = (
    "Internal error occurred: Internal error occurred: error executing command in container: "
    'failed to exec in container: failed to start exec "20d2": OCI runtime exec failed: exec '
    "failed: unable to start container process: "
)


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        (f'{RUNC}exec: "nosuch": executable file not found in $PATH: unknown', 127,
         "nosuch: executable file not found in $PATH"),
        (f'{RUNC}exec: "/no/x": stat /no/x: no such file or directory: unknown', 127,
         "/no/x: no such file or directory"),
        (f'{RUNC}exec: "/etc": permission denied: unknown', 126, "/etc: permission denied"),
        ("command error: executable file `nosuch` not found in $PATH: No such file or directory",
         127, "nosuch: not found in $PATH"),
    ],
    ids=["runc, no such name", "runc, no such path", "runc, no program", "crun, no such name"],
)  # fmt: skip
def test_a_command_that_is_not_there_ends_as_in_a_shell(
    message: str, code: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert terminal._not_started(message, "testclient-1") == code
    assert capfd.readouterr().err == f"meshdemo: {said}\n"


def test_a_container_that_runs_nothing_is_the_environments_failure() -> None:
    with pytest.raises(EnvironmentFailed, match="cannot be run in testclient-1: container not"):
        terminal._not_started("container not running (20d2)", "testclient-1")
