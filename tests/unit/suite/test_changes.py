"""``meshdemo diff``: what changes for requests between two states of the rules, no more."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.changed_rules import CANARY, V1, V2, at, compared, rules, said, state
from tests.paths import RECORDED_CASES

from meshdemo.errors import InputError
from meshdemo.suite.changes import comparing, samples, states

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


MANY = [at(f"/p{number:03}", V2) for number in range(250)]


SERVICE_ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: DNS
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}, {name: http-b, port: 81}]}
"""
DELEGATE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: part}
spec: {http: [{route: [{destination: {host: shop, subset: v1}}]}]}
---"""
SIDECAR = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: web}
spec:
  workloadSelector: {labels: {app: web}}
  egress: [{hosts: [./cart.default.svc.cluster.local]}]
---"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            rules(at("/api", V1), V1),
            rules(at("/api", CANARY), V1),
            ["10 % of /api moves to v2"],
            id="a canary begins",
        ),
        pytest.param(
            rules(at("/old", "redirect: {uri: /new}"), V1),
            rules(at("/old", "directResponse: {status: 404}"), V1),
            ["/old: 301 becomes 404"],
            id="a redirect ends",
        ),
        pytest.param(rules(V1), rules(V2), ["/ moves from v1 to v2"], id="all of it moves"),
        pytest.param(
            rules(V1), rules(at("/api", V2), V1), ["/api moves from v1 to v2"], id="a rule comes"
        ),
        pytest.param(
            rules("match: [{headers: {x-user: {exact: anna}}}]\n    " + V2, at("/api", V1), V1),
            rules(at("/api", V1), "match: [{headers: {x-user: {exact: anna}}}]\n    " + V2, V1),
            ["/api with x-user: anna moves from v2 to v1"],
            id="rules change places",
        ),
        pytest.param(
            rules(V1),
            rules("fault: {abort: {httpStatus: 503, percentage: {value: 25}}}\n    " + V1),
            ["25 % of / becomes 503"],
            id="a fault for some",
        ),
        pytest.param(
            rules(at("/api", "rewrite: {uri: /v1}\n    " + V1), V1),
            rules(at("/api", "rewrite: {uri: /v2}\n    " + V1), V1),
            ["/api: path /v1 becomes /v2"],
            id="another rewrite",
        ),
        pytest.param(
            rules("headers: {request: {set: {x-env: a}}, response: {set: {x-b: c}}}\n    " + V1),
            rules(V1),
            [
                "/: no request header x-env any more, which was a",
                "/: no response header x-b any more, which was c",
            ],
            id="headers go",
        ),
        pytest.param(
            rules("timeout: 3s\n    " + V1),
            rules("timeout: 1s\n    " + V1),
            ["/: timeout 3s becomes timeout 1s"],
            id="what only the rule says",
        ),
        pytest.param(
            rules("fault: {delay: {fixedDelay: 60s, percentage: {value: 100}}}\n    " + V1),
            rules(V1),
            ["/: no more delay 100 % 60s"],
            id="a delay, which is not waited for",
        ),
        pytest.param(
            rules(V1),
            rules(V1) + "  trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}\n",
            ["/: now trafficPolicy.connectionPool.http.maxRetries 1"],
            id="a policy of the destination",
        ),
        pytest.param(
            rules(V1, head='hosts: ["*.example.com"]\n  gateways: [ns/public]'),
            rules(V2, head='hosts: ["*.example.com"]\n  gateways: [ns/public]'),
            ["any.example.com/ through ns/public moves from v1 to v2"],
            id="through a gateway",
        ),
        pytest.param(
            rules(V1, head="hosts: [a.example.com]"),
            rules(V1, head="hosts: [b.example.com]"),
            [
                "b.example.com/: unknown to the mesh becomes v1",
                "a.example.com/: v1 becomes unknown to the mesh",
            ],
            id="another host",
        ),
        pytest.param(
            rules(V1),
            rules(V1, head='hosts: [shop]\n  exportTo: ["."]'),
            ["50 % of shop.default/ from namespace elsewhere moves to v2"],
            id="other namespaces lose the rules",
        ),
        pytest.param(
            rules(V1),
            rules(V1) + "  trafficPolicy: {tls: {mode: DISABLE}}\n",
            ["/: now TLS DISABLE"],
            id="TLS towards the destination",
        ),
        pytest.param(
            rules(*MANY, V1),
            rules(*MANY[:240], at("/p240", "redirect: {uri: /new}"), *MANY[241:], V1),
            ["/p240: v2 becomes 301"],
            id="one of many rules",
        ),
        pytest.param(
            rules(*MANY, V1),
            rules(*MANY[:240], at("/p240", "timeout: 1s\n    " + V2), *MANY[241:], V1),
            ["/p240: now timeout 1s"],
            id="the timeout of one of many rules",
        ),
        pytest.param(
            rules(*MANY, V1),
            rules(*MANY[:240], at("/other", V2), *MANY[241:], V1),
            ["/other moves from v1 to v2", "/p240 moves from v2 to v1"],
            id="the prefix of one of many rules",
        ),
        pytest.param(
            "",
            SERVICE_ENTRY,
            ["/: unknown to the mesh becomes api.example.com"],
            id="a host outside the mesh becomes known",
        ),
        pytest.param(
            SERVICE,
            SERVICE.replace("port: 81", "port: 82"),
            ["shop:81/: shop.default becomes 502", "shop:82/: 502 becomes shop.default"],
            id="another port of a Service",
        ),
        pytest.param(
            SIDECAR + rules("directResponse: {status: 418}"),
            SIDECAR.replace("cart", "shop") + rules("directResponse: {status: 418}"),
            ["100 % of / from app=web becomes 418"],
            id="what a Sidecar lets a client know",
        ),
        pytest.param(
            DELEGATE + rules("delegate: {name: part}"),
            DELEGATE + rules("timeout: 1s\n    delegate: {name: part}"),
            ["/: now timeout 1s"],
            id="what a delegate takes over",
        ),
        pytest.param("", rules(V1), ["/: unknown to the mesh becomes v1"], id="all rules come"),
        pytest.param(rules(V1), "", ["/: v1 becomes unknown to the mesh"], id="all rules go"),
    ],
)
def test_a_change_is_told_in_words(old: str, new: str, expected: list[str]) -> None:
    found = compared(old, new)
    assert [change.words for change in found.changes] == expected
    assert found.unseen == ()
    same = compared(new, new)
    assert (same.changes, same.unseen) == ((), ())


MATCHES = {
    "a header's regex takes one text more": (
        "headers: {x: {exact: a}}",
        "headers: {x: {regex: a|b}}",
        ["/ with x: b moves from v1 to v2"],
    ),
    "one repetition more": (
        "headers: {x: {regex: '[0-9]{5}'}}",
        "headers: {x: {regex: '[0-9]{5,6}'}}",
        ["/ with x: 000000 moves from v1 to v2"],
    ),
    "a path's regex takes one text more": (
        "uri: {regex: /r/(a|b)}",
        "uri: {regex: /r/(a|b|c)}",
        ["/r/c moves from v1 to v2"],
    ),
    "one letter more": (
        "uri: {regex: '/r/[a-y]'}",
        "uri: {regex: '/r/[a-z]'}",
        ["/r/z moves from v1 to v2"],
    ),
    "capitals are no difference any more": (
        "headers: {x: {regex: abc}}",
        "headers: {x: {regex: (?i)abc}}",
        ["/ with x: ABC moves from v1 to v2"],
    ),
    "a prefix becomes a regex": (
        "uri: {prefix: /api}",
        "uri: {regex: /api(/.*)?}",
        ["/apiany moves from v2 to v1"],
    ),
    "another method": (
        "method: {regex: GET|POST}",
        "method: {regex: GET|PUT}",
        ["PUT / moves from v1 to v2", "POST / moves from v2 to v1"],
    ),
    "clients of another namespace": (
        "sourceNamespace: a",
        "sourceNamespace: b",
        [
            "shop.default/ from namespace b moves from v1 to v2",
            "shop.default/ from namespace a moves from v2 to v1",
        ],
    ),
    "another authority": (
        "authority: {exact: shop}",
        "authority: {exact: shop.default}",
        ["shop.default/ moves from v1 to v2", "/ moves from v2 to v1"],
    ),
    "another port": (
        "port: 80",
        "port: 81",
        ["shop:81/ moves from v1 to v2", "/ moves from v2 to v1"],
    ),
}
"""A match of the rule that leads to v2, another one in its place, and what that changes."""


@pytest.mark.parametrize(("old", "new", "expected"), MATCHES.values(), ids=MATCHES)
def test_a_match_that_takes_more_or_less_is_seen(old: str, new: str, expected: list[str]) -> None:
    before, after = (rules(f"match: [{{{match}}}]\n    {V2}", V1) for match in (old, new))
    found = compared(before, after)
    assert [change.words for change in found.changes] == expected
    assert found.unseen == ()


def test_a_change_has_the_places_of_its_rules_and_all_of_its_requests() -> None:
    found = compared(rules(V1, at("/api", V1)), rules(at("/api", V2), V1))
    (change,) = found.changes
    assert change.old
    assert change.new
    assert (change.old.file, change.old.line, change.old.field) == ("old.yaml", 8, "spec.http[0]")
    assert (change.new.file, change.new.line, change.new.field) == ("new.yaml", 8, "spec.http[0]")
    assert {probe.path for probe in change.probes} == {"/api", "/api/any", "/apiany"}
    assert 0 < found.sent <= found.derived


def test_files_are_laid_over_what_is_applied() -> None:
    other = rules(V1, head="hosts: [other]").replace("name: shop}", "name: other}", 1)
    live = state("live", rules(V1) + "---" + other)
    new = state("rules", rules(V2))
    found = comparing.compare(live, new, "default", 30)
    assert [change.words for change in found.changes] == ["shop/ moves from v1 to v2"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("rout: 1", "weird: 1", id="no such field"),
        pytest.param("match: 1", "route: 5", id="a wrong type"),
    ],
)
def test_what_either_state_has_refused_is_told_whole(old: str, new: str) -> None:
    with pytest.raises(InputError) as refused:
        compared(rules(old), rules(new))
    assert {problem.file for problem in refused.value.problems} == {"old.yaml", "new.yaml"}


SOME = sorted(RECORDED_CASES.glob("*.yaml"))[::12]


@pytest.mark.parametrize("case", SOME, ids=[each.stem for each in SOME])
def test_of_what_did_not_change_nothing_is_told(case: Path) -> None:
    recorded: Mapping[str, Any] = yaml.safe_load(case.read_text())
    if "rejected_for" not in recorded:
        assert said(recorded["manifests"], recorded["manifests"]) == []


@pytest.fixture
def repository_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "rules").mkdir(parents=True)
    (tmp_path / "a" / "rules" / "shop.yaml").write_text(rules(V1))
    (tmp_path / "a" / "values.yaml").write_text("a: b\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for argv in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *argv], check=True)
    (tmp_path / "a" / "rules" / "shop.yaml").write_text(rules(V2))
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "word"),
    [(".", "HEAD:a/rules/"), (".", "HEAD:"), ("a", "HEAD:./rules"), ("a/rules", "HEAD:../rules")],
)
def test_a_revision_is_read_as_git_names_it(
    repository_of: Path, monkeypatch: pytest.MonkeyPatch, folder: str, word: str
) -> None:
    monkeypatch.chdir(repository_of / folder)
    found, _ = states.read(word, str(repository_of / "a/rules"), "default", tuple)
    assert [item.file for item in found.objects] == ["HEAD:a/rules/shop.yaml"] * 2
    assert found.objects[0].spec["http"][0]["route"][0]["destination"]["subset"] == "v1"


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("HEAD~7:a/", r"git does not know HEAD~7:a/"),
        ("HEAD:none/", r"there is no HEAD:none/"),
        ("none", r"none cannot be used"),
        ("--upload-pack=x:a", r"git does not know"),
        ("a/values.yaml", r"there are no rules in a/values.yaml"),
    ],
)
@pytest.mark.usefixtures("repository_of")
def test_a_state_that_is_not_there_is_refused(word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        states.read(word, word, "default", tuple)


def test_a_folder_that_a_revision_has_not_is_a_state_without_rules(repository_of: Path) -> None:
    (repository_of / "new").mkdir()
    (repository_of / "new" / "shop.yaml").write_text(rules(V1))
    for old, new in [("HEAD:new", "new/"), ("HEAD:./new/", str(repository_of / "new"))]:
        before, after = states.read(old, new, "default", tuple)
        assert (len(before.objects), len(after.objects)) == (0, 2)


def test_a_folder_that_was_removed_is_a_state_without_rules(repository_of: Path) -> None:
    (repository_of / "a" / "rules" / "shop.yaml").unlink()
    (repository_of / "a" / "rules").rmdir()
    before, after = states.read("HEAD:a/rules", "a/rules", "default", tuple)
    assert (len(before.objects), len(after.objects)) == (2, 0)


@pytest.mark.usefixtures("repository_of")
def test_a_file_without_rules_is_a_state() -> None:
    for old, new in [("a/rules", "a/values.yaml"), ("HEAD:a/values.yaml", "a/rules")]:
        before, after = states.read(old, new, "default", tuple)
        assert sorted((len(before.objects), len(after.objects))) == [0, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HEAD:a/rulse", "a/rules", r"there is no HEAD:a/rulse"),
        ("HEAD:a/rules", "a/rulse", r"a/rulse cannot be used"),
        ("a/rules", "a/rulse", r"a/rulse cannot be used"),
        ("HEAD:new", "new", r"there is no HEAD:new"),
        ("HEAD~7:a/rules", "a/rules", r"git does not know HEAD~7:a/rules"),
        ("a/values.yaml", "HEAD:a/values.yaml", r"there are no rules in a/values.yaml or HEAD:"),
    ],
)
@pytest.mark.usefixtures("repository_of")
def test_a_path_that_neither_state_has_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        states.read(old, new, "default", tuple)


PARTS = st.sampled_from(["a", "/", r"\d", r"\w+", "[a-c]", "[^/]+", ".", "x?", "(b|cd)", "e{2,3}"])


@given(st.lists(PARTS, min_size=1, max_size=6).map("".join))
def test_what_is_written_for_a_regex_matches_it(regex: str) -> None:
    written = samples.of_regex(regex)
    assert written
    assert all(re.fullmatch(regex, text) for text in written)
