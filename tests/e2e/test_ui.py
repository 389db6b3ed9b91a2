"""``meshdemo ui`` as a process: its address, its end by a signal, and the mesh afterwards."""

from __future__ import annotations

import http.client
import json
import shlex
import signal
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from tests.printed import read, schema, validator

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


def is_enough(counts: Any) -> bool:
    """Tell whether so many answers came under the second rules."""
    return bool(counts["outcomes"][0]["promised"] == 0 and counts["total"] >= 50)


def test_watch_tells_each_count_and_change_in_lines_and_ends_with_the_counts(
    running: Mesh,
) -> None:
    running.run("route", "v1=50", "v2=50")
    of_a_line = validator().evolve(schema={**schema()["$defs"]["watch"]})
    with running.start("watch", "-o", "json", "--rate", "100") as process:
        try:
            assert process.stdout is not None
            lines: dict[str, list[Any]] = {"rules": [], "counts": [], "changed": []}
            while len(lines["rules"]) < 2 or not is_enough(lines["counts"][-1]):
                line = json.loads(process.stdout.readline())
                of_a_line.validate(line)
                lines[line["event"]].append(line)
                if len(lines["counts"]) == 3:
                    running.run("route", "v2")
            process.send_signal(signal.SIGINT)
            last = process.stdout.read().splitlines()[-1]
            assert process.wait() == 130
        finally:
            process.kill()
    assert lines["changed"][0]["now"] == "v2"
    assert [each["taking"] for each in lines["rules"]] == ["http[0]", "http[0]"]
    before, after = lines["counts"][2], lines["counts"][-1]
    assert [each["promised"] for each in before["outcomes"]] == [0.5, 0.5, 0]
    assert [each["promised"] for each in after["outcomes"]] == [0, 1, 0]
    tally = read(last)["tally"]
    assert tally["versions"] == {"v1": 0, "v2": tally["total"]}
    assert tally["total"] >= after["total"]


def test_watch_ends_when_its_reader_has_gone(running: Mesh) -> None:
    with running.start("watch", "-o", "json") as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            process.stdout.close()
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()


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
