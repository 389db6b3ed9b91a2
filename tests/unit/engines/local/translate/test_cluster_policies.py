"""What a traffic policy says of a cluster and of routes: as istiod says it, field by field.

The expectations are what istiod's own code makes of these policies. Only certificates differ: its
agent gives them to Envoy, here Envoy reads the files.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import pytest
from tests.objects import created, made, route, service, to, virtual_service

from meshdemo.engines.local import translate
from meshdemo.engines.local.model import Mesh, PlannedPod, PodPort
from meshdemo.engines.local.translate import policies, retries
from meshdemo.rules.protocols import Protocol

Json: TypeAlias = "dict[str, Any]"

MANY = 4294967295
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ONCE = created("2026-01-01T00:00:00Z")
LIMITED = {
    "tcp": {
        "maxConnections": 2,
        "connectTimeout": "1500ms",
        "maxConnectionDuration": "1m",
        "idleTimeout": "0s",
        "tcpKeepalive": {"probes": 3, "time": "7s", "interval": "1.5s"},
    },
    "http": {
        "http1MaxPendingRequests": 1,
        "http2MaxRequests": 5,
        "maxRequestsPerConnection": 3,
        "maxRetries": 2,
        "idleTimeout": "4s",
        "maxConcurrentStreams": 9,
        "http2KeepAlive": {"interval": "3s", "timeout": "1s"},
    },
}
COMMON = {"idle_timeout": "4s", "max_connection_duration": "60s", "max_requests_per_connection": 3}
HTTP2 = {"max_concurrent_streams": 9, "connection_keepalive": {"interval": "3s", "timeout": "1s"}}
DETECTED: Json = {"http_protocol_options": {}, "http2_protocol_options": {}}


def cluster(policy: Json, protocol: Protocol = Protocol.HTTP) -> Json:
    return policies.outbound(policy, protocol)


def options(policy: Json, protocol: Protocol = Protocol.HTTP) -> Json:
    found = dict(cluster(policy, protocol).get("typed_extension_protocol_options", {}))
    return {name: value for name, value in found.get(OPTIONS, {}).items() if name != "@type"}


def threshold(policy: Json) -> Json:
    found: Json = cluster(policy)["circuit_breakers"]["thresholds"][0]
    return found


def test_a_pool_limits_what_is_under_way() -> None:
    found = cluster({"connectionPool": LIMITED})
    assert found["connect_timeout"] == "1.5s"
    assert found["circuit_breakers"]["thresholds"] == [
        {
            "max_connections": 2,
            "max_pending_requests": 1,
            "max_requests": 5,
            "max_retries": 2,
            "track_remaining": True,
        }
    ]
    alive = {"keepalive_probes": 3, "keepalive_time": 7, "keepalive_interval": 1}
    assert found["upstream_connection_options"] == {"tcp_keepalive": alive}


@pytest.mark.parametrize(
    ("protocol", "spoken"),
    [
        (Protocol.HTTP, {"explicit_http_config": {"http_protocol_options": {}}}),
        (Protocol.TCP, {"explicit_http_config": {"http_protocol_options": {}}}),
        (Protocol.HTTP2, {"explicit_http_config": {"http2_protocol_options": HTTP2}}),
        (Protocol.AUTO, {"use_downstream_protocol_config": DETECTED}),
    ],
)
def test_a_pool_says_how_long_connections_are_kept(protocol: Protocol, spoken: Json) -> None:
    wanted = {"common_http_protocol_options": COMMON, **spoken}
    assert options({"connectionPool": LIMITED}, protocol) == wanted


@pytest.mark.parametrize(
    ("http", "protocol", "spoken"),
    [
        ({"h2UpgradePolicy": "UPGRADE"}, Protocol.HTTP, "http2"),
        ({"h2UpgradePolicy": "UPGRADE"}, Protocol.TCP, "http2"),
        ({"h2UpgradePolicy": "UPGRADE"}, Protocol.AUTO, "as the client"),
        ({"h2UpgradePolicy": "DO_NOT_UPGRADE"}, Protocol.HTTP, ""),
        ({"h2UpgradePolicy": "DO_NOT_UPGRADE"}, Protocol.HTTP2, "http2"),
        ({"useClientProtocol": True}, Protocol.HTTP, "as the client"),
        ({"useClientProtocol": True}, Protocol.HTTP2, "as the client"),
        ({"useClientProtocol": False}, Protocol.HTTP, ""),
    ],
)
def test_what_is_spoken(http: Json, protocol: Protocol, spoken: str) -> None:
    wanted = {
        "http2": {"explicit_http_config": {"http2_protocol_options": {}}},
        "as the client": {"use_downstream_protocol_config": DETECTED},
        "": {},
    }
    assert options({"connectionPool": {"http": http}}, protocol) == wanted[spoken]


def test_zero_is_no_limit_and_tcp_may_say_for_http_how_long_to_idle() -> None:
    pool = {"tcp": {"maxConnections": 0, "idleTimeout": "5s"}, "http": {"maxRetries": 0}}
    limits = threshold({"connectionPool": pool})
    assert (limits["max_connections"], limits["max_retries"]) == (MANY, MANY)
    assert options({"connectionPool": pool})["common_http_protocol_options"] == {
        "idle_timeout": "5s"
    }


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({}, {"budget_percent": {"value": 20}, "min_retry_concurrency": 3}),
        (
            {"percent": 25.5, "minRetryConcurrency": 7, "budgetInterval": "1.5s"},
            {
                "budget_percent": {"value": 25.5},
                "min_retry_concurrency": 7,
                "budget_interval": "1.5s",
            },
        ),
        ({"percent": 0}, {"budget_percent": {"value": 0}, "min_retry_concurrency": 3}),
    ],
)
def test_a_retry_budget_stands_among_the_limits(budget: Json, said: Json) -> None:
    assert threshold({"retryBudget": budget})["retry_budget"] == said


@pytest.mark.parametrize(
    ("outlier", "said", "panic"),
    [
        ({}, {"enforcing_success_rate": 0}, 0),
        ({"outlierDetectionHttpErrorCodes": [404]}, {"enforcing_success_rate": 0}, 0),
        (
            {
                "consecutiveErrors": 7,
                "consecutive5xxErrors": 3,
                "consecutiveGatewayErrors": 0,
                "splitExternalLocalOriginErrors": True,
                "consecutiveLocalOriginFailures": 4,
                "interval": "1.5s",
                "baseEjectionTime": "2s",
                "maxEjectionPercent": 50,
                "minHealthPercent": 30,
            },
            {
                "consecutive_5xx": 3,
                "interval": "1.5s",
                "base_ejection_time": "2s",
                "max_ejection_percent": 50,
                "enforcing_consecutive_5xx": 100,
                "enforcing_success_rate": 0,
                "consecutive_gateway_failure": 0,
                "enforcing_consecutive_gateway_failure": 0,
                "split_external_local_origin_errors": True,
                "consecutive_local_origin_failure": 4,
                "enforcing_consecutive_local_origin_failure": 100,
                "enforcing_local_origin_success_rate": 0,
            },
            30,
        ),
    ],
    ids=["empty", "codes, which istiod passes on to nobody", "all"],
)
def test_outlier_detection(outlier: Json, said: Json, panic: int) -> None:
    found = cluster({"outlierDetection": outlier})
    assert found["outlier_detection"] == said
    assert found["common_lb_config"] == {"healthy_panic_threshold": {"value": panic}}
    assert "outlier_detection" not in cluster({})


@pytest.mark.parametrize(
    ("consistent", "said"),
    [
        (
            {"httpHeaderName": "x"},
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 1024}},
        ),
        ({}, {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 1024}}),
        (
            {"minimumRingSize": 5},
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 5}},
        ),
        (
            {"ringHash": {"minimumRingSize": 6}},
            {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 6}},
        ),
        (
            {"maglev": {"tableSize": 7}},
            {"lb_policy": "MAGLEV", "maglev_lb_config": {"table_size": 7}},
        ),
    ],
)
def test_a_hash_chooses_the_balancer(consistent: Json, said: Json) -> None:
    found = cluster({"loadBalancer": {"consistentHash": consistent}})
    assert found | said == found


@pytest.mark.parametrize(
    ("tls", "context", "more"),
    [
        (
            {"mode": "SIMPLE", "caCertificates": "/ca", "caCrl": "/crl"},
            {
                "validation_context": {
                    "trusted_ca": {"filename": "/ca"},
                    "crl": {"filename": "/crl"},
                }
            },
            {"auto_sni": True, "auto_san_validation": True},
        ),
        (
            {"mode": "SIMPLE", "insecureSkipVerify": True, "sni": "a"},
            {"validation_context": {}},
            {},
        ),
        (
            {"mode": "SIMPLE", "insecureSkipVerify": True},
            {"validation_context": {}},
            {"auto_sni": True},
        ),
        (
            {
                "mode": "MUTUAL",
                "clientCertificate": "/c",
                "privateKey": "/k",
                "caCertificates": "/ca",
                "subjectAltNames": ["z"],
            },
            {
                "tls_certificates": [
                    {"certificate_chain": {"filename": "/c"}, "private_key": {"filename": "/k"}}
                ],
                "validation_context": {
                    "trusted_ca": {"filename": "/ca"},
                    "match_typed_subject_alt_names": [
                        {"san_type": kind, "matcher": {"exact": "z"}}
                        for kind in ("DNS", "URI", "EMAIL", "IP_ADDRESS")
                    ],
                },
            },
            {"auto_sni": True},
        ),
    ],
    ids=["simple", "verifies nothing", "by the name of the request", "mutual"],
)
def test_tls_is_originated(tls: Json, context: Json, more: Json) -> None:
    found = cluster({"tls": tls})["transport_socket"]
    versions = {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
    }
    assert found["name"] == "envoy.transport_sockets.tls"
    assert found["typed_config"]["common_tls_context"] == {"tls_params": versions, **context}
    assert found["typed_config"].get("sni") == tls.get("sni")
    assert options({"tls": tls}).get("upstream_http_protocol_options", {}) == more
    spoken = cluster({"tls": tls}, Protocol.HTTP2)["transport_socket"]["typed_config"]
    assert spoken["common_tls_context"]["alpn_protocols"] == ["h2"]


@pytest.mark.parametrize("tls", [{}, {"mode": "DISABLE"}, {"mode": "ISTIO_MUTUAL", "sni": "x"}])
def test_on_loopback_istios_own_tls_is_plain(tls: Json) -> None:
    assert cluster({"tls": tls}) == cluster({})


def test_the_proxy_protocol_goes_before_whatever_else_is_spoken() -> None:
    plain = cluster({"proxyProtocol": {"version": "V2"}})["transport_socket"]["typed_config"]
    assert plain["config"] == {"version": "V2"}
    assert plain["transport_socket"]["name"] == "raw_buffer"
    tls = {"mode": "SIMPLE", "insecureSkipVerify": True}
    secret = cluster({"proxyProtocol": {}, "tls": tls})["transport_socket"]["typed_config"]
    assert secret["config"] == {"version": "V1"}
    assert secret["transport_socket"] == cluster({"tls": tls})["transport_socket"]


PORTS = ({"name": "http", "port": 80}, {"name": "tcp-x", "port": 9090})
LABELS = {"app": "app"}


@functools.cache
def _client() -> PlannedPod:
    own = PodPort(80, 20002, 20003)
    return PlannedPod(
        "client", "default", LABELS, {}, "", injected=True, ports=(own,), outbound=20_001
    )


def configured(policy: Json, *rules: Json, subsets: Json | None = None) -> translate.Config:
    """Configure the sidecar of a pod of app, which is its own client."""
    named = [{"name": name, **more} for name, more in (subsets or {}).items()]
    spec = {"host": "app", "subsets": named, **({"trafficPolicy": policy} if policy else {})}
    objects = [
        service(*PORTS, name="app", namespace="default", metadata=ONCE, selector=LABELS),
        made("DestinationRule", "app", "default", metadata=ONCE, **spec),
    ]
    if rules:
        objects.append(virtual_service(*rules, name="app", namespace="default", metadata=ONCE))
    return translate.sidecar(Mesh(tuple(objects), (_client(),)), _client(), "FOLDER")


def action(*given: Any, **more: Any) -> Json:
    """Give what becomes of a request to port 80."""
    hosts = configured(*given, **more).routes[0]["virtual_hosts"]
    found: Json = next(h for h in hosts if h["name"].endswith(":80"))["routes"][0]["route"]
    return found


def hashing(name: str) -> Json:
    return {"loadBalancer": {"consistentHash": {"httpHeaderName": name}}}


def header(*names: str) -> list[Json]:
    return [{"header": {"header_name": name}} for name in names]


OF_PORT = {"portLevelSettings": [{"port": {"number": 80}, **hashing("port")}]}
SUBSETS = {"v1": {"trafficPolicy": hashing("one")}, "v2": {}}


@pytest.mark.parametrize(
    ("policy", "rules", "hashed", "again"),
    [
        (hashing("top"), [], ["top"], "elsewhere"),
        (OF_PORT, [], ["port"], "elsewhere"),
        ({**hashing("top"), **OF_PORT}, [], ["port"], "elsewhere"),
        (
            {
                **hashing("top"),
                "portLevelSettings": [
                    {"port": {"number": 80}, "connectionPool": {"tcp": {"maxConnections": 1}}}
                ],
            },
            [],
            ["top"],
            "elsewhere",
        ),
        (hashing("top"), [route(to())], ["top"], "the same pod"),
        (hashing("top"), [route(to("v1"))], ["one"], "the same pod"),
        (hashing("top"), [route(to("gone"))], ["top"], "the same pod"),
        (OF_PORT, [route(to())], [], "elsewhere"),
        (OF_PORT, [route(to(port={"number": 80}))], ["port"], "the same pod"),
        (hashing("top"), [route(to("v1", 40), to("v2", 60))], ["one", "top"], "elsewhere"),
        ({}, [route(to("v2", 40), to("v1", 60), to("v1", 0))], ["one"], "elsewhere"),
        ({}, [route(to("v2"))], [], "elsewhere"),
    ],
    ids=[
        "of a service",
        "of its port",
        "the port goes first",
        "a port without a hash leaves that of the rule",
        "of a destination",
        "of its subset",
        "of a subset that is not there",
        "a port that is not named does not count",
        "a port that is named does",
        "of several destinations all are hashed",
        "but for one without weight",
        "of a subset without one",
    ],
)
def test_routes_say_what_is_hashed(
    policy: Json, rules: list[Json], hashed: list[str], again: str
) -> None:
    found = action(policy, *rules, subsets=SUBSETS)
    assert found.get("hash_policy", []) == header(*hashed)
    elsewhere = again == "elsewhere"
    assert ("retry_host_predicate" in found["retry_policy"]) is elsewhere
    assert found["retry_policy"]["num_retries"] == retries.DEFAULT["num_retries"]


@pytest.mark.parametrize(
    ("consistent", "said"),
    [
        ({"httpCookie": {"name": "c"}}, [{"cookie": {"name": "c"}}]),
        (
            {
                "httpCookie": {
                    "name": "c",
                    "path": "/p",
                    "ttl": "0s",
                    "attributes": [{"name": "SameSite", "value": "Strict"}, {"name": "Secure"}],
                }
            },
            [
                {
                    "cookie": {
                        "name": "c",
                        "path": "/p",
                        "ttl": "0s",
                        "attributes": [
                            {"name": "SameSite", "value": "Strict"},
                            {"name": "Secure", "value": ""},
                        ],
                    }
                }
            ],
        ),
        ({"useSourceIp": True}, [{"connection_properties": {"source_ip": True}}]),
        ({"httpQueryParameterName": "q"}, [{"query_parameter": {"name": "q"}}]),
        ({"ringHash": {}}, []),
    ],
    ids=["cookie", "cookie that is set", "source", "query", "nothing"],
)
def test_what_of_a_request_is_hashed(consistent: Json, said: list[Json]) -> None:
    policy = {"loadBalancer": {"consistentHash": consistent}}
    assert action(policy).get("hash_policy", []) == said


def _cluster(config: translate.Config, name: str) -> Json:
    return next(each for each in config.clusters if each["name"] == name)


def test_a_pod_limits_what_it_takes_itself_and_nothing_else() -> None:
    """A pool holds at the server's side, too; a workloadSelector does not select for that."""
    policy = {
        "connectionPool": {"http": {"http2MaxRequests": 3, "h2UpgradePolicy": "UPGRADE"}},
        "outlierDetection": {},
        "loadBalancer": {"simple": "RANDOM"},
        "tls": {"mode": "SIMPLE", "insecureSkipVerify": True},
    }
    own = _cluster(configured(policy), "inbound|80||")
    assert own["circuit_breakers"]["thresholds"][0]["max_requests"] == 3
    more = {
        "outlier_detection",
        "lb_policy",
        "transport_socket",
        "typed_extension_protocol_options",
    }
    assert not more & set(own)


def test_what_holds_for_tcp_is_said_on_top() -> None:
    policy = {
        "connectionPool": {"tcp": {"idleTimeout": "3s", "maxConnectionDuration": "1m"}},
        "loadBalancer": {"consistentHash": {"useSourceIp": True}},
        "tunnel": {"targetHost": "::1", "targetPort": 443},
        "portLevelSettings": [
            {"port": {"number": 9090}, "connectionPool": {"tcp": {"maxConnections": 1}}}
        ],
    }
    config = configured(policy)
    found = next(each for each in config.listeners if each["name"].startswith("connection|9090"))
    state, proxy = (each["typed_config"] for each in found["filter_chains"][0]["filters"])
    assert (proxy["idle_timeout"], proxy["max_downstream_connection_duration"]) == ("3s", "60s")
    assert proxy["tunneling_config"] == {"hostname": "[::1]:443", "use_post": False}
    assert (
        proxy["hash_policy"][0]["filter_state"]["key"]
        == state["on_new_connection"][0]["object_key"]
    )
    limits = _cluster(config, "outbound|9090||app.default.svc.cluster.local")["circuit_breakers"]
    assert limits["thresholds"][0]["max_connections"] == 1
