"""Random meshes for what must hold in any: Services, Deployments, Istio's rules, and a request."""

from __future__ import annotations

from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from tests.objects import created, deployment, made, service

from meshdemo.engines.local import plan
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from meshdemo.engines.local.plan import Blueprint
    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

NAMESPACES = ["default", "shop", "b"]
NAMES = ["app", "web"]
PORTS = [(80, "http"), (8080, "http-alt"), (9090, "tcp"), (7070, "")]
_ALONE = [PORTS[0]] * 5 + PORTS
FULL = [f"{name}.{space}.svc.cluster.local" for name in NAMES for space in NAMESPACES]
RULE_HOSTS = ["app", "app", "web", "APP", "app.shop", "out.example", "*.example",
              "*.shop.svc.cluster.local", "*.local", *FULL]  # fmt: skip
CALLED = ["app", "APP", "app.shop", "app.shop.svc", "web.default",
          "app.default.svc.cluster.local", "web.b", "out.example", "deep.out.example",
          "nobody"]  # fmt: skip
PATHS = ["/", "/public", "/publicity", "/a/b"]
PREFLIGHTS = [
    {"origin": "https://a", "access-control-request-method": "GET"},
    {"origin": "https://a"},
    {"access-control-request-method": "GET"},
]
EXPORTS = [["*"], ["."], ["~"], [".", "b"], [".", "~"], ["shop"], ["default"]]
BALANCERS = [
    {"simple": "PASSTHROUGH"},
    {"simple": "RANDOM"},
    {"simple": "ROUND_ROBIN"},
    {"consistentHash": {"httpHeaderName": "x-user"}},
    {"consistentHash": {"httpCookie": {"name": "c", "ttl": "1s"}, "maglev": {"tableSize": 17}}},
    {"localityLbSetting": {"failoverPriority": ["track=v1"]}},
    {"localityLbSetting": {"failoverPriority": ["topology.istio.io/network", "app", "track=v2"]}},
    {"localityLbSetting": {"failoverPriority": ["track=v1"], "enabled": False}},
    {"localityLbSetting": {"distribute": [{"from": "*", "to": {"eu/*": 100}}]}},
    {"zoneAwareLbSetting": {"failoverPriority": ["app=web", "track=v2"], "minClusterSize": 2}},
]
POOLS = [
    {"tcp": {"maxConnections": 2}, "http": {"http1MaxPendingRequests": 1}},
    {"http": {"http2MaxRequests": 3, "maxRequestsPerConnection": 1}},
]
OUTLIER = {"consecutive5xxErrors": 2, "interval": "60s", "maxEjectionPercent": 100}


class World(Struct, frozen=True, dict=True):
    """A mesh, and a request from its client."""

    objects: tuple[Object, ...]
    namespace: str
    labels: dict[str, str]
    host: str
    port: int
    path: str
    query: str
    headers: dict[str, str]
    method: str = "GET"
    by_tcp: bool = False
    """Whether the request is a connection in which no HTTP is spoken."""

    @cached_property
    def blueprints(self) -> tuple[Blueprint, ...]:
        """Give the pods that are asked for, which takes longest of all that is asked of a mesh."""
        return plan.blueprints(self.objects)

    @property
    def request(self) -> Request:
        if self.by_tcp:
            return Request(f"tcp://{self.host}:{self.port}")
        url = f"http://{self.host}:{self.port}{self.path}{self.query}"
        return Request(url, self.method, tuple(self.headers.items()))


def random_world(seed: int) -> World:
    """Give the same mesh and request for the same seed."""
    rng = Random(seed)  # noqa: S311 - no secret
    services = [_service(rng, name, "default") for name in NAMES]
    services += [
        _service(rng, name, space) for name in NAMES for space in ("shop", "b") if one_in(rng, 3)
    ]
    items = [*services, *(item for each in services for item in _deployments(rng, each))]
    namespace = rng.choice(["default", "default", "default", "shop", "b"])
    target = rng.choice(services)
    # Most of them are called, and most rules are about what is called: else they decide nothing.
    called = f"{target.name}.{target.namespace}.svc.cluster.local"
    if not one_in(rng, 5):
        subsets = [{"name": name, "labels": {"track": name}} for name in ("v1", "v2")]
        items.append(
            made(
                "DestinationRule",
                "plain",
                target.namespace,
                metadata=second(rng.randint(0, 3)),
                host=called,
                subsets=subsets,
            )
        )
    items += [_destination_rule(rng, called) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    items += [_virtual_service(rng, called) for _ in range(rng.randint(1, 3))]
    items += [_delegate(rng, called) for _ in range(rng.randint(0, 2))]
    if one_in(rng, 8):
        host, port = rng.choice(CALLED), rng.choice([80, 80, 80, 8080, 9090, 7070])
    else:
        near = target.namespace == namespace
        host = target.name if near else f"{target.name}.{target.namespace}"
        port = rng.choice(target.spec["ports"])["port"]
    headers = rng.choice([{}, {}, {"x-user": "anna"}, {"x-user": "an"}])
    is_preflight = one_in(rng, 6)
    return World(
        objects=tuple({item.key: item for item in items}.values()),
        namespace=namespace,
        labels={"app": rng.choice(["client", "client", "other"])},
        host=host,
        port=port,
        path=rng.choice(PATHS),
        query=rng.choice(["", "", "?q=1"]),
        headers={**headers, **(rng.choice(PREFLIGHTS) if is_preflight else {})},
        method="OPTIONS" if is_preflight else "GET",
    )


def admissible(world: World) -> World:
    """Leave out of the rules what the local engine, or Istio's admission, takes from nobody."""
    return replace(world, objects=tuple(map(_admissible, world.objects)))


def _admissible(item: Object) -> Object:
    if item.kind not in ("VirtualService", "DestinationRule"):
        return item
    spec = _with_port_settings(item.spec)
    if "exportTo" in spec:
        spec["exportTo"] = [name for name in spec["exportTo"] if name != "~"] or ["."]
    if "subsets" in spec:
        spec["subsets"] = [_with_port_settings(subset) for subset in spec["subsets"]]
    return item.with_data({**item.data, "spec": spec})


def _with_port_settings(part: Json) -> Json:
    """Have the settings of a port say something, as Istio wants it."""
    if "portLevelSettings" not in part.get("trafficPolicy", {}):
        return {**part}
    policy = part["trafficPolicy"]
    ports = [settings if len(settings) > 1 else {**settings, "loadBalancer": {"simple": "RANDOM"}}
             for settings in policy["portLevelSettings"]]  # fmt: skip
    return {**part, "trafficPolicy": {**policy, "portLevelSettings": ports}}


def one_in(rng: Random, count: int) -> bool:
    return rng.randrange(count) == 0


def second(number: int) -> dict[str, str]:
    """Give the metadata of what was created in that second."""
    return created(f"2026-01-01T00:00:0{number}Z")


def _service(rng: Random, name: str, namespace: str) -> Object:
    # Of several ports each needs a name.
    chosen = [*PORTS[:1], rng.choice(PORTS[1:-1])] if one_in(rng, 3) else [rng.choice(_ALONE)]
    ports = [{"port": number, "name": label, "targetPort": 8080} for number, label in chosen]
    item = service(*ports, name=name, namespace=namespace, metadata=second(0))
    if not one_in(rng, 8):
        return item
    to = rng.choice([".", "*", "~", "shop", "default,b"])
    annotated = {"annotations": {"networking.istio.io/exportTo": to}}
    return item.with_data({**item.data, "metadata": {**item.metadata, **annotated}})


def _deployments(rng: Random, of: Object) -> list[Object]:
    tracks = rng.sample(["v1", "v2"], rng.choice([1, 2, 2, 2]))
    return [app(of.name, of.namespace, track, rng.choice([1, 1, 1, 2, 2, 0])) for track in tracks]


def app(name: str, namespace: str, track: str, replicas: int = 1) -> Object:
    """Give the Deployment of one version. No two have one in common: an answer shows whose it is.

    Subsets are told apart by the label ``track``.
    """
    own = {"app": name, "track": track}
    return deployment(
        f"{name}-{track}",
        namespace=namespace,
        metadata=second(0),
        labels={**own, "version": f"{name}.{namespace}.{track}"},
        container={"name": "c", "ports": [{"containerPort": 8080}]},
        replicas=replicas,
        selector={"matchLabels": own},
    )


def _exported(rng: Random) -> Json:
    return {"exportTo": rng.choice(EXPORTS)} if one_in(rng, 4) else {}


def _policy(rng: Random) -> Json:
    policy = _settings(rng)
    if one_in(rng, 4):
        policy["portLevelSettings"] = [
            {"port": {"number": rng.choice(PORTS)[0]}, **_settings(rng, often=2)}
        ]
    return {"trafficPolicy": policy} if policy else {}


def _settings(rng: Random, often: int = 6) -> Json:
    found: Json = {}
    if one_in(rng, often):
        found["loadBalancer"] = rng.choice(BALANCERS)
    if one_in(rng, often):
        found["connectionPool"] = rng.choice(POOLS)
    if one_in(rng, often):
        found["outlierDetection"] = OUTLIER
    return found


def _destination_rule(rng: Random, called: str) -> Object:
    subsets = [
        {"name": name, "labels": {} if name == "odd" else {"track": name}, **_policy(rng)}
        for name in rng.sample(["v1", "v2", "odd"], rng.randint(1, 3))
    ]
    host = rng.choice(RULE_HOSTS) if one_in(rng, 3) else called
    spec = {"host": host, "subsets": subsets, **_policy(rng)}
    if one_in(rng, 4):
        spec["workloadSelector"] = {"matchLabels": {"app": rng.choice(["client", "other"])}}
    else:
        spec |= _exported(rng)
    space = rng.choice([*NAMESPACES, "default", "default", "istio-system"])
    name = rng.choice(["one", "two"])
    return made("DestinationRule", name, space, metadata=second(rng.randint(0, 3)), **spec)


def _match(rng: Random) -> Json:
    kind = rng.choice(["exact", "prefix", "regex"])
    parts: list[Json] = [
        {"uri": {"prefix": rng.choice(["/", "/public", "/a"])}},
        {"uri": {"exact": rng.choice(PATHS)}},
        {"uri": {"regex": rng.choice(["/pub.*", ".*"])}},
        {"uri": {"prefix": "/PUB"}, "ignoreUriCase": True},
        {"port": rng.choice(PORTS)[0]},
        {"sourceLabels": {"app": rng.choice(["client", "other"])}},
        {"sourceNamespace": rng.choice(NAMESPACES)},
        {"headers": {"x-user": {kind: rng.choice(["an", "anna"])}}},
        {"headers": {"x-user": {}}},
        {"withoutHeaders": {"x-user": rng.choice([{}, {"exact": "anna"}])}},
        {"gateways": rng.choice([["mesh"], ["edge"]])},
        {"authority": {"prefix": rng.choice(["app", "out"])}},
        {"queryParams": {"q": {"exact": "1"}}},
    ]
    found: Json = {}
    for part in rng.sample(parts, rng.randint(0, 2)):
        found |= part
    return found


def _destination(rng: Random, called: str) -> Json:
    hosts = ["app", "app", "web", *FULL, "app.shop", "APP", "gone"]
    found: Json = {"host": rng.choice(hosts) if one_in(rng, 5) else called}
    if not one_in(rng, 3):
        found["subset"] = rng.choice([*["v1", "v2"] * 5, "odd", "none"])
    if one_in(rng, 12):
        found["port"] = {"number": rng.choice(PORTS)[0]}
    return found


def _http_rule(rng: Random, called: str, *, in_delegate: bool = False) -> Json:
    rule: Json = {}
    if not one_in(rng, 3):
        rule["match"] = [_match(rng) for _ in range(rng.randint(1, 2))]
    if one_in(rng, 20):
        return rule | {"redirect": {"uri": "/elsewhere"}}
    if one_in(rng, 8) and not in_delegate:
        space: Json = {"namespace": rng.choice(NAMESPACES)} if one_in(rng, 2) else {}
        return rule | {"delegate": {"name": "team", **space}} | _extras(rng, called)
    if one_in(rng, 20):
        return rule | {"directResponse": {"status": 503}, "corsPolicy": _cors(rng)}
    rule["route"] = [{"destination": _destination(rng, called)} for _ in range(rng.randint(1, 3))]
    if len(rule["route"]) > 1:
        for route in rule["route"]:
            route["weight"] = rng.randint(0, 3)
        rule["route"][0]["weight"] += 1
    return rule | _extras(rng, called)


def _extras(rng: Random, called: str) -> Json:
    rule: Json = _mirror(rng, called) if one_in(rng, 4) else {}
    if one_in(rng, 4):
        rule["corsPolicy"] = _cors(rng)
    if one_in(rng, 4):
        rule["retries"] = rng.choice([{}, {"attempts": 2}, {"attempts": 1, "retryOn": "5xx,503"}])
    if one_in(rng, 8):
        rule["fault"] = {"abort": {"httpStatus": 503, "percentage": {"value": rng.choice([0, 30])}}}
    return rule


def _delegate(rng: Random, called: str) -> Object:
    rules = [_http_rule(rng, called, in_delegate=True) for _ in range(rng.randint(1, 2))]
    space, when = rng.choice([*NAMESPACES, "default"]), second(0)
    return made("VirtualService", "team", space, metadata=when, http=rules, **_exported(rng))


def _mirror(rng: Random, called: str) -> Json:
    shares: list[Json] = [{}, {}, {"percentage": {"value": 50}}, {"percentage": {"value": 0}}]
    if one_in(rng, 2):
        mirrors = [{"destination": _destination(rng, called), **rng.choice(shares)} for _ in (1, 2)]
        return {"mirrors": mirrors}
    shares = [{}, {}, {"mirrorPercentage": {}}, {"mirrorPercent": 0}, {"mirror_percent": 5}]
    return {"mirror": _destination(rng, called), **rng.choice(shares)}


def _cors(rng: Random) -> Json:
    origins: list[Json] = [
        {},
        {"allowOrigin": ["*"]},
        {"allowOrigins": [{"exact": "https://b"}, {"prefix": "https://a"}]},
        {"allowOrigins": [{"regex": "https://[b-z]"}]},
    ]
    unmatched: list[Json] = [{}, {"unmatchedPreflights": "IGNORE"}]
    return rng.choice(origins) | rng.choice(unmatched)


def _virtual_service(rng: Random, called: str) -> Object:
    spec: Json = {
        "hosts": rng.sample(sorted(set(RULE_HOSTS)), rng.randint(1, 2)),
        "http": [_http_rule(rng, called) for _ in range(rng.randint(1, 3))],
        **_exported(rng),
    }
    if not one_in(rng, 4):
        spec["hosts"] = list(dict.fromkeys([called, *spec["hosts"][1:]]))
    if one_in(rng, 3):
        spec["gateways"] = rng.choice([["mesh"], ["mesh"], ["edge"], ["edge", "mesh"]])
    name, space = rng.choice(["one", "two", "three"]), rng.choice([*NAMESPACES, "default"])
    return made("VirtualService", name, space, metadata=second(rng.randint(0, 2)), **spec)
