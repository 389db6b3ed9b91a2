"""``meshdemo ui`` as a process: its address, its end by a signal, and the mesh afterwards."""

from __future__ import annotations

import http.client
import json
import shlex
import signal
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import jsonschema
import pytest
from tests.printed import read, schema

from meshdemo.cli.command import examples
from meshdemo.cli.ui import ui

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Mesh

END_SECONDS = 1


@contextmanager
def opened_page(url: str) -> Iterator[None]:
    """Keep the events of a page open, from the first answers on."""
    place = urlsplit(url)
    with closing(http.client.HTTPConnection(place.netloc, timeout=60)) as connection:
        connection.request("GET", f"/events?{place.query}")
        with connection.getresponse() as answer:
            assert answer.status == 200
            while answer.readline() != b"event: answers\n":
                assert not answer.isclosed()
            yield


def state(mesh: Mesh) -> object:
    return [mesh.json("get", "all", "-A"), mesh.ready()]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_a_second_also_with_pages_open(
    running: Mesh, sent: signal.Signals, code: int
) -> None:
    running.run("route", "v1=50", "v2=50")
    before = state(running)
    with running.start("ui", "-o", "json") as process, ExitStack() as pages:
        try:
            assert process.stdout is not None
            first = json.loads(process.stdout.readline())
            jsonschema.validate(first, schema()["$defs"]["ui"])
            for _ in range(3):
                pages.enter_context(opened_page(first["url"]))
            began = time.monotonic()
            process.send_signal(sent)
            last = process.stdout.read()
            assert process.wait() == code
            assert time.monotonic() - began < END_SECONDS
        finally:
            process.kill()
    assert read(last)["exitCode"] == code
    assert state(running) == before


@pytest.mark.parametrize("example", [line for line, _ in examples(ui.__doc__)])
def test_every_example_in_its_help_serves_until_it_is_ended(running: Mesh, example: str) -> None:
    argv = shlex.split(example.replace("http://shop/", "http://app/").replace("8080", "0"))
    with subprocess.Popen(
        [running.program, *argv[1:]], env=running.env, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert "http://127.0.0.1:" in process.stdout.readline()
            assert process.poll() is None
            process.terminate()
            assert process.wait() == 143
        finally:
            process.kill()
