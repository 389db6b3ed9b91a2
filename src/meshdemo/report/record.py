"""The record of a measurement: a line of JSON for each request, as soon as it has its reply."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import count
from typing import TYPE_CHECKING, Any

from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.verdict.traffic import Reply
    from meshdemo.walkthrough.verify import Keep

POD = ("pod", "hostname")
"""Fields of a JSON answer in which apps say which pod they are; ours says ``pod``."""


@contextmanager
def recording(file: Path) -> Iterator[Keep]:
    """Give what keeps a reply, and the version that it is counted for, in a file of its own.

    Each line is with the system before the reply is counted: whatever ends us, none is lost. Raises
    EnvironmentFailed where the file takes no more.
    """
    numbers = count(1)
    try:
        lines = file.open("wb", buffering=0)
    except OSError as error:
        raise _refused(file, error) from error

    def keep(reply: Reply, version: str) -> None:
        document = record_document(next(numbers), reply, version)
        line = f"{json.dumps(document)}\n".encode()
        try:
            while line:  # a disk that gets full takes a part first
                line = line[lines.write(line) :]
        except OSError as error:
            raise _refused(file, error) from error

    with lines:
        yield keep


def _refused(file: Path, error: OSError) -> EnvironmentFailed:
    return EnvironmentFailed(f"--record: {file} cannot be written: {error.strerror}")


def record_document(number: int, reply: Reply, version: str) -> dict[str, Any]:
    """Give one request as a line has it."""
    return {
        "number": number,
        "began": _in_utc(reply.began) if reply.began else None,
        "seconds": round(reply.seconds, 6) if reply.seconds is not None else None,
        "status": reply.status or None,
        "version": version or None,
        "pod": _pod(reply.body),
        "error": reply.error or None,
    }


def _in_utc(began: float) -> str:
    return datetime.fromtimestamp(began, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _pod(body: str) -> str | None:
    """Read the pod's name, where an answer tells it."""
    if not body.lstrip().startswith("{"):
        return None
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return next((said[name] for name in POD if isinstance(said.get(name), str)), None)
