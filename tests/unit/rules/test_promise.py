from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import objects as make
from tests.objects import created, made, to

from meshdemo.errors import InputError
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client
from meshdemo.rules.sending import sending
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

SomePod = tuple[str, dict[str, str]]


def pod(namespace: str = "default", **labels: str) -> SomePod:
    return namespace, labels


def app(version: str, count: int = 1, namespace: str = "default") -> list[SomePod]:
    return [pod(namespace, app="app", version=version)] * count


service = partial(make.service, namespace="default")
subsets = partial(make.destination_rule, namespace="default")
rule = partial(make.virtual_service, namespace="default", metadata=created("2024-01-01T00:00:00Z"))

PODS = [*app("v1"), *app("v2")]
BOTH = subsets("v1", "v2")
CLIENT = Client("default", {"app": "testclient"}, injected=True)
OUTSIDER = Client("default", {}, injected=False)


def promised(
    *objects: Object,
    url: str = "http://app/env/version",
    pods: list[SomePod] = PODS,
    client: Client = CLIENT,
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
) -> str:
    return str(promise.promised(objects, pods, Request(url, method, headers), client))


@pytest.mark.parametrize(
    ("pods", "shares"),
    [
        pytest.param(PODS, "v1=50%,v2=50%", id="one each"),
        pytest.param([*app("v1", 3), *app("v2")], "v1=75%,v2=25%", id="replicas"),
        pytest.param([*app("v10"), *app("v9")], "v9=50%,v10=50%", id="in natural order"),
        pytest.param(app("v2"), "v2=100%", id="one version"),
        pytest.param(
            [*app("v1"), *app("v2", namespace="shop"), pod(app="other")],
            "v1=100%",
            id="only those selected",
        ),
    ],
)
@pytest.mark.parametrize("client", [CLIENT, OUTSIDER], ids=["injected", "not injected"])
def test_without_a_rule_each_pod_gets_as_much(
    pods: list[SomePod], shares: str, client: Client
) -> None:
    assert promised(service(), BOTH, pods=pods, client=client) == shares


@pytest.mark.parametrize(
    ("route", "shares"),
    [
        pytest.param([to("v2")], "v2=100%", id="all to one"),
        pytest.param([to("v1", 90), to("v2", 10)], "v1=90%,v2=10%", id="weights"),
        pytest.param([to("v1", 1), to("v2", 3)], "v1=25%,v2=75%", id="in proportion"),
        pytest.param([to("v2", 7)], "v2=100%", id="the weight of an only one"),
        pytest.param([to("v1"), to("v2", 5)], "v2=100%", id="no weight is none"),
        pytest.param([to("v9", 0), to("v2", 5)], "v2=100%", id="a missing subset without weight"),
        pytest.param([to()], "v1=50%,v2=50%", id="no subset"),
        pytest.param([to("", 50), to("v2", 50)], "v1=25%,v2=75%", id="one version in two parts"),
        pytest.param([to("v1", 1), to("v2", 2)], "v1=33.33%,v2=66.67%", id="thirds"),
    ],
)
def test_a_rule_promises_its_weights(route: list[dict[str, Any]], shares: str) -> None:
    assert promised(service(), BOTH, rule({"route": route})) == shares


@given(st.lists(st.integers(0, 100), min_size=2, max_size=2).filter(any))
def test_shares_stay_exact(weights: list[int]) -> None:
    objects = (service(), BOTH, rule({"route": [to("v1", weights[0]), to("v2", weights[1])]}))
    found = promise.promised(objects, PODS, Request(), CLIENT)
    assert found.rest == 0
    assert dict(found.shares).get("v1", 0) == Fraction(weights[0], sum(weights))


def test_a_client_without_a_sidecar_does_not_follow_the_rules() -> None:
    objects = (service(), BOTH, rule({"route": [to("v2")]}))
    assert promised(*objects, client=OUTSIDER) == "v1=50%,v2=50%"


@pytest.mark.parametrize(
    ("url", "header", "shares"),
    [
        ("http://app/beta/x", "", "v2=100%"),
        ("http://app/", "", "v1=100%"),
        ("http://app/", "tester", "v2=100%"),
        ("http://app.default/", "", "v1=100%"),
        ("http://app.default.svc/", "", "v1=100%"),
        ("http://APP.default.svc.cluster.local./", "", "v1=100%"),
    ],
)
def test_the_first_rule_that_matches_counts(url: str, header: str, shares: str) -> None:
    matches = [{"uri": {"prefix": "/beta"}}, {"headers": {"x-user": {"exact": "tester"}}}]
    rules = rule({"match": matches, "route": [to("v2")]}, {"route": [to("v1")]})
    headers = (("X-User", header),) if header else ()
    assert promised(service(), BOTH, rules, url=url, headers=headers) == shares


@pytest.mark.parametrize(
    ("first", "second", "shares"),
    [
        pytest.param(
            {"metadata": created("2024-01-01T00:00:00Z")},
            {"metadata": created("2024-01-02T00:00:00Z")},
            "v1=100%",
            id="older",
        ),
        pytest.param(
            {"metadata": created("2024-01-02T00:00:00Z")},
            {"metadata": created("2024-01-01T00:00:00Z")},
            "v2=100%",
            id="newer",
        ),
        pytest.param({"name": "b"}, {"name": "a"}, "v2=100%", id="name decides a tie"),
        pytest.param({"hosts": ["*.svc.cluster.local"]}, {"name": "z"}, "v2=100%", id="exact host"),
        pytest.param(
            {"hosts": ["*"]}, {"hosts": ["*.default.svc.cluster.local"]}, "v2=100%", id="longest"
        ),
        pytest.param({"hosts": ["other"]}, {"name": "z"}, "v2=100%", id="another host"),
        pytest.param({"gateways": ["gw"]}, {"name": "z"}, "v2=100%", id="not for sidecars"),
        pytest.param({"exportTo": ["shop"]}, {"name": "z"}, "v2=100%", id="not exported"),
        pytest.param({"name": "z"}, {"exportTo": ["."]}, "v2=100%", id="private before public"),
    ],
)
def test_one_virtual_service_wins_and_they_are_not_merged(
    first: dict[str, Any], second: dict[str, Any], shares: str
) -> None:
    named = ({"name": "m1", **first}, {"name": "m2", **second})
    rules = [rule({"route": [to(v)]}, **spec) for v, spec in zip(("v1", "v2"), named, strict=True)]
    assert promised(service(), BOTH, *rules) == shares


@pytest.mark.parametrize(
    "match",
    [
        {"port": 8000},
        {"sourceLabels": {"app": "x"}},
        {"sourceNamespace": "x"},
        {"gateways": ["gw"]},
    ],
    ids=lambda match: next(iter(match)),
)
def test_rules_for_others_leave_the_service_its_normal_routing(match: dict[str, Any]) -> None:
    only = rule({"match": [match], "route": [to("v2")]})
    assert promised(service(), BOTH, only) == "v1=50%,v2=50%"
    later = rule({"route": [to("v1")]}, name="later")
    assert promised(service(), BOTH, only, later) == "v1=100%"


@pytest.mark.parametrize(
    "port",
    [{"name": "tcp-web"}, {"name": "http", "appProtocol": "tcp"}, {"port": 3306}],
    ids=["name", "appProtocol", "number"],
)
def test_a_port_that_is_not_http_takes_no_http_rules(port: dict[str, Any]) -> None:
    number = port.get("port", 80)
    objects = (service({"port": number, **port}), BOTH, rule({"route": [to("v2")]}))
    assert promised(*objects, url=f"http://app:{number}/") == "v1=50%,v2=50%"


@pytest.mark.parametrize(
    "port",
    [
        {},
        {"name": "web"},
        {"name": "tcp-x", "appProtocol": "http"},
        {"appProtocol": "kubernetes.io/h2c"},
    ],
)
def test_a_port_that_may_be_http_takes_http_rules(port: dict[str, Any]) -> None:
    objects = (service({"port": 80, **port}), BOTH, rule({"route": [to("v2")]}))
    assert promised(*objects) == "v2=100%"


def test_a_destination_may_be_another_service_and_port() -> None:
    other = service({"name": "http", "port": 8080}, name="other", namespace="shop")
    pods = [*PODS, pod("shop", app="other", version="o1")]
    goal = {"host": "other.shop.svc.cluster.local", "port": {"number": 8080}}
    routed = rule({"route": [to("v1", 3), {"destination": goal, "weight": 1}]})
    assert promised(service(), other, BOTH, routed, pods=pods) == "v1=75%,o1=25%"


def test_a_host_that_only_a_rule_names_is_routed_on_port_80() -> None:
    routed = rule({"route": [to("v2")]}, hosts=["shop.example"])
    assert promised(service(), BOTH, routed, url="http://shop.example/") == "v2=100%"
    with pytest.raises(InputError):
        promised(service(), BOTH, routed, url="http://shop.example:8000/")


def test_destination_rules_of_one_host_are_merged_and_the_first_subset_of_a_name_counts() -> None:
    objects = [
        service(),
        subsets("v1"),
        subsets(
            name="later",
            host="app.default.svc.cluster.local",
            subsets=[
                {"name": "v1", "labels": {"version": "v2"}},
                {"name": "v2", "labels": {"version": "v2"}},
            ],
        ),
        rule({"route": [to("v1", 90), to("v2", 10)]}),
    ]
    assert promised(*objects) == "v1=90%,v2=10%"


def test_the_clients_namespace_has_the_nearest_destination_rule() -> None:
    near = subsets(
        name="near",
        host="app.shop.svc.cluster.local",
        subsets=[{"name": "v1", "labels": {"version": "v2"}}],
    )
    far = subsets("v1", "v2", name="far", namespace="shop")
    shop = service(namespace="shop")
    goal = "app.shop.svc.cluster.local"
    routed = rule({"route": [to("v1", host=goal)]}, hosts=[goal])
    pods = [*app("v1", namespace="shop"), *app("v2", namespace="shop")]
    assert promised(shop, far, routed, pods=pods, url="http://app.shop/") == "v1=100%"
    assert promised(shop, near, far, routed, pods=pods, url="http://app.shop/") == "v2=100%"


def test_a_destination_rule_for_other_workloads_does_not_count() -> None:
    selected = subsets("v2", workloadSelector={"matchLabels": {"app": "someone-else"}})
    with pytest.raises(InputError, match="no DestinationRule"):
        promised(service(), selected, rule({"route": [to("v2")]}))


def test_a_destination_rule_for_this_workload_wins_over_an_older_one_for_all() -> None:
    def only(version: str, name: str, day: int, **spec: Any) -> Object:
        when = created(f"2024-01-0{day}T00:00:00Z")
        subset = {"name": "s", "labels": {"version": version}}
        return subsets(name=name, metadata=when, subsets=[subset], **spec)

    selecting = only("v1", "mine", 2, workloadSelector={"matchLabels": {"app": "testclient"}})
    objects = [service(), only("v2", "general", 1), selecting, rule({"route": [to("s")]})]
    assert promised(*objects) == "v1=100%"


def test_the_root_namespace_is_that_of_the_clients_istio() -> None:
    host = "app.default.svc.cluster.local"
    everywhere = subsets("v2", name="all", namespace="mesh-root", host=host)
    objects = [service(), everywhere, rule({"route": [to("v2")]})]
    client = Client("default", {}, injected=True, root_namespace="mesh-root")
    assert promised(*objects, client=client) == "v2=100%"
    with pytest.raises(InputError, match="no DestinationRule"):
        promised(*objects)


def abort(percent: float) -> dict[str, Any]:
    return {"fault": {"abort": {"httpStatus": 503, "percentage": {"value": percent}}}}


@pytest.mark.parametrize(
    ("way", "promise"),
    [
        ({"redirect": {"uri": "/x"}}, "301=100%"),
        ({"redirect": {"uri": "/x", "redirectCode": 308}}, "308=100%"),
        ({"directResponse": {"status": 418}}, "418=100%"),
        ({**abort(10), "route": [to("v2")]}, "503=10%,v2=90%"),
        ({**abort(12.5), "route": [to("v1", 40), to("v2", 60)]}, "503=12.5%,v1=35%,v2=52.5%"),
        ({**abort(100), "route": [to("v9")]}, "503=100%"),
        ({**abort(10), "delegate": {"name": "closed"}}, "503=10%,418=90%"),
        ({**abort(100), "delegate": {"name": "closed"}}, "503=100%"),
        ({**abort(0.00001), "route": [to("v2")]}, "v2=100%"),
    ],
    ids=str,
)
def test_what_the_sidecar_answers_itself_is_promised_by_its_status(
    way: dict[str, Any], promise: str
) -> None:
    closed = made("VirtualService", "closed", "default", http=[{"directResponse": {"status": 418}}])
    assert promised(service(), subsets("v1", "v2"), rule(way), closed) == promise


@pytest.mark.parametrize(
    ("way", "words"),
    [
        pytest.param(
            {
                "fault": {"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 10}}},
                "route": [to("v2")],
            },
            "a status of gRPC",
            id="fault of gRPC",
        ),
        pytest.param(
            {"match": [{"uri": {"exact": "/x"}}], "route": [to("v2")]}, "404", id="no match"
        ),
        pytest.param({"route": [to("v9")]}, "no DestinationRule has the subset v9", id="no subset"),
        pytest.param({"route": [to("v3")]}, "subset v3 of .* has no pod", id="no pods"),
        pytest.param({"route": [to("v1", 0), to("v2", 0)]}, "any weight", id="no weight"),
        pytest.param({"route": [to(host="gone")]}, "gone.*is not a Service", id="no service"),
        pytest.param({"route": [to(host="app.default")]}, "is not a Service", id="half a name"),
        pytest.param({"route": [to(port={"number": 81})]}, "no port 81", id="no port"),
    ],
)
def test_what_is_no_split_by_version_is_not_promised(way: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        promised(service(), subsets("v1", "v2", "v3"), rule(way))
    assert "--expect" in error.value.hint


def test_a_delegate_decides_in_the_place_of_the_rule_that_names_it() -> None:
    canary = {"match": [{"uri": {"prefix": "/env"}}], "route": [to("v2")]}
    team = made("VirtualService", "team", "default", http=[canary])
    root = rule({"delegate": {"name": "team"}}, {"route": [to("v1")]})
    assert promised(service(), BOTH, root, team) == "v2=100%"
    assert promised(service(), BOTH, root, team, url="http://app/") == "v1=100%"
    assert promised(service(), BOTH, root) == "v1=100%"
    alone = rule({"match": [{"uri": {"prefix": "/env"}}], "delegate": {"name": "team"}})
    assert promised(service(), BOTH, alone) == "v1=50%,v2=50%"  # it keeps its normal routing
    with pytest.raises(InputError, match="404"):
        promised(service(), BOTH, alone, team, url="http://app/")


@pytest.mark.parametrize(
    "fault",
    [
        {"abort": {"httpStatus": 503}},
        {"abort": {"percentage": {"value": 100}}},
        {"abort": {"httpStatus": 503, "percentage": {"value": 0}}},
        {"delay": {"fixedDelay": "1s", "percentage": {"value": 100}}},
    ],
    ids=["no percentage", "no status", "none", "delay"],
)
def test_a_fault_that_fails_nothing_changes_no_promise(fault: dict[str, Any]) -> None:
    assert promised(service(), BOTH, rule({"fault": fault, "route": [to("v2")]})) == "v2=100%"


@pytest.mark.parametrize(
    "field",
    [
        {"retries": {"attempts": 3, "retryOn": "5xx", "perTryTimeout": "1s"}},
        {"retries": {}},
        {"mirror": {"host": "app", "subset": "v1"}},
        {"mirror": {"host": "gone"}, "mirrorPercentage": {"value": 10}},
        {"mirrors": [{"destination": {"host": "app", "subset": "v2"}}]},
        {"corsPolicy": {"allowOrigins": [{"exact": "https://a"}]}},
    ],
    ids=str,
)
def test_retries_copies_and_cors_change_no_promise(field: dict[str, Any]) -> None:
    split = rule({**field, "route": [to("v1", 90), to("v2", 10)]})
    assert promised(service(), BOTH, split, headers=(("origin", "https://a"),)) == "v1=90%,v2=10%"


@pytest.mark.parametrize(
    ("balancer", "share", "mixed"),
    [
        ("ROUND_ROBIN", {}, True),
        (None, {"mirrorPercentage": {"value": 1}}, True),
        (None, {"mirrorPercentage": {"value": 0}}, False),
        ("RANDOM", {}, False),
    ],
)
def test_copies_that_take_turns_with_the_requests_leave_no_promise(
    balancer: str | None, share: dict[str, Any], mixed: bool
) -> None:
    policy: dict[str, Any] = {}
    if balancer:
        policy["trafficPolicy"] = {"loadBalancer": {"simple": balancer}}
    there = (service(), subsets("v1", "v2", **policy))
    copying = rule({"mirror": {"host": "app"}, **share, "route": [to()]})
    if not mixed:
        assert promised(*there, copying) == "v1=50%,v2=50%"
        return
    with pytest.raises(InputError, match="sends copies of it to the same pods"):
        promised(*there, copying)
    assert promised(*there, copying, pods=app("v2", 2)) == "v2=100%"


PREFLIGHT = (("Origin", "https://a"), ("Access-Control-Request-Method", "PUT"))


@pytest.mark.parametrize(
    ("policy", "method", "headers", "is_answered"),
    [
        ({"allowOrigins": [{"exact": "https://a"}]}, "OPTIONS", PREFLIGHT, True),
        ({"allowOrigin": ["*"]}, "OPTIONS", PREFLIGHT, True),
        ({"allowOrigins": [{"regex": "https?://[a-c]"}]}, "OPTIONS", PREFLIGHT, True),
        ({"unmatchedPreflights": "IGNORE"}, "OPTIONS", PREFLIGHT, True),
        ({"allowOrigins": [{"prefix": "https://b"}]}, "OPTIONS", PREFLIGHT, False),
        ({"allowOrigin": ["*"], "allowOrigins": [{"exact": "b"}]}, "OPTIONS", PREFLIGHT, False),
        ({"allowOrigin": ["*"]}, "GET", PREFLIGHT, False),
        ({"allowOrigin": ["*"]}, "OPTIONS", PREFLIGHT[:1], False),
        ({"allowOrigin": ["*"]}, "OPTIONS", PREFLIGHT[1:], False),
        ({}, "OPTIONS", PREFLIGHT, False),
    ],
)
def test_a_preflight_that_the_sidecar_answers_is_promised_by_its_status(
    policy: dict[str, Any],
    method: str,
    headers: tuple[tuple[str, str], ...],
    is_answered: bool,
) -> None:
    there = (service(), BOTH, rule({"corsPolicy": policy, "route": [to("v2")]}))
    promise = "200=100%" if is_answered else "v2=100%"
    assert promised(*there, headers=headers, method=method) == promise


def test_passthrough_goes_to_all_pods_of_what_was_dialled_whatever_the_subset() -> None:
    policy = {"loadBalancer": {"simple": "PASSTHROUGH"}}
    objects = [subsets("v1", "v2", trafficPolicy=policy), rule({"route": [to("v1")]})]
    for there in (objects, objects[:1]):
        with pytest.raises(InputError, match="several versions and PASSTHROUGH"):
            promised(service(), *there)
    assert promised(service(), *objects, pods=app("v2")) == "v2=100%"


def private(version: str, *names: str, at: str = "2024-01-01T00:00:00Z") -> Object:
    name, when = f"to-{version}", created(at)
    return rule({"route": [to(version)]}, name=name, metadata=when, exportTo=list(names))


def balanced(top: dict[str, Any], subset: str) -> Object:
    policy = {"loadBalancer": {"simple": subset}}
    named = [
        {"name": "v1", "labels": {"version": "v1"}, "trafficPolicy": policy},
        {"name": "v2", "labels": {"version": "v2"}},
    ]
    return subsets(subsets=named, trafficPolicy=top)


def on_port(number: int, balancer: str) -> dict[str, Any]:
    settings = {"port": {"number": number}, "loadBalancer": {"simple": balancer}}
    return {"portLevelSettings": [settings]}


SHOUTED, EACH = ["APP.default.svc.cluster.local"], ["*.default.svc.cluster.local"]
TO_V1, TO_V2 = {"route": [to("v1")]}, {"route": [to("v2")]}
PASSED_ON = "several versions and PASSTHROUGH"


@pytest.mark.parametrize(
    ("objects", "url", "said"),
    [
        pytest.param(
            [
                service(),
                balanced({"loadBalancer": {"simple": "PASSTHROUGH"}}, "RANDOM"),
                rule(TO_V1),
            ],
            "http://app/",
            PASSED_ON,
            id="PASSTHROUGH on top, and a route to subset v1",
        ),
        pytest.param(
            [service(), balanced(on_port(80, "PASSTHROUGH"), "ROUND_ROBIN"), rule(TO_V1)],
            "http://app/",
            PASSED_ON,
            id="PASSTHROUGH for the port on top, and a subset's own loadBalancer",
        ),
        pytest.param(
            [service(), balanced(on_port(80, "RANDOM"), "PASSTHROUGH"), rule(TO_V1)],
            "http://app/",
            PASSED_ON,
            id="another loadBalancer for the port on top, and a subset's own PASSTHROUGH",
        ),
        pytest.param(
            [service(), balanced(on_port(81, "PASSTHROUGH"), "ROUND_ROBIN"), rule(TO_V1)],
            "http://app/",
            "v1=100%",
            id="PASSTHROUGH for another port on top",
        ),
        pytest.param(
            [
                service(),
                BOTH,
                private("v1", ".", "b"),
                private("v2", ".", at="2024-01-02T00:00:00Z"),
            ],
            "http://app/",
            "v1=100%",
            id="exportTo here and b, older than exportTo here",
        ),
        pytest.param(
            [
                service(),
                BOTH,
                private("v1", "."),
                private("v2", ".", "b", at="2023-01-01T00:00:00Z"),
            ],
            "http://app/",
            "v2=100%",
            id="exportTo here and b, older, by whatever name",
        ),
        pytest.param(
            [
                service(),
                BOTH,
                private("v1", ".", "~"),
                private("v2", "*", at="2024-01-02T00:00:00Z"),
            ],
            "http://app/",
            "v2=100%",
            id="exportTo here and nowhere is nowhere",
        ),
        pytest.param(
            [service(), BOTH, rule(TO_V1, name="z", hosts=SHOUTED), rule(TO_V2, hosts=EACH)],
            "http://app/",
            "v2=100%",
            id="a host in capitals after a wildcard",
        ),
        pytest.param(
            [service(), BOTH, rule(TO_V1, hosts=SHOUTED), rule(TO_V2, name="z", hosts=EACH)],
            "http://app/",
            "v1=100%",
            id="a host in capitals before a wildcard",
        ),
        pytest.param(
            [service({"port": 8080}), BOTH, rule(TO_V1, hosts=["app", "out.example"])],
            "http://out.example:8080/",
            "v1=100%",
            id="a name beside a Service, on the Service's port",
        ),
        pytest.param(
            [service({"port": 8080}), BOTH, rule(TO_V1, hosts=["out.example"])],
            "http://out.example:8080/",
            "neither a Service nor a rule",
            id="a name alone, on a Service's port",
        ),
        pytest.param(
            [service(), BOTH, rule({"match": [{"uri": {"exact": "/public"}}], **TO_V2}, TO_V1)],
            "http://app/pub%6Cic",
            "v2=100%",
            id="a letter of the path as %6C",
        ),
    ],
)
def test_what_is_easily_read_otherwise_is_promised_as_istio_does_it(
    objects: list[Object], url: str, said: str
) -> None:
    if "=" in said:
        assert promised(*objects, url=url) == said
    else:
        with pytest.raises(InputError, match=said):
            promised(*objects, url=url)


@pytest.mark.parametrize(
    ("policy", "sticks"),
    [
        ({"loadBalancer": {"consistentHash": {"httpHeaderName": "x"}}}, True),
        ({"loadBalancer": {"simple": "ROUND_ROBIN"}}, False),
        (
            {
                "loadBalancer": {"simple": "PASSTHROUGH"},
                "portLevelSettings": [{"port": {"number": 80}}],
            },
            False,
        ),
    ],
    ids=["hash", "round robin", "port settings replace all"],
)
def test_pods_that_clients_stick_to_promise_nothing_if_versions_differ(
    policy: dict[str, Any], *, sticks: bool
) -> None:
    objects = (service(), subsets("v1", "v2", trafficPolicy=policy))
    assert promised(*objects, rule({"route": [to("v2")]})) == "v2=100%"
    if sticks:
        with pytest.raises(InputError, match="several versions"):
            promised(*objects)
    else:
        assert promised(*objects) == "v1=50%,v2=50%"


@pytest.mark.parametrize(
    ("objects", "pods", "url", "words"),
    [
        pytest.param([], PODS, "http://app/", "neither a Service nor a rule", id="no service"),
        pytest.param([service()], PODS, "http://app.shop/", "neither", id="another namespace"),
        pytest.param([service()], PODS, "http://app:8000/", "no port 8000", id="no port"),
        pytest.param([service()], [], "http://app/", "no pod", id="no pods"),
        pytest.param(
            [service()],
            [pod(app="app")],
            "http://app/",
            "label version",
            id="no label",
        ),
        pytest.param(
            [made("Service", namespace="default", ports=[{"port": 80}])],
            PODS,
            "http://app/",
            "no pod",
            id="no selector",
        ),
    ],
)
def test_where_no_version_answers_nothing_is_promised(
    objects: list[Object], pods: list[SomePod], url: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        promised(*objects, url=url, pods=pods)


@pytest.mark.parametrize(
    ("host", "names"), [("ap", "there is app;"), ("zebra", "there is app, other.shop;")]
)
@pytest.mark.parametrize("client", [CLIENT, OUTSIDER])
def test_who_calls_a_name_that_nothing_has_is_told_those_that_there_are(
    host: str, names: str, client: Client
) -> None:
    known = (service(), make.service(name="other"))
    with pytest.raises(InputError) as error:
        promised(*known, url=f"http://{host}/", client=client)
    assert error.value.hint.startswith(names)


def test_tcp_rules_are_followed_where_no_http_is_seen() -> None:
    routed = rule(tcp=[{"route": [to("v2")]}])
    assert promised(service({"name": "tcp-web", "port": 80}), BOTH, routed) == "v2=100%"


def test_a_name_that_no_service_has_means_nothing_without_a_sidecar() -> None:
    routed = rule({"route": [to("v2")]}, hosts=["shop.example"])
    with pytest.raises(InputError, match="no Service is called"):
        promised(service(), BOTH, routed, url="http://shop.example/", client=OUTSIDER)


@pytest.mark.parametrize(
    ("objects", "pods", "alone"),
    [
        pytest.param([service()], PODS, False, id="without rules, load balancing chooses"),
        pytest.param([service()], app("v1", 2), True, id="there is one version only"),
        pytest.param([service(), BOTH, rule({"route": [to("v2")]})], PODS, True, id="one subset"),
        pytest.param(
            [service(), BOTH, rule({"route": [to("v1", 90), to("v2", 10)]})],
            [*app("v1", 3), *app("v2")],
            True,
            id="weighted subsets, with replicas",
        ),
        pytest.param([service(), BOTH, rule({"route": [to()]})], PODS, False, id="no subset named"),
        pytest.param([], PODS, False, id="nothing is promised"),
    ],
)
def test_rules_decide_alone_where_each_destination_has_one_version(
    objects: list[Object], pods: list[SomePod], *, alone: bool
) -> None:
    assert sending(objects, pods, Request(), CLIENT).side_by_side is alone


@pytest.mark.parametrize(
    ("ports", "more", "heeded"),
    [
        ([{"name": "http", "port": 80}], {}, True),
        ([{"port": 80}], {}, True),
        ([{"name": "tcp", "port": 80}], {}, False),
        ([{"name": "tcp", "port": 80}, {"name": "http", "port": 81}], {}, True),
        ([{"name": "tcp", "port": 80}], {"hosts": ["app", "elsewhere.example"]}, True),
        ([{"name": "tcp", "port": 80}], {"tcp": [{"route": [to("v1")]}]}, True),
    ],
    ids=["http", "by itself", "tcp", "one of each", "another host too", "a tcp rule"],
)
def test_http_rules_hold_on_ports_that_take_them(
    ports: list[dict[str, Any]], more: dict[str, Any], *, heeded: bool
) -> None:
    asked = rule({"route": [to("v1")]}, **more)
    found = promise.followed([asked], [service(*ports), BOTH], CLIENT)
    assert bool(found) is heeded
