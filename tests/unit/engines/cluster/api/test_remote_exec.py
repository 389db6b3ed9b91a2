"""A command's frames on a real websocket, whose other end is played by hand."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from websocket import ABNF, WebSocket

from meshdemo.engines.cluster.api.remote_exec import (
    ERROR,
    STDERR,
    STDOUT,
    Ended,
    Late,
    Lost,
    Session,
)
from meshdemo.system.shell import NOT_RUNNABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

NORMAL_CLOSURE = (1000).to_bytes(2, "big")
"""RFC 6455, section 7.4.1."""
SUCCESS = json.dumps({"status": "Success"}).encode()
SEVEN = json.dumps(
    {
        "status": "Failure",
        "message": "command terminated with non-zero exit code",
        "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
    }
).encode()


def binary(channel: int, data: bytes) -> bytes:
    return frame(bytes([channel]) + data)


def frame(data: bytes, kind: int = ABNF.OPCODE_BINARY, *, last: int = 1) -> bytes:
    """Build a frame as a server sends it, which is without a mask."""
    return bytes(ABNF(last, 0, 0, 0, kind, 0, data).format())


class Wire:
    """A session, and the end of its connection that the cluster has."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.socket = WebSocket()
        self.socket.sock, self.socket.connected = ours, True
        self.session = Session(self.socket, math.inf)

    def says(self, *frames: bytes) -> None:
        self.theirs.sendall(b"".join(frames))

    def heard(self) -> list[tuple[int, bytes]]:
        return list(self.session.frames())


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.socket.shutdown()
    made.theirs.close()


@pytest.mark.parametrize(("status", "code"), [(SUCCESS, 0), (SEVEN, 7)])
def test_both_streams_and_how_it_ended(wire: Wire, status: bytes, code: int) -> None:
    wire.says(binary(STDOUT, b"one"), binary(STDERR, b"two"), binary(ERROR, status))
    assert wire.heard() == [(STDOUT, b"one"), (STDERR, b"two")]
    assert wire.session.ended == Ended(code)


def test_a_command_that_could_not_be_started(wire: Wire) -> None:
    wire.says(binary(ERROR, json.dumps({"status": "Failure", "message": "no such"}).encode()))
    assert not wire.heard()
    assert wire.session.ended == Ended(NOT_RUNNABLE, "no such")


def test_frames_without_data_and_pings_are_nothing(wire: Wire) -> None:
    empty, ping = binary(STDOUT, b""), frame(b"there?", ABNF.OPCODE_PING)
    wire.says(empty, frame(b""), ping, binary(STDOUT, b"x"), binary(ERROR, SUCCESS))
    assert wire.heard() == [(STDOUT, b"x")]


@pytest.mark.parametrize("reason", [b"", NORMAL_CLOSURE, NORMAL_CLOSURE + b"bye"])
def test_a_close_before_the_status_is_no_status(wire: Wire, reason: bytes) -> None:
    wire.says(binary(STDOUT, b"x"), frame(reason, ABNF.OPCODE_CLOSE))
    with pytest.raises(Lost, match="closed before the command's end was told"):
        wire.heard()
    assert wire.session.ended is None


def test_a_connection_that_breaks_off(wire: Wire) -> None:
    wire.says(binary(STDOUT, b"whole"), binary(STDOUT, b"half of it")[:-4])
    wire.theirs.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Lost, match="was lost"):
        wire.heard()
    assert wire.session.ended is None


def test_a_frame_comes_in_pieces_and_a_message_in_frames(wire: Wire) -> None:
    first = frame(bytes([STDOUT]) + b"in ", last=0)
    sent = first + frame(b"two", ABNF.OPCODE_CONT) + binary(ERROR, SUCCESS)

    def slowly() -> None:
        for at in range(0, len(sent), 9):
            wire.says(sent[at : at + 9])
            time.sleep(0.06)  # longer than the rest of a frame is waited for

    speaker = threading.Thread(target=slowly)
    speaker.start()
    assert wire.heard() == [(STDOUT, b"in two")]
    speaker.join()


def test_what_is_typed_goes_out_while_a_frame_is_waited_for(wire: Wire) -> None:
    reader = threading.Thread(target=wire.heard)
    reader.start()
    wire.session.write(0, b"ls\n")
    wire.theirs.settimeout(30)
    assert wire.theirs.recv(100)
    wire.says(binary(ERROR, SUCCESS))
    reader.join(30)
    assert wire.session.ended == Ended(0)


def test_a_command_that_does_not_end_in_time(wire: Wire) -> None:
    wire.session.deadline = time.monotonic() + 0.1
    wire.says(binary(STDOUT, b"x"))
    with pytest.raises(Late):
        wire.heard()
