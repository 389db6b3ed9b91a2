"""``meshdemo test`` as it is typed: whatever ends it, nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

import psutil
import pytest
from tests.paths import PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Mesh

FILE = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {{name: shop}}
standIns: {{shop: [{{delay: {delay}}}]}}
tests:
- {{name: t, request: {{url: "http://shop/"}}, expect: {{status: 200}}}}
- {{name: u, request: {{url: "http://shop/", from: {{labels: {{a: b}}}}}}, expect: {{status: 200}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: shop}}
spec: {{hosts: [shop], http: [{{route: [{{destination: {{host: shop}}}}]}}]}}
"""
SECONDS = 20


def begin(folder: Path, delay: str) -> subprocess.Popen[str]:
    """Start a test of rules whose temporary files are in a folder of their own."""
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "shop.meshtest.yaml").write_text(FILE.format(delay=delay))
    return subprocess.Popen(
        [PROGRAM, "test"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(folder: Path) -> list[object]:
    """Give what is there of such a test: files, and processes."""
    own = str(folder / "tmp")
    processes = psutil.process_iter(["cmdline"])
    ours = [each for each in processes if own in " ".join(each.info["cmdline"] or ())]
    return [*(folder / "tmp").iterdir(), *ours]


def await_envoys(folder: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if len(list((folder / "tmp").glob("*/admin.sock"))) == 2:
            return
        time.sleep(0.02)
    pytest.fail("no Envoys were started")


def await_nothing(folder: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while left(folder):
        assert time.monotonic() < deadline, left(folder)
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a short name: a socket's may not be long."""
    return tmp_path_factory.mktemp("t")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_nothing_is_left_whatever_ends_it(place: Path, number: signal.Signals, code: int) -> None:
    running = begin(place, "9s")
    try:
        await_envoys(place)
        began = time.monotonic()
        running.send_signal(number)
        running.communicate(timeout=SECONDS)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == code
    assert time.monotonic() - began < 8, "it waited for the request that was under way"
    await_nothing(place)


def test_two_at_a_time_in_one_folder_do_not_meet(place: Path) -> None:
    both = [begin(place, "300ms") for _ in range(2)]
    try:
        said = [each.communicate(timeout=SECONDS) for each in both]
    finally:
        for each in both:
            each.kill()
            each.communicate()
    assert [each.returncode for each in both] == [0, 0], said
    assert all("2 tests: 2 ok" in out for out, _ in said)
    assert left(place) == []


def test_an_error_leaves_nothing(place: Path) -> None:
    running = begin(place, "0s")
    running.communicate(timeout=SECONDS)
    assert running.returncode == 0
    broken = (place / "shop.meshtest.yaml").read_text().replace("destination", "destinatoin")
    (place / "shop.meshtest.yaml").write_text(broken)
    again = subprocess.run(
        [PROGRAM, "test"],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 2
    assert "shop.meshtest.yaml:" in again.stderr
    assert left(place) == []


LIVE = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: live}
live: true
tests:
- {name: v2, request: {url: "http://app/env/version"}, expect: {version: v2, service: app}}
- {name: all, request: {url: "http://app/env/version"}, expect: {shares: {v2: 100%}}}
- {name: wrong, request: {url: "http://app/env/version"}, expect: {version: v1}}
- {name: untold, request: {url: "http://app/env/version"}, expect: {path: /env/version}}
- {name: told, request: {url: "http://app/env/version"}, expect: {not: {status: 404}}}
"""


def test_the_mesh_that_is_up_is_asked_and_left_as_it_is(mesh: Mesh, place: Path) -> None:
    file = place / "live.meshtest.yaml"
    file.write_text(LIVE)
    nothing = mesh.run("test", str(file), code=3)
    assert "meshdemo up" in nothing.stderr
    mesh.run("up")
    before = mesh.run("get", "all", "-o", "yaml").stdout
    found = mesh.json("test", str(file), code=1)
    assert [(each["name"], each["ok"]) for each in found["tests"]] == [
        ("v2", True),
        ("all", True),
        ("wrong", False),
        ("untold", False),
        ("told", True),
    ]
    assert found["tests"][3]["outcome"] == "inconclusive"
    assert "does not tell what it saw" in found["tests"][3]["cause"]
    assert "v1=100% is expected" in found["tests"][2]["cause"]
    assert mesh.run("get", "all", "-o", "yaml").stdout == before


SPREAD = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: spread}
live: true
tests:
- {name: any, request: {url: "http://app/env/version"}, expect: {version: [v1, v2]}}
- {name: unnamed, request: {url: "http://app/"}, expect: {status: 404}}
- {name: no v2, request: {url: "http://app/env/version"}, expect: {not: {version: v2}}}
"""
LONGEST = 9.0
"""Seconds in which 459 requests are sent as one; told one by one they take twice as long."""


def test_what_the_rules_leave_open_is_asked_as_often_as_shows_it_and_at_once(
    mesh: Mesh, place: Path
) -> None:
    file = place / "spread.meshtest.yaml"
    file.write_text(SPREAD)
    mesh.run("up", "--no-verify")
    mesh.run("route", "v1=97", "v2=3")
    found = mesh.json("test", str(file), code=1)
    spread, unnamed, wrong = found["tests"]
    assert [each["outcome"] for each in found["tests"]] == ["met", "met", "not met"]
    assert spread["requests"] == 459
    assert unnamed["requests"] >= 459
    assert max(spread["seconds"], unnamed["seconds"]) < LONGEST
    assert wrong["got"] == "version v2"
    assert found["coverage"]["percent"] == 100
    if told := wrong["explain"]:  # it is told where one such answer came again
        assert told["observed"]["body"].strip() == "v2"


DELAYED = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec:
  hosts: [app]
  http:
  - fault: {delay: {fixedDelay: 10.5s, percentage: {value: 100}}}
    route: [{destination: {host: app, subset: v2}}]
"""
SLOW = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: slow}
live: true
tests:
- name: slow
  request: {url: "http://app/env/version"}
  expect: {version: v2, seconds: [10.4, 12]}
"""


def test_what_the_rules_delay_is_waited_for(mesh: Mesh, place: Path) -> None:
    (place / "rules.yaml").write_text(DELAYED)
    file = place / "slow.meshtest.yaml"
    file.write_text(SLOW)
    mesh.run("up", "--no-verify")
    mesh.run("route", "-f", str(place / "rules.yaml"))
    told = mesh.json("explain", "http://app/env/version")
    assert (told["observed"]["status"], told["agrees"]) == (200, True)
    mesh.run("verify", "--requests", "3")
    mesh.run("test", str(file))
    mesh.run("test", str(file), "--timeout", "3", code=4)


COPIED = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app-default-v2}
spec: {hosts: [app], http: [{route: [{destination: {host: app, subset: v2}}], mirror: MIRROR}]}
"""
COPIES = """apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: copies}
live: true
tests:
- {name: a copy, request: {url: "http://app/env/version"}, expect: {mirroredTo: app}}
- {name: none, request: {url: "http://app/env/version"}, expect: {not: {mirroredTo: app}}}
"""


def test_copies_in_a_mesh_that_is_up_are_seen_and_that_there_are_none_is(
    mesh: Mesh, place: Path
) -> None:
    rules, file = place / "rules.yaml", place / "copies.meshtest.yaml"
    rules.write_text(COPIED.replace("MIRROR", "{host: app, subset: v1}"))
    file.write_text(COPIES)
    mesh.run("up", "--no-verify")

    def outcomes() -> list[str]:
        return [each["outcome"] for each in mesh.json("test", str(file), code=1)["tests"]]

    assert outcomes() == ["not met", "met"]
    mesh.run("route", "-f", str(rules))
    assert outcomes() == ["met", "not met"]
    # A sidecar that sees no HTTP sends no copies: that is known, and so is the cause.
    service = mesh.run("get", "service", "app", "-o", "yaml").stdout
    service = service.replace("name: http", "name: tcp")
    rules.write_text(service)
    mesh.run("deploy", "-f", str(rules))
    told = mesh.json("test", str(file), code=1)["tests"]
    assert [each["outcome"] for each in told] == ["not met", "met"]
    assert "is not HTTP for Istio, and it mirrors nothing" in told[0]["cause"]


def test_what_a_change_concerns_is_run_again(place: Path) -> None:
    (place / "tmp").mkdir()
    rules = place / "rules.yaml"
    head, _, rule = FILE.format(delay="0s").partition("---\n")
    rules.write_text(rule)
    for name in ("a", "b"):
        text = head.replace(
            "tests:", f"rules: [{'rules' if name == 'a' else 'other'}.yaml]\ntests:"
        )
        (place / f"{name}.meshtest.yaml").write_text(text)
    (place / "other.yaml").write_text(rule)
    running = subprocess.Popen(
        [PROGRAM, "test", "--watch"],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout
    try:
        first = until(running.stdout, "4 tests: 4 ok")
        assert "a.meshtest.yaml" in first
        assert "b.meshtest.yaml" in first
        answer = "{directResponse: {status: 410}}"
        save(rules, rule.replace("{route: [{destination: {host: shop}}]}", answer))
        second = until(running.stdout, "2 tests: 0 ok, 2 failed")
        assert "b.meshtest.yaml" not in second
        save(rules, "apiVersion: x\nkind: [")
        assert "rules.yaml:3: not YAML" in until(running.stdout, "not YAML")
        save(rules, rule)
        assert "a.meshtest.yaml" in until(running.stdout, "tests: ")
        running.send_signal(signal.SIGINT)
        assert running.wait(SECONDS) == 130
    finally:
        running.kill()
        running.communicate()
    await_nothing(place)


def save(file: Path, text: str) -> None:
    """Write a file as editors do: nobody finds half of it."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def until(lines: IO[str], last: str) -> str:
    """Read lines up to one that holds a text."""
    found = ""
    for line in lines:
        found += line
        if last in line:
            return found
    pytest.fail(f"{last!r} never came: {found}")
