"""HTTP over a unix socket: how Envoy's admin interface and supervisord are asked."""

from __future__ import annotations

import http.client
import socket
from typing import TYPE_CHECKING

from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from pathlib import Path

ADMIN_SECONDS = 10
"""How long an answer may take; usually it is one to five milliseconds."""


class Unreachable(EnvironmentFailed):
    """Nobody answers on the socket: the process is not up (yet, or any more)."""

    def __init__(self, path: Path, why: str) -> None:
        message = f"nobody answers on the socket {path} ({why}): its process has ended"
        super().__init__(message, hint="Start it again: meshdemo up")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=ADMIN_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def get(path: Path, target: str) -> str:
    """Fetch a page. Raises Unreachable."""
    return _ask(path, "GET", target, None).decode(errors="replace")


def post(path: Path, target: str, body: str) -> bytes:
    """Send XML, and give the answer. Raises Unreachable."""
    return _ask(path, "POST", target, body.encode())


def _ask(path: Path, method: str, target: str, body: bytes | None) -> bytes:
    connection = _UnixConnection(path)
    try:
        headers = {"Content-Type": "text/xml"} if body else {}
        connection.request(method, target, body, headers)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(path, str(error) or type(error).__name__) from error
    finally:
        connection.close()
