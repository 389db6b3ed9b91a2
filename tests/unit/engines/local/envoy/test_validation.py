"""A real Envoy is shown what each rule becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.objects import made
from tests.paths import RECORDED_CASES

from meshdemo.engines.local.admission import judge
from meshdemo.engines.local.envoy import binary, validation
from meshdemo.objects import reading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.objects.model import Object

TO_APP: dict[str, Any] = {"route": [{"destination": {"host": "app"}}]}


def said(*objects: Object) -> list[str]:
    """Give what Envoy says of each rejected part of objects."""
    return [f"{problem.field}: {problem.message}" for problem in asked(objects)]


def asked(objects: Iterable[Object]) -> list[Any]:
    units = [unit for item in objects for unit in validation.units(item)]
    return list(validation.rejected(binary.find(), units))


def virtual_service(*http: dict[str, Any], **spec: Any) -> Object:
    return made("VirtualService", **{"hosts": ["app"], "http": list(http), **spec})


def destination_rule(**policy: Any) -> Object:
    return made("DestinationRule", host="app", trafficPolicy=policy)


HASH_OF_NOTHING = {"loadBalancer": {"consistentHash": {"httpHeaderName": ""}}}


def test_of_many_rules_those_are_named_that_it_rejects() -> None:
    answer = {"directResponse": {"status": 600}}
    sound = [made("VirtualService", f"a{n}", hosts=["app"], http=[TO_APP]) for n in range(20)]
    bad = virtual_service(TO_APP, answer), destination_rule(**HASH_OF_NOTHING)
    found = asked([*sound[:7], bad[0], *sound[7:], bad[1]])
    assert [(each.subject, each.field) for each in found] == [
        ("VirtualService shop/app", "spec.http[1]"),
        ("DestinationRule shop/app", ""),
    ]
    version = binary.find().version
    assert [each.message.removeprefix(f"Istio takes it, but Envoy {version} does not: ")
            for each in found] == [
        "DirectResponseActionValidationError.Status: value must be inside range [200, 600)",
        "HeaderValidationError.HeaderName: value length must be at least 1 characters",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"gateways": ["ns/public"], "hosts": ["*"]}, id="of a gateway, for all hosts"),
        pytest.param({"hosts": []}, id="a delegate"),
        pytest.param({"exportTo": ["other"]}, id="for other clients"),
        pytest.param({"hosts": ["*.example.com", "10.0.0.1", "APP"]}, id="odd hosts"),
    ],
)
def test_a_rule_that_no_client_here_would_get_is_shown_all_the_same(spec: dict[str, Any]) -> None:
    match = [{"uri": {"prefix": "/a"}, "port": 8080, "sourceLabels": {"a": "b"}}]
    bad = {"match": match, "directResponse": {"status": 600}}
    assert said(virtual_service({"match": match, **TO_APP}, TO_APP, **spec)) == []
    (found,) = said(virtual_service(TO_APP, bad, **spec))
    assert found.startswith("spec.http[1]: ")


@pytest.mark.parametrize("host", ["app", "app.shop.svc.cluster.local", "*.example.com", "*"])
def test_a_destination_rule_needs_no_service(host: str) -> None:
    sound = made(
        "DestinationRule",
        host=host,
        exportTo=["."],
        trafficPolicy={"tls": {"mode": "SIMPLE", "caCertificates": "/etc/nowhere.pem"}},
        subsets=[{"name": "v1", "labels": {"version": "v1"}}],
    )
    assert said(sound) == []
    levels = [{"port": {"number": 9090}, **HASH_OF_NOTHING}]
    subsets = [{"name": "v1", "trafficPolicy": {"portLevelSettings": levels}}]
    assert len(said(made("DestinationRule", host=host, subsets=subsets))) == 1


def recorded(name: str) -> tuple[bool, list[Object]]:
    """Tell whether Istio refuses the objects of a recorded case, and give them."""
    case = yaml.safe_load((RECORDED_CASES / f"{name}.yaml").read_text())
    problems: list[Any] = []
    parsed = reading.parse(case["manifests"], f"{name}.yaml", problems)
    objects = reading.settled(parsed, "default", problems)
    return "rejected_for" in case, objects


def test_what_istio_is_recorded_to_take_and_answer_by_is_neither_refused_nor_rejected() -> None:
    """And the other way round: what it is recorded to refuse is refused."""
    accepted: list[Object] = []
    for path in sorted(RECORDED_CASES.glob("*.yaml")):
        refused_there, objects = recorded(path.stem)
        judged = [judge(item) for item in objects]
        refused = [problem for each in judged for problem in (*each.refused, *each.rejected)]
        assert bool(refused) == refused_there, (path.stem, refused)
        accepted += [] if refused_there else [each.item for each in judged]
    assert len(accepted) > 500
    assert asked(accepted) == []
