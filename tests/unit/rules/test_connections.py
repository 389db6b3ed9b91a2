"""Which tcp or tls rule takes a connection. What istiod writes for the same rules is the source."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from tests import objects as make
from tests.objects import created, to

from meshdemo.errors import InputError
from meshdemo.rules import connections, promise, virtual_services
from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.inventory import Inventory
from meshdemo.rules.client_view import Client, ClientView
from meshdemo.verdict.traffic import Request

CLIENT = Client("default", {"app": "testclient"}, injected=True)
OUTSIDER = Client("default", {}, injected=False)
PODS = [("default", {"app": "app", "version": version}) for version in ("v1", "v2")]
SUBSETS = make.destination_rule("v1", "v2", namespace="default")
V1, V2, APP = {"route": [to("v1")]}, {"route": [to("v2")]}, {"route": [to()]}
PORTS: list[dict[str, Any]] = [
    {"name": "tcp", "port": 9000},
    {"name": "https", "port": 443},
    {"name": "http", "port": 80},
    {"port": 7070},
]

service = partial(make.service, *PORTS, namespace="default")


def rule(name: str = "app", second: int = 0, **spec: Any) -> Any:
    metadata = created(f"2026-01-01T00:00:0{second}Z")
    spec = {"hosts": ["app"], **spec}
    return make.made("VirtualService", name, "default", metadata=metadata, **spec)


def chains(*rules: Any, port: int = 9000, **more: Any) -> list[tuple[str, str]]:
    """Give by which name of a handshake which subset is reached; - is the service, * whatever."""
    view = ClientView.of([service(**more), SUBSETS, *rules], CLIENT)
    known = view.services["app.default.svc.cluster.local"]
    wanted = known.port(port)
    assert wanted
    return [
        (" ".join(chain.servers) or "*", _leads_to(chain))
        for chain in connections.chains(known, wanted, view)
    ]


def _leads_to(chain: connections.Chain) -> str:
    subsets = [part["destination"].get("subset", "-") for part in chain.route]
    return "passed on" if chain.passes_on else " ".join(subsets) or "-"


@pytest.mark.parametrize(
    ("tcp", "leads_to"),
    [
        ([], "-"),
        ([V1, V2], "v1"),
        ([{**V1, "match": [{"port": 9001}]}, V2], "v2"),
        ([{**V1, "match": [{"port": 9001}]}], "-"),
        ([{**V1, "match": [{"port": 9001}, {}]}, V2], "v1"),
        ([{**V1, "match": [{"sourceLabels": {"app": "other"}}]}, V2], "v2"),
        ([{**V1, "match": [{"sourceNamespace": "shop"}]}, V2], "v2"),
        ([{**V1, "match": [{"gateways": ["edge"]}]}, V2], "v2"),
        # For http rules gateways make a source no condition; here both must hold.
        ([{**V1, "match": [{"gateways": ["mesh"], "sourceNamespace": "shop"}]}, V2], "v2"),
        ([{**V1, "match": [{"gateways": ["mesh"], "sourceNamespace": "default"}]}, V2], "v1"),
    ],
)
def test_the_first_tcp_rule_that_is_for_the_client_takes_all(
    tcp: list[dict[str, Any]], leads_to: str
) -> None:
    assert chains(rule(tcp=tcp)) == [("*", leads_to)]
    assert chains(rule(tcp=tcp), port=7070)[0][0] == "*"


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [("10.1.2.3", "v2"), ("10.9.9.9", "v1"), ("192.168.1.1", "-"), ("", "-")],
)
def test_the_longest_range_with_the_address_decides_and_not_the_order(
    address: str, leads_to: str
) -> None:
    near = {**V2, "match": [{"destinationSubnets": ["10.1.0.0/16", "fd00::/8"]}]}
    far = {**V1, "match": [{"destinationSubnets": ["10.0.0.0/8"]}]}
    assert chains(rule(tcp=[far, near]), clusterIP=address) == [("*", leads_to)]


def test_tcp_rules_of_several_virtual_services_hold_together() -> None:
    wide = rule("wide", hosts=["*.local"], tcp=[{**V1, "match": [{"port": 9000}]}])
    narrow = rule("narrow", second=1, tcp=[V2])
    assert chains(narrow, wide) == [("*", "v1")]
    assert chains(narrow, wide, port=7070) == [("*", "v2")]


def tls(servers: list[str], way: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**way, "match": [{"sniHosts": servers, **more}]}


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ([], [("*", "-")]),
        ([tls(["A.example"], V1)], [("a.example", "v1"), ("*", "passed on")]),
        ([tls(["a.example"], V1), tls(["a.example"], V2)],
         [("a.example", "v1"), ("*", "passed on")]),
        ([tls(["a.example"], V1), tls(["a.example", "b.example"], V2)],
         [("a.example", "v1"), ("b.example", "v2"), ("*", "passed on")]),
        ([tls(["a.example"], V1), tls(["*"], V2)], [("a.example", "v1"), ("*", "v2")]),
        ([tls(["a.example"], V1, port=444)], [("*", "-")]),
        # A match keeps the subnets of one before it, as in istiod.
        ([tls(["a.example"], V1, destinationSubnets=["10.0.0.0/8"]), tls(["b.example"], V2)],
         [("*", "passed on")]),
    ],
)  # fmt: skip
def test_tls_rules_tell_connections_apart_by_the_name_in_the_handshake(
    rules: list[dict[str, Any]], found: list[tuple[str, str]]
) -> None:
    assert chains(rule(tls=rules), port=443, clusterIP="192.168.1.1") == found


def test_each_kind_of_rules_has_its_ports() -> None:
    both = rule(tcp=[V1], tls=[tls(["*"], V2)])
    assert [chains(both, port=port) for port in (9000, 443)] == [[("*", "v1")], [("*", "v2")]]


def promised(*rules: Any, url: str, client: Client = CLIENT) -> str:
    known = [service(), SUBSETS, *rules]
    return str(promise.promised(known, PODS, Request(url), client))


SPLIT = rule(tcp=[{"match": [{"port": 9000}], "route": [to("v1", 80), to("v2", 20)]}])


@pytest.mark.parametrize(
    ("url", "client", "shares"),
    [
        ("tcp://app:9000", CLIENT, "v1=80%,v2=20%"),
        ("tcp://app.default:9000/", CLIENT, "v1=80%,v2=20%"),
        ("http://app:9000/", CLIENT, "v1=80%,v2=20%"),
        ("tcp://app:7070", CLIENT, "v1=50%,v2=50%"),
        ("tcp://app:9000", OUTSIDER, "v1=50%,v2=50%"),
        ("tcp://app:80", OUTSIDER, "v1=50%,v2=50%"),
    ],
)
def test_the_split_of_connections_is_promised(url: str, client: Client, shares: str) -> None:
    assert promised(SPLIT, url=url, client=client) == shares


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("tcp://app:80", "port 80 of app.default.svc.cluster.local takes only HTTP"),
        ("tcp://app:9999", "has no port 9999"),
        ("tcp://nobody:9000", "neither a Service nor a rule"),
    ],
)
def test_nothing_is_promised_where_no_connection_gets(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        promised(SPLIT, url=url)


def test_http_rules_say_nothing_of_other_connections_to_a_detected_port() -> None:
    rules = rule(http=[V2], tcp=[V1])
    assert promised(rules, url="http://app:7070/") == "v2=100%"
    assert promised(rules, url="tcp://app:7070") == "v1=100%"


def test_a_destination_without_port_is_at_its_services_only_one() -> None:
    other = make.service({"name": "tcp", "port": 5000}, name="other", namespace="default")
    pods = [("default", {"app": "other", "version": "v9"})]
    known = [service(), other, rule(tcp=[{"route": [to(host="other")]}])]
    found = promise.promised(known, pods, Request("tcp://app:9000"), CLIENT)
    assert str(found) == "v9=100%"


@pytest.mark.parametrize(
    ("first", "second", "overruled"),
    [
        ({"http": [V1]}, {"http": [V2]}, True),
        ({"tcp": [V1]}, {"http": [V2]}, False),
        ({"http": [V1]}, {"tcp": [V2]}, False),
        ({"tcp": [V1]}, {"tcp": [V2]}, True),
        ({"tcp": [{**V1, "match": [{"port": 9000}]}]}, {"tcp": [V2]}, False),
        ({"http": [V1]}, {"http": [V2], "tcp": [V2]}, False),
        ({"http": [V1], "tcp": [V1]}, {"http": [V2], "tcp": [V2]}, True),
        ({"tcp": [V1]}, {"tls": [tls(["a.example"], V2)]}, False),
    ],
)
def test_a_rule_is_overruled_only_where_nothing_of_it_is_left(
    first: dict[str, Any], second: dict[str, Any], *, overruled: bool
) -> None:
    rules = [rule("first", **first), rule("second", second=1, **second)]
    assert bool(virtual_services.overruling(rules[1], rules, "default")) is overruled


@pytest.mark.parametrize(("kind", "warned"), [("http", True), ("tcp", False)])
def test_rules_for_one_host_conflict_only_if_they_are_not_merged(
    kind: str, *, warned: bool
) -> None:
    spec: Any = {kind: [V1]}
    rules = [rule(name, **spec) for name in ("one", "two")]
    found = analyzer.warnings(rules, Inventory.after(rules, [service(), SUBSETS], "now"))
    codes = [problem.code for problem in found]
    assert (analyzer.CONFLICTING_HOSTS in codes) is warned
