"""The plugin for pytest, where it is used: in an environment that has the wheel, in any project."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Pytest = Callable[..., subprocess.CompletedProcess[str]]

RULES = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec:
  host: shop
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
  - match: [{headers: {x-user: {exact: anna}}}]
    route: [{destination: {host: shop, subset: v2}}]
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - route: [{destination: {host: shop, subset: v1}}]
"""
ROUTE_TESTS = """
apiVersion: meshdemo.dev/v1
kind: RouteTest
metadata: {name: shop}
rules: [rules.yaml]
tests:
- name: anna gets v2
  request: {url: "http://shop/", headers: {x-user: anna}}
  expect: {version: v2}
- name: others
  request: {urls: ["http://shop/", "http://shop/cart"]}
  expect: {version: v1}
coverage: {failUnder: 70}
"""
TESTS = """
def test_get(mesh):
    mesh.apply("rules.yaml")
    answer = mesh.get("http://shop/cart?x=1", headers={"x-user": "anna"})
    assert (answer.status, answer.version) == (200, "v2")
    assert answer.json()["path"] == "/cart?x=1"
    moved = mesh.get("http://shop/old")
    assert (moved.status, moved.version) == (301, "")
    assert moved.headers["Location"] == moved.headers["location"] == "http://shop/new"

def test_verify(mesh):
    mesh.apply("rules.yaml")
    mesh.verify("v1=100%")
    mesh.verify("v2=100%", url="http://shop/", headers={"x-user": "anna"})

def test_text(mesh):
    mesh.apply("rules.yaml")
    with mesh.apply(STATUS_418):
        assert mesh.get("http://shop:8080/").status == 418
    assert mesh.get("http://shop/").version == "v1"

STATUS_418 = '''
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec: {hosts: [shop], http: [{directResponse: {status: 418}}]}
'''
"""
WRONG = """
import pytest

def test_share(mesh):
    mesh.apply("rules.yaml")
    mesh.verify("v2=10%")

def test_refused(mesh):
    mesh.apply("rules.yaml")
    with pytest.raises(Exception, match="spec.hosts"):
        mesh.apply("rules.yaml", "kind: VirtualService\\napiVersion: networking.istio.io/v1\\n"
            "metadata: {name: x}\\nspec: {hosts: 1}")
    assert mesh.get("http://shop/").version == "v1", "what was there is there"

def test_url(mesh):
    mesh.get("shop")
"""
WHICH = """
import os, sys

def test_nothing_of_ours_is_imported():
    ours = {name for name in sys.modules if name.partition(".")[0] == "meshdemo"}
    assert ours == {"meshdemo", "meshdemo.pytest_plugin"}
    beyond = {name for name in ("msgspec", "yaml", "psutil", "uvicorn") if name in sys.modules}
    assert not beyond
"""
ONE_EACH = """
import os, pytest

@pytest.mark.parametrize("number", range(6))
def test_one_mesh_for_a_worker(mesh, number):
    mesh.apply("rules.yaml")
    assert mesh.get("http://shop/").version == "v1"
    with open(f"seen-{os.environ['PYTEST_XDIST_WORKER']}", "a") as file:
        file.write(f"{id(mesh)}\\n")
"""


@pytest.fixture
def run(installed: Path, tmp_path: Path) -> Pytest:
    """Run pytest in a folder of the test; the files that are given are there."""

    def run(*argv: str, code: int = 0, **files: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "rules.yaml").write_text(RULES)
        for name, text in files.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        done = subprocess.run(
            [installed.with_name("python"), "-m", "pytest", "-W", "error", *argv],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def test_route_tests_are_items_and_tests_have_a_mesh(run: Pytest, tmp_path: Path) -> None:
    files = {"shop__meshtest__yaml": ROUTE_TESTS, "test_shop__py": TESTS}
    done = run("-v", "-o", "junit_family=xunit1", "--junit-xml=out.xml", **files)
    for name in ("anna gets v2", "others (http://shop/)", "others (http://shop/cart)", "coverage"):
        assert f"shop.meshtest.yaml::{name} PASSED" in done.stdout
    assert "7 passed" in done.stdout
    cases = ET.parse(tmp_path / "out.xml").iter("testcase")  # noqa: S314 - it is our own
    places = {case.get("name"): (case.get("file"), case.get("line")) for case in cases}
    assert places["anna gets v2"] == ("shop.meshtest.yaml", "6")  # counted from 0, as pytest does


def test_what_fails_says_why_and_where(run: Pytest) -> None:
    wrong = ROUTE_TESTS.replace("expect: {version: v2}", "expect: {version: v1}")
    wrong = wrong.replace("failUnder: 70", "failUnder: 90")
    done = run(code=1, shop__meshtest__yaml=wrong, test_wrong__py=WRONG)
    said = done.stdout
    assert "FAILED shop.meshtest.yaml::anna gets v2 - expected version v1; got version v2" in said
    assert "rule:     rules.yaml:18 (VirtualService default/shop spec.http[0].route)" in said
    assert "FAILED shop.meshtest.yaml::coverage - coverage 71 %, and 90 % is wanted" in said
    assert "not touched: rules.yaml:19: rule shop spec.http[1]" in said
    assert "FAILED test_wrong.py::test_share - AssertionError: expected shares v2=10%" in said
    assert "FAILED test_wrong.py::test_url" in said
    assert "E       meshdemo.pytest_plugin.mesh.Refused: the request cannot be sent" in said
    assert "4 failed, 3 passed" in said
    assert "pytest_plugin/" not in said, "no traceback through our code"


def test_a_file_that_is_wrong_is_refused_whole(run: Pytest) -> None:
    wrong = ROUTE_TESTS.replace("version: v1", "versoin: v1").replace("rules.yaml", "none.yaml")
    done = run(code=2, shop__meshtest__yaml=wrong, test_shop__py=TESTS)
    assert "shop.meshtest.yaml:5: RouteTest shop rules[0]: there is no file" in done.stdout
    assert "shop.meshtest.yaml:12: RouteTest shop tests[1].expect.versoin" in done.stdout
    assert "Traceback" not in done.stdout


def test_some_of_a_file_are_run_alone(run: Pytest) -> None:
    done = run("-rs", "-k", "anna or coverage", shop__meshtest__yaml=ROUTE_TESTS)
    assert "1 passed, 1 skipped, 2 deselected" in done.stdout
    assert "not all tests of the file ran here" in done.stdout


def test_who_does_not_use_it_pays_nothing(run: Pytest) -> None:
    done = run("-p", "no:xdist", "-p", "no:hypothesispytest", test_which__py=WHICH)
    assert "1 passed" in done.stdout


def test_each_worker_has_a_mesh_of_its_own(run: Pytest, tmp_path: Path) -> None:
    run("-n", "2", test_each__py=ONE_EACH)
    seen = [file.read_text().split() for file in tmp_path.glob("seen-gw*")]
    assert len(seen) == 2
    assert sum(map(len, seen)) == 6
    assert all(len(set(each)) == 1 for each in seen)
