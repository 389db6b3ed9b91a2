"""What supervisord is told: its configuration, as text. Pure."""

from __future__ import annotations

import hashlib
import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

OPEN_FILES = 2048
"""Enough for the logs of 200 pods with a sidecar; macOS grants 256 unless one asks for more."""
SETTLED_SECONDS = 1
"""What ends sooner than this is started again after a pause that grows by a second each time."""
START_RETRIES = 1_000_000
STOP_SECONDS = 3
"""How long a program may take to end after SIGTERM before it is killed."""
LOG_BYTES = "2MB"
SOCKET = "s"
CONFIG, PID_FILE, LOG, OUTPUT = (
    "supervisord.conf", "supervisord.pid", "supervisord.log", "supervisord.out",
)  # fmt: skip
UNWRITABLE = ("\n", "\r", " ;", " #", "\t;", "\t#")
"""What a line of this configuration cannot hold: it would end there."""


class Process(Struct, frozen=True):
    """One process to keep running."""

    name: str
    argv: tuple[str, ...]
    log: Path
    content: str = ""
    """What the process reads when it starts; a change restarts it."""
    ends: bool = False
    """Whether it may end, and then is not started again."""
    output: Path | None = None
    """Where its standard output goes; None for its log, where its standard error goes."""


def render(
    folder: Path, sockets: Path, processes: Iterable[Process], open_files: int = OPEN_FILES
) -> str:
    """Write supervisord's configuration; ``open_files`` is how many it makes sure to have."""
    lines = [
        "[unix_http_server]",
        f"file={as_value(sockets / SOCKET)}",
        "chmod=0600",
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        # By itself it asks for 1024 and 200, and does not start where less is allowed.
        f"minfds={open_files}",
        "minprocs=1",
        f"pidfile={as_value(folder / PID_FILE)}",
        f"logfile={as_value(folder / LOG)}",
        f"logfile_maxbytes={LOG_BYTES}",
        "logfile_backups=1",
        f"childlogdir={as_value(folder)}",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for process in processes:
        lines += _program(process)
    return "\n".join(lines) + "\n"


def _program(process: Process) -> Sequence[str]:
    digest = hashlib.sha256(process.content.encode()).hexdigest()[:16]
    return (
        f"[program:{process.name}]",
        f"command={as_value(shlex.join(process.argv))}",
        # Part of the configuration only so that supervisord sees the change.
        f'environment=MESHDEMO_CONTENT="{digest}"',
        "umask=022",  # as in a container; supervisord's own keeps others out
        "autostart=true",
        f"autorestart={'false' if process.ends else 'true'}",
        f"startsecs={0 if process.ends else SETTLED_SECONDS}",
        # A pod is never given up for good, as in Kubernetes; each pause is longer than the last.
        f"startretries={START_RETRIES}",
        f"stopwaitsecs={STOP_SECONDS}",
        # A command of the user's may be a shell: its children are to end with it.
        "stopasgroup=true",
        "killasgroup=true",
        f"redirect_stderr={str(process.output is None).lower()}",
        *_log("stdout", process.output or process.log),
        *(_log("stderr", process.log) if process.output else ()),
    )


def _log(stream: str, file: Path) -> Sequence[str]:
    return (
        # supervisord expands this one twice.
        f"{stream}_logfile={as_value(as_value(file))}",
        f"{stream}_logfile_maxbytes={LOG_BYTES}",
        f"{stream}_logfile_backups=1",
    )


def as_value(value: object) -> str:
    """Write a value. Raises EnvironmentFailed for a path that supervisord cannot be told."""
    text = str(value)
    if any(part in text for part in UNWRITABLE):
        message = f"supervisord cannot be told a path with these characters: {text!r}"
        raise EnvironmentFailed(message, hint="Choose another --state-dir.")
    return text.replace("%", "%%")
