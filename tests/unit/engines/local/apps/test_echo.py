"""The app that tells what it got and can be steered, as the process that a pod runs."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from meshdemo.engines.local.apps.echo import Steering, join_repeated, read_steering

if TYPE_CHECKING:
    from tests.unit.engines.local.conftest import App

LOOPBACK = "127.0.0.1"
PATIENCE = 60.0


def test_echo_tells_who_answered_what(echo: App) -> None:
    status, body, headers = echo.ask("//a/../b%20c?x=1&y", "DELETE", X_Mixed_Case="z", Host="shop")
    assert status == 200
    assert headers["x-echo-version"] == "v1"
    assert headers["content-type"] == "application/json"
    answer = json.loads(body)
    assert answer.pop("headers")["x-mixed-case"] == "z"
    assert answer == {
        "service": "shop",
        "version": "v1",
        "pod": "shop-1",
        "method": "DELETE",
        "path": "//a/../b%20c?x=1&y",
        "host": "shop",
    }


def test_echo_joins_repeated_headers_by_a_comma() -> None:
    headers = (("x-a", "1"), ("x-b", "2"), ("x-a", "3, 4"))
    assert join_repeated(headers) == {"x-a": "1,3, 4", "x-b": "2"}


def test_echo_answers_the_bare_version(echo: App) -> None:
    status, body, headers = echo.ask("/env/version")
    assert (status, body, headers["x-echo-version"]) == (200, "v1", "v1")


def test_echo_sends_no_body_to_head(echo: App) -> None:
    assert echo.ask("/", "HEAD")[:2] == (200, "")


@pytest.mark.parametrize("status", [200, 204, 304, 404, 503, 599])
def test_echo_answers_with_the_status_it_is_told(echo: App, status: int) -> None:
    assert echo.ask("/", x_echo_status=str(status))[0] == status


def test_echo_waits_as_long_as_it_is_told(echo: App) -> None:
    began = time.monotonic()
    assert echo.ask("/", x_echo_delay="0.3")[0] == 200
    assert time.monotonic() - began >= 0.3


def test_echo_resets_without_a_byte_and_lives_on(
    echo: App,
) -> None:
    with socket.create_connection((LOOPBACK, echo.ports[0]), timeout=PATIENCE) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nhost: a\r\nx-echo-reset: 1\r\ncontent-length: 9\r\n\r\nab")
        # What was not read of the body can make it a reset.
        with suppress(ConnectionResetError):
            assert raw.recv(100) == b""
    assert echo.ask("/")[0] == 200


@pytest.mark.parametrize(
    ("only", "status"),
    [pytest.param("v1", 503, id="this-version"), pytest.param("v2", 200, id="another-version")],
)
def test_echo_is_steered_only_if_its_version_is_meant(echo: App, only: str, status: int) -> None:
    assert echo.ask("/", x_echo_status="503", x_echo_only=only)[0] == status


def test_echo_counts_requests_by_key(echo: App) -> None:
    echo.ask("/", x_echo_key="a")
    echo.ask("/x", "POST", x_echo_key="a", x_echo_status="500")
    echo.ask("/", x_echo_key="b")
    for _ in range(2):  # asking is not counted, whatever it carries
        assert echo.echo("/some/prefix/echo/count?key=a", x_echo_key="a") == {"count": 2}
    assert echo.echo("/echo/count?key=none") == {"count": 0}


@pytest.mark.parametrize(
    ("headers", "steering"),
    [
        pytest.param({}, Steering(), id="none"),
        pytest.param({"x-echo-delay": "0.5"}, Steering(delay=0.5), id="delay"),
        pytest.param({"x-echo-status": "503"}, Steering(status=503), id="status"),
        pytest.param({"x-echo-reset": ""}, Steering(reset=True), id="reset"),
    ],
)
def test_steering_is_read_from_headers(headers: dict[str, str], steering: Steering) -> None:
    assert read_steering(headers) == steering


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-echo-status", "100"),
        ("x-echo-status", "600"),
        ("x-echo-status", "ok"),
        ("x-echo-delay", "-1"),
        ("x-echo-delay", "nan"),
        ("x-echo-delay", "inf"),
        ("x-echo-delay", "soon"),
    ],
)
def test_a_steering_header_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: {value}"):
        read_steering({name: value})
