"""The table of fields: one class for each field, and what is said about each class."""

from __future__ import annotations

import pytest

from meshdemo.engines.local import fields
from meshdemo.engines.local.fields import types
from meshdemo.engines.local.fields.findings import closest
from meshdemo.engines.local.fields.types import Standing
from meshdemo.objects import durations
from meshdemo.objects.model import Object

RULES = ("VirtualService", "DestinationRule")
SAID_IN_A_NOTE = ("warmup", "warmupDurationSecs")
"""Fields of rules that need what cannot be had on loopback: a pod that is newer than others."""


def rule(kind: str, spec: object) -> Object:
    metadata = {"name": "app", "namespace": "default"}
    data = {
        "apiVersion": "networking.istio.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }
    return Object(data)


def messages(item: Object) -> list[str]:
    findings = fields.read(item)
    return [str(problem) for problem in (*findings.unsupported, *findings.problems)]


@pytest.mark.parametrize("kind", RULES)
def test_no_field_of_a_rule_is_silently_without_effect(kind: str) -> None:
    idle = [path for path, row in fields.every_row(kind) if row.standing is Standing.IDLE]
    silent = [path for path in idle if path.rpartition(".")[2] not in SAID_IN_A_NOTE]
    assert [path for path in silent if path.startswith("spec")] == []


@pytest.mark.parametrize("kind", fields.TABLE)
def test_every_honoured_field_has_a_type(kind: str) -> None:
    honoured = [item for item in fields.every_row(kind) if item[1].standing is Standing.HONOURED]
    assert honoured
    assert [path for path, row in honoured if isinstance(row.type, types.Anything)] == []


@pytest.mark.parametrize("kind", RULES)
def test_every_field_of_a_rule_has_a_type(kind: str) -> None:
    rows = [(path, row) for path, row in fields.every_row(kind) if path.startswith("spec")]
    assert [path for path, row in rows if isinstance(row.type, types.Anything)] == []


@pytest.mark.parametrize(
    "path",
    [
        ("http", "fault", "abort", "http2Error"),
    ],
    ids=".".join,
)
def test_a_later_field_of_a_virtual_service_is_known_and_refused(path: tuple[str, ...]) -> None:
    assert not fields.supports("VirtualService", "spec", *path)


@pytest.mark.parametrize(
    "path",
    [("http", "match", "uri", "regex"), ("http", "route", "weight"), ("http", "timeout")],
    ids=".".join,
)
def test_a_supported_field_of_a_virtual_service_is_honoured(path: tuple[str, ...]) -> None:
    assert fields.supports("VirtualService", "spec", *path)


def test_an_unsupported_field_is_refused_once_and_its_value_is_judged_too() -> None:
    abort = {"http2Error": 1, "http3Error": "b"}
    found = messages(rule("VirtualService", {"http": [{"fault": {"abort": abort}}]}))
    said = "spec.http[0].fault.abort.http2Error: "
    assert [text for text in found if f"{said}Istio knows it, but the local engine does" in text]
    assert [text for text in found if f"{said}text is wanted" in text]
    assert [text for text in found if "http3Error: Istio does not know this field" in text]
    assert len(found) == 3


def test_a_field_without_effect_is_accepted_and_named_once_for_all_objects_of_a_kind() -> None:
    ports = [{"port": 80, "nodePort": 1}, {"port": 81, "nodePort": 2}]
    data = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    status = {"observedGeneration": 1}
    findings = fields.read(Object({**data, "spec": {"ports": ports}, "status": status}))
    assert findings.problems == []
    assert list(findings.idle) == ["Service spec.ports[].nodePort", "Service status"]


def test_an_empty_field_without_effect_is_not_worth_a_note() -> None:
    data = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    assert fields.read(Object({**data, "spec": {"strategy": {}}, "status": {}})).idle == {}


@pytest.mark.parametrize("kind", RULES)
def test_an_empty_list_of_a_rule_is_as_good_as_absent(kind: str) -> None:
    every = [path for path, row in fields.every_row(kind) if isinstance(row.type, types.ListOf)]
    assert every
    for path in (path for path in every if path.startswith("spec.")):
        found = messages(_around(kind, path, {path.rpartition(".")[2]: []}))
        assert [text for text in found if path.rpartition(".")[2] in text] == []


def test_an_empty_unsupported_field_of_kubernetes_is_as_good_as_absent() -> None:
    data = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    spec = {"containers": [], "volumes": [], "hostNetwork": False, "hostname": None}
    assert messages(Object({**data, "spec": spec})) == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("half", 'a whole number is wanted, not the text "half"'),
        ("10", 'not the text "10"; write 10 without quotes'),
        (1.5, "a whole number is wanted, not the number 1.5"),
        (True, "a whole number is wanted, not the boolean true"),
        ([], "a whole number is wanted, not a list"),
        ({}, "a whole number is wanted, not a mapping"),
        (2**31, "2147483648 is not in the range 0 to 2147483647"),
    ],
    ids=repr,
)
def test_a_wrong_type_says_what_is_wanted_and_what_is_there(value: object, said: str) -> None:
    route = {"destination": {"host": "app"}, "weight": value}
    found = messages(rule("VirtualService", {"http": [{"route": [route]}]}))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize("kind", [kind for kind in fields.TABLE if kind != "ServiceAccount"])
def test_a_null_is_as_good_as_absent(kind: str) -> None:
    """As a server drops it; where a field must be there, null is not enough."""
    rows = {path: row for path, row in fields.every_row(kind) if path.startswith("spec.")}
    for path, row in rows.items():
        *around, name = path.removesuffix("[]").replace("[]", "").split(".")
        found = messages(_around(kind, path, {name: None}))
        assert [text for text in found if f".{name}:" in text and "is missing" not in text] == []
        assert around
        if row.required:
            assert [text for text in found if f".{name}: it is missing" in text], path


def _around(kind: str, path: str, innermost: object) -> Object:
    """Give an object that holds next to nothing but the way to a field."""
    data = innermost
    for part in reversed(path.split(".")[:-1]):
        name = part.removesuffix("[]")
        data = {name: [data] if part.endswith("[]") else data}
    head = {"apiVersion": fields.TABLE[kind].versions[0], "kind": kind}
    assert isinstance(data, dict)
    return Object({**head, "metadata": {"name": "a", "namespace": "b"}, **data})


@pytest.mark.parametrize(
    ("version", "kind", "said"),
    [
        ("networking.istio.io/v1alpha3", "VirtualService", ""),
        ("networking.istio.io/v1beta1", "VirtualService", ""),
        ("networking.istio.io/v2", "VirtualService", "no VirtualService has the version"),
        ("apps/v1", "Service", "no Service has the version apps/v1; write v1"),
        ("networking.k8s.io/v1", "Ingress", "does not support the kind Ingress"),
        ("apps/v1", "Deploymnet", "does not know the kind Deploymnet; did you mean Deployment?"),
        ("v1", "Nonsense", "it knows Service, Deployment"),
    ],
)
def test_kinds_and_their_versions_are_known(version: str, kind: str, said: str) -> None:
    found = messages(Object({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}}))
    assert [text for text in found if said in text] if said else found == []


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1s", 1000),
        ("1.5s", 1500),
        ("2m30s", 150_000),
        ("1h", 3_600_000),
        (".5s", 500),
        ("1.s", 1000),
        ("-1s", -1000),
        ("0", 0),
        ("5", None),
        ("", None),
        ("1 s", None),
        ("1d", None),
        ("s", None),
        ("1" * 5000 + "s", None),
    ],
)
def test_durations_are_read_as_go_reads_them(text: str, milliseconds: int | None) -> None:
    length = durations.seconds(text)
    assert (length if length is None else length * 1000) == milliseconds


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0s", "leave the field out"),
        ("999us", "less than 1ms"),
        ("-1s", "less than 1ms"),
        ("1.0005s", "finer than a millisecond"),
        ("2562048h", "longer than Envoy takes: 2562047h47m15s at most"),
        ("-2562048h", "longer than Envoy takes"),
        ("9" * 30 + "s", "longer than Envoy takes"),
        ("9" * 5000 + "s", "not a valid duration"),
        ("5", "not a valid duration"),
        (5, "a duration as 1.5s or 2m is wanted, not the number 5"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_timeout_is_a_millisecond_at_least(value: object, said: str) -> None:
    found = messages(rule("VirtualService", {"http": [{"timeout": value}]}))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("timeOut", "timeout"), ("weigth", "weight"), ("retry_on", "retryOn"), ("qqq", "")],
)
def test_a_misspelt_name_is_recognised(name: str, meant: str) -> None:
    assert closest(name, ["timeout", "weight", "retryOn"]) == meant
