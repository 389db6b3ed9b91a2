"""A request to tcp://: a connection through the pod's HTTP proxy, in which a line is answered.

The proxy is asked for the connection by CONNECT. ``hello`` is said, because not every server speaks
first; the answer is the first line that comes.
"""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo.verdict.traffic import HELLO, LINE_LIMIT, Reply

if TYPE_CHECKING:
    import socket


def converse(connection: socket.socket, url: str) -> Reply:
    """Get the answer to one line on a connection to the proxy. Raises OSError, HTTPException."""
    parts = urlsplit(url)
    called = parts.netloc
    connection.sendall(f"CONNECT {called} HTTP/1.1\r\nHost: {called}\r\n\r\n".encode())
    response = HTTPResponse(connection, method="CONNECT")
    response.begin()
    if response.status == HTTPStatus.SERVICE_UNAVAILABLE:
        # So the proxy says what without it would be the end of the connection.
        raise ConnectionResetError
    if response.status != HTTPStatus.OK:
        return Reply(response.status, response.read(LINE_LIMIT).decode(errors="replace"))
    connection.sendall(f"{HELLO}\n".encode())
    # What follows the proxy's answer may be in its buffer already.
    line = response.fp.readline(LINE_LIMIT)
    if not line:
        raise ConnectionResetError
    return Reply(HTTPStatus.OK, line.decode(errors="replace").rstrip("\r\n"))
