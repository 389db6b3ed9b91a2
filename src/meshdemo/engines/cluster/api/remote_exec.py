"""A command in a container, over one websocket: its streams, and the status it ended with.

Each frame starts with the number of its channel. How the command ended is a frame of its own on
the error channel: without that frame nothing is known, and it never means success.
"""

from __future__ import annotations

import json
import math
import select
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import websocket
from msgspec import Struct

from meshdemo.engines.cluster.api.connection import (
    FORBIDDEN,
    NOT_FOUND,
    REQUEST_TIMEOUT,
    Denied,
    Forbidden,
    NotFound,
    unreachable,
)
from meshdemo.errors import EnvironmentFailed
from meshdemo.system.shell import NOT_RUNNABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Kube

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
"""The two ways to speak; only the newer one can say that standard input has ended."""
PART_SECONDS = 0.05
"""How long the rest of a frame is waited for until others may send again."""
SEND_SECONDS = 30
OPENING = 1.0
"""Seconds for the connection, however late it is: it takes a tenth of that."""
HELD = """\
loop=$!
{ read -r rest <&3; kill "$$" "$loop"; } >/dev/null 2>&1 &
wait "$loop"
kill "$!" 2>/dev/null
"""
"""The end of a script whose last command, a loop in the background, must not outlive us.

A runtime does not end a command when its connection is gone, but it closes its standard input. A
background command has none of its own, so the script says ``exec 3<&0`` first.
"""
CONNECTION_ERRORS = (websocket.WebSocketException, OSError)


class Lost(EnvironmentFailed):
    """The connection broke off before the command's status came: nothing is known of its end."""


class Late(EnvironmentFailed):
    """The command had not ended by its deadline."""


class Target(Struct, frozen=True):
    """The container that a command runs in."""

    namespace: str
    pod: str
    container: str


@dataclass(slots=True)
class Ended:
    """How a command ended."""

    code: int
    message: str = ""
    """What the cluster said, if the command could not be run."""


@dataclass
class Session:
    """A running command. Leaving the context closes the connection."""

    socket: websocket.WebSocket
    deadline: float
    """When waiting for it ends, by the monotonic clock."""
    patience: float = 5.0
    """Seconds without a word after which a sign of life is asked for; it may take twice as long."""
    ended: Ended | None = field(default=None, init=False)
    _heard: float = field(default_factory=time.monotonic, init=False)
    """When something came last, by the monotonic clock."""
    _asked: float = field(default=0.0, init=False)
    """When a sign of life was asked for, if none has come since; else 0."""
    _gives_signs: bool = field(default=False, init=False)
    """Whether this server has ever given one."""
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)
    """TLS breaks when one thread reads while another one writes."""

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Give what comes, by channel, until the command has ended. Raises Lost, and Late."""
        while self.ended is None:
            try:
                frame = self._next_frame()
            except CONNECTION_ERRORS as error:
                raise Lost(f"the connection to the pod was lost: {error}") from error
            channel, data = frame[:1], frame[1:]
            if channel == bytes([ERROR]):
                self.ended = read_status(data)
            elif data:
                yield channel[0], data

    def _next_frame(self) -> bytes:
        """Wait for a frame, and let others send meanwhile. Raises Lost, and Late."""
        connection: Any = self.socket.sock  # TLS, or to a proxy on loopback not
        while (left := self.deadline - time.monotonic()) > 0:
            with self._turn:
                there = bool(getattr(connection, "pending", int)())
            if not (there or select.select([connection], [], [], min(left, self.patience))[0]):
                self._watch_silence()
                continue
            with self._turn:
                self.socket.settimeout(PART_SECONDS)
                try:
                    kind, frame = self.socket.recv_data(control_frame=True)
                except websocket.WebSocketTimeoutException:
                    continue  # that was a part of it, or TLS's own; what has come is kept
            self._heard, self._asked = time.monotonic(), 0.0
            if kind in (websocket.ABNF.OPCODE_PING, websocket.ABNF.OPCODE_PONG):
                self._gives_signs = True
                continue
            if kind == websocket.ABNF.OPCODE_CLOSE:
                raise Lost("the connection to the pod was closed before the command's end was told")
            return bytes(frame)
        raise Late("the command did not end in time")

    def _watch_silence(self) -> None:
        """Ask for a sign of life where nothing comes, and raise Lost where none is given.

        Half a connection looks like one on which nothing is said. A command of the user's may say
        nothing for long: it is given up only where such signs have come before.
        """
        now, sure = time.monotonic(), self._gives_signs or math.isfinite(self.deadline)
        if self._asked and sure and now - self._asked > 2 * self.patience:
            raise Lost(f"nothing came over the connection to the pod for {now - self._heard:.0f} s")
        if not self._asked and now - self._heard >= self.patience:
            self._asked = now
            with suppress(*CONNECTION_ERRORS), self._turn:
                self.socket.settimeout(SEND_SECONDS)
                self.socket.ping()

    def write(self, channel: int, data: bytes) -> None:
        """Send to a channel. A connection that broke off is told by ``frames``."""
        try:
            with self._turn:
                self.socket.settimeout(SEND_SECONDS)
                self.socket.send_binary(bytes([channel]) + data)
        except CONNECTION_ERRORS:
            return

    def end_stdin(self) -> None:
        """Say that standard input has ended, if this server can be told."""
        if (self.socket.getheaders() or {}).get("sec-websocket-protocol") == V5:
            self.write(CLOSE, bytes([STDIN]))

    def resize(self, columns: int, rows: int) -> None:
        """Tell the terminal's size."""
        self.write(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())


@contextmanager
def start(
    kube: Kube, target: Target, argv: Sequence[str], deadline: float, *, tty: bool = False
) -> Iterator[Session]:
    """Start a command; leaving the context closes the connection.

    ``deadline``, by the monotonic clock, is when waiting for it ends: ``math.inf`` only where
    somebody sits before it. Raises EnvironmentFailed, and Lost if only the connection failed.
    """
    query: list[tuple[str, str]] = [("command", word) for word in argv]
    flags = {"stdin": True, "stdout": True, "stderr": not tty, "tty": tty}
    query += [("container", target.container)]
    query += [(name, "true") for name, value in flags.items() if value]
    path = f"{kube.path('v1', 'Pod', target.namespace, target.pod)}/exec"
    limit = max(OPENING, min(REQUEST_TIMEOUT, deadline - time.monotonic()))
    try:
        socket = kube.websocket(path, query, f"{V5}, {V4}", limit)
    except websocket.WebSocketBadStatusException as error:
        raise _refusal(kube, target, error) from error
    except websocket.WebSocketException as error:
        raise Lost(f"no connection to the pod {target.pod}: {error}") from error
    except OSError as error:
        raise unreachable(kube.server, error) from error
    try:
        yield Session(socket, deadline)
    finally:
        # Not close(), which would wait for the other end to say goodbye.
        socket.shutdown()
        kube.budget.go_on()


def read_status(data: bytes) -> Ended:
    """Read the Status that says how a command ended."""
    try:
        status = json.loads(data)
    except ValueError:
        return Ended(NOT_RUNNABLE, data.decode(errors="replace"))
    if status.get("status") == "Success":
        return Ended(0)
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") == "ExitCode" and str(cause.get("message", "")).isdecimal():
            return Ended(int(cause["message"]))
    return Ended(NOT_RUNNABLE, str(status.get("message", "")))


def _refusal(
    kube: Kube, target: Target, error: websocket.WebSocketBadStatusException
) -> EnvironmentFailed:
    """Translate what the server answered in place of a connection."""
    try:
        body = json.loads(error.resp_body or b"{}")
        message = str(body.get("message") or error)
    except ValueError:
        body, message = {}, str(error)
    code = error.status_code
    if unknown := kube.stranger(code, message):
        return unknown
    if code == FORBIDDEN:
        hint = "It needs the rights get and create on pods/exec in this namespace."
        return Forbidden(message, code, body, hint=hint)
    if code == NOT_FOUND:
        return NotFound(message, code, body)
    said = f"no command can be run in the pod {target.pod}: {message}"
    # The API server answers 5xx where it does not reach the kubelet: that may pass.
    return Lost(said) if code >= 500 else Denied(said, code, body)  # noqa: PLR2004 - HTTP's
