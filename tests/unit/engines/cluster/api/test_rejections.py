"""What the API server and istiod say against an object, in our words and with its line."""

from __future__ import annotations

from typing import Any

import pytest

from meshdemo.engines.cluster.api import rejections
from meshdemo.engines.cluster.api.connection import Denied
from meshdemo.engines.local.admission import istio_problems
from meshdemo.objects import model, reading

RULE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app, namespace: shop}
spec:
  hosts: [app, app]
  http:
  - route:
    - {destination: {host: app}, weight: 0}
    - {destination: {host: "app..x"}, weight: 0}
    timeout: abc
    match: [{uri: {exact: a, prefix: b}}]
"""
GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec: {servers: []}
"""
# As the API server 1.34 and istiod 1.32 really said it.
WEBHOOK = 'admission webhook "validation.istio.io" denied the request: configuration is invalid: '
DUPLICATE = f"""{WEBHOOK}2 errors occurred:
\t* duplicate hosts
\t* total destination weight = 0

"""
NO_SERVER = f"{WEBHOOK}gateway must have at least one server"
OTHERS = 'admission webhook "policy.example.com" denied the request: no app without an owner'
TYPED = "failed to create typed patch object (shop/app; v1, Kind=A):"
ONE_OF = '"spec.http[0].match[0].uri" must validate one and only one schema (oneOf)'
CAUSES = [
    {"field": "<nil>", "message": f'Invalid value: "": {ONE_OF}'},
    {"field": "<nil>", "message": "Invalid value: null: some validation rules were not checked"},
    {"field": "spec.http[0].timeout", "message": "Invalid value: type conversion error"},
]


def item(text: str) -> model.Object:
    (found,) = reading.parse(text, "my.yaml", [])
    return found


def said(text: str, message: str, causes: Any = (), status: int = 422) -> list[str]:
    denial = Denied(message, status, {"details": {"causes": list(causes)}})
    found = item(text)
    theirs = rejections.problems(found, denial, "kubectl delete ...")
    return [str(p) for p in rejections.in_our_words(theirs, istio_problems([found]))]


def test_a_rule_that_istiod_refuses_is_told_by_our_tables_with_each_fields_line() -> None:
    assert said(RULE, DUPLICATE, status=400) == said(RULE, "invalid", CAUSES)
    assert [line.partition(": ")[0] for line in said(RULE, DUPLICATE, status=400)] == [
        "my.yaml:5",
        "my.yaml:7",
        "my.yaml:9",
        "my.yaml:10",
        "my.yaml:11",
    ]


def test_what_the_server_alone_knows_of_a_rule_is_kept() -> None:
    found = said(RULE, f"{TYPED} .spec.hosts: expected list, got &{{map[a:b]}}\n", status=500)
    assert not any("expected list" in line for line in found)
    found = said(RULE, f"{TYPED} .spec.novelty: field not declared in schema\n", status=500)
    assert (
        found[-1] == "my.yaml:4: VirtualService shop/app spec.novelty: field not declared in schema"
    )


@pytest.mark.parametrize(
    ("message", "causes", "expected"),
    [
        (NO_SERVER, (), ["Istio refuses it: gateway must have at least one server"]),
        (
            DUPLICATE,
            (),
            [
                "Istio refuses it: duplicate hosts",
                "Istio refuses it: total destination weight = 0",
            ],
        ),
        (OTHERS, (), [OTHERS]),
        (f"{TYPED} .spec.servers: expected map, got &{{[x y]}}\n", (), ["expected map"]),
        (
            "invalid",
            CAUSES,
            [
                "must validate one and only one schema (oneOf)",
                "Invalid value: type conversion error",
            ],
        ),
        ("invalid", CAUSES[1:2], [CAUSES[1]["message"]]),
    ],
    ids=["istiod", "istiod, twice", "another webhook", "Go's words", "no field", "nothing else"],
)
def test_what_our_tables_do_not_have_is_the_servers_word_without_its_noise(
    message: str, causes: Any, expected: list[str]
) -> None:
    denial = Denied(message, 400, {"details": {"causes": list(causes)}})
    found = rejections.problems(item(GATEWAY), denial, "kubectl delete ...")
    assert [problem.message for problem in found] == expected
