"""Route tests that are measured: their files, and what a user would do without them."""

from __future__ import annotations

import http.client
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from meshdemo.suite import preparing, reading, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES, CASES = 40, 500
FEW = 100
HEAD = (
    "apiVersion: meshdemo.dev/v1\nkind: RouteTest\nmetadata: {name: bench}\nrules: [rules.yaml]\n"
)
RULE = """---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: app-{0}}}
spec:
  host: app-{0}
  subsets: [{{name: v1, labels: {{version: v1}}}}, {{name: v2, labels: {{version: v2}}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: app-{0}}}
spec:
  hosts: [app-{0}]
  http:
  - match: [{{headers: {{x-user: {{exact: anna}}}}}}]
    route: [{{destination: {{host: app-{0}, subset: v2}}}}]
  - match: [{{uri: {{prefix: /old}}}}]
    redirect: {{uri: /new}}
  - route: [{{destination: {{host: app-{0}, subset: v1}}}}]
"""
TEST = '- {{name: "{0}", request: {{url: "{1}"{2}}}, expect: {{{3}}}}}\n'
KINDS = (
    ("http://app-{0}/{1}", "", "version: v1"),
    ("http://app-{0}/{1}", ", headers: {x-user: anna}", "version: v2"),
    ("http://app-{0}/old/{1}", "", "status: 301"),
)


def test(number: int, services: int) -> str:
    """Write one test: each service is asked in three ways, one after the other."""
    url, more, expect = KINDS[number % len(KINDS)]
    return TEST.format(number, url.format(number % services, number), more, expect)


def write(folder: Path, services: int, cases: int) -> Path:
    """Write rules for so many services, and so many tests of them."""
    folder.mkdir(exist_ok=True)
    (folder / "rules.yaml").write_text("".join(RULE.format(each) for each in range(services)))
    tests = (test(each, services) for each in range(cases))
    file = folder / "bench.meshtest.yaml"
    file.write_text(f"{HEAD}tests:\n{''.join(tests)}")
    return file


def answered(file: Path) -> tuple[float, float, float]:
    """Give the seconds of all cases, of a ``curl`` a case, and of a request on one connection.

    All of them go through the same sidecar, once it is up.
    """
    prepared = preparing.prepare(reading.read([str(file)])[0])
    with prepared.mesh as mesh:
        runner = running.Runner(prepared.file, mesh, prepared.cases)
        began = time.perf_counter()
        assert all(case.ok for case in runner.run())
        ours = time.perf_counter() - began
        port = mesh.envoy(prepared.cases[0].source).port  # type: ignore[union-attr]  # it is private
        began = time.perf_counter()
        for case in prepared.cases:
            headers = [f"-H{name}:{value}" for name, value in case.sent.request.headers]
            argv = ["curl", "-s", "-o", "/dev/null", "-x", f"http://127.0.0.1:{port}", *headers]
            subprocess.run([*argv, case.sent.request.url], check=True)
        curls = time.perf_counter() - began
        connection = http.client.HTTPConnection("127.0.0.1", port)
        began = time.perf_counter()
        for case in prepared.cases:
            connection.request(
                "GET", case.sent.request.url, headers=dict(case.sent.request.headers)
            )
            connection.getresponse().read()
        kept = (time.perf_counter() - began) / len(prepared.cases)
        connection.close()
    return ours, curls, kept


@contextmanager
def watching(program: str, file: Path) -> Iterator[Watched]:
    """Have a command watch a file's tests."""
    process = subprocess.Popen(
        [program, "test", "--watch", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        yield Watched(process.stdout, file.with_name("rules.yaml"))
    finally:
        process.terminate()
        process.communicate()


class Watched:
    """A command that watches, and the rules that it tests."""

    def __init__(self, lines: IO[str], rules: Path) -> None:
        self.rules = rules
        self.results = 0
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        self._await(1)

    def change(self, number: int) -> float:
        """Change a rule, and give the seconds to the result."""
        text = self.rules.read_text().partition("# ")[0]
        wanted, began = self.results + 1, time.perf_counter()
        self.rules.write_text(f"{text}# {number}\n")
        self._await(wanted)
        return time.perf_counter() - began

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            self.results += " tests: " in line

    def _await(self, wanted: int) -> None:
        deadline = time.monotonic() + 60
        while self.results < wanted:
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.001)
