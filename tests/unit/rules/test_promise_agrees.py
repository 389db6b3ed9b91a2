"""What the rules promise is what Envoy is told, on random meshes.

The promise reads objects, the sidecar follows its configuration; both must mean the same. The
configuration is read by ``tests/envoy_reading.py``, which knows nothing of objects.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from tests.envoy_reading import Answered, Asked, answered

from meshdemo.engines.local import plan, translate
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.errors import InputError
from meshdemo.objects.model import Object
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client
from meshdemo.verdict.traffic import Request

Json = dict[str, Any]
Random = random.Random

BATCHES, WORLDS = 6, 500
NAMESPACES = ["default", "shop", "b"]
NAMES = ["app", "web"]
PORTS = [(80, "http"), (8080, "http-alt"), (9090, "tcp"), (7070, "")]
FULL = [f"{name}.{space}.svc.cluster.local" for name in NAMES for space in NAMESPACES]
RULE_HOSTS = ["app", "app", "web", "APP", "app.shop", "out.example", "*.example",
              "*.shop.svc.cluster.local", "*.local", *FULL]  # fmt: skip
CALLED = ["app", "APP", "app.shop", "app.shop.svc", "web.default",
          "app.default.svc.cluster.local", "web.b", "out.example", "deep.out.example",
          "nobody"]  # fmt: skip
PATHS = ["/", "/public", "/publicity", "/a/b"]
EXPORTS = [["*"], ["."], ["~"], [".", "b"], [".", "~"], ["shop"], ["default"]]
BALANCERS = [{"simple": "PASSTHROUGH"}, {"simple": "RANDOM"}, {"simple": "ROUND_ROBIN"}]


@dataclass(frozen=True)
class World:
    """A mesh, and a request from its client."""

    objects: tuple[Object, ...]
    namespace: str
    labels: dict[str, str]
    host: str
    port: int
    path: str
    query: str
    headers: dict[str, str]


def random_world(rng: Random) -> World:
    services = [_service(rng, name, "default") for name in NAMES]
    services += [
        _service(rng, name, space) for name in NAMES for space in ("shop", "b") if one_in(rng, 3)
    ]
    items = [*services, *(item for each in services for item in _deployments(rng, each))]
    items += [_destination_rule(rng) for _ in range(rng.randint(0, 3))]
    items += [_virtual_service(rng) for _ in range(rng.randint(1, 3))]
    namespace = rng.choice(["default", "default", "default", "shop", "b"])
    service = rng.choice(services)
    host, port = rng.choice(CALLED), rng.choice([80, 80, 80, 8080, 9090, 7070])
    if not one_in(rng, 3):  # most of them can be answered
        host = (
            service.name
            if service.namespace == namespace
            else service.name + "." + service.namespace
        )
        port = rng.choice(service.spec["ports"])["port"]
    return World(
        objects=tuple({item.key: item for item in items}.values()),
        namespace=namespace,
        labels={"app": rng.choice(["client", "client", "other"])},
        host=host,
        port=port,
        path=rng.choice(PATHS),
        query=rng.choice(["", "", "?q=1"]),
        headers=rng.choice([{}, {}, {"x-user": "anna"}, {"x-user": "an"}]),
    )


def one_in(rng: Random, count: int) -> bool:
    return rng.randrange(count) == 0


def thing(kind: str, name: str, namespace: str, age: int, spec: Json) -> Object:
    group = {"Service": "v1", "Deployment": "apps/v1"}.get(kind, "networking.istio.io/v1")
    created = f"2026-01-01T00:00:0{age}Z"
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return Object({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec})


def _service(rng: Random, name: str, namespace: str) -> Object:
    chosen = [PORTS[0], *([rng.choice(PORTS[1:])] if one_in(rng, 2) else [])]
    ports = [{"port": number, "name": label, "targetPort": 8080} for number, label in chosen]
    item = thing("Service", name, namespace, 0, {"selector": {"app": name}, "ports": ports})
    if not one_in(rng, 4):
        return item
    to = rng.choice([".", "*", "~", "shop", "default,b"])
    annotated = {"annotations": {"networking.istio.io/exportTo": to}}
    return item.with_data({**item.data, "metadata": {**item.metadata, **annotated}})


def _deployments(rng: Random, service: Object) -> list[Object]:
    found = []
    for version in rng.sample(["v1", "v2"], rng.choice([1, 2, 2, 2])):
        labels = {"app": service.name, "version": version}
        container = {"name": "c", "image": "meshdemo/echo", "ports": [{"containerPort": 8080}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"template": template, "replicas": rng.choice([1, 1, 2, 0])}
        found.append(thing("Deployment", f"{service.name}-{version}", service.namespace, 0, spec))
    return found


def _exported(rng: Random) -> Json:
    return {"exportTo": rng.choice(EXPORTS)} if one_in(rng, 3) else {}


def _policy(rng: Random) -> Json:
    policy: Json = {}
    if one_in(rng, 4):
        policy["loadBalancer"] = rng.choice(BALANCERS)
    if one_in(rng, 4):
        balancer = {"loadBalancer": rng.choice(BALANCERS)} if one_in(rng, 2) else {}
        policy["portLevelSettings"] = [{"port": {"number": rng.choice(PORTS)[0]}, **balancer}]
    return {"trafficPolicy": policy} if policy else {}


def _destination_rule(rng: Random) -> Object:
    subsets = [
        {"name": name, "labels": {} if name == "odd" else {"version": name}, **_policy(rng)}
        for name in rng.sample(["v1", "v2", "odd"], rng.randint(1, 3))
    ]
    spec = {"host": rng.choice(RULE_HOSTS), "subsets": subsets, **_policy(rng)}
    if one_in(rng, 4):
        spec["workloadSelector"] = {"matchLabels": {"app": rng.choice(["client", "other"])}}
    else:
        spec |= _exported(rng)
    space = rng.choice([*NAMESPACES, "default", "istio-system"])
    return thing("DestinationRule", rng.choice(["one", "two"]), space, rng.randint(0, 3), spec)


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


def _destination(rng: Random) -> Json:
    hosts = ["app"] * 6 + ["web"] * 3 + [*FULL, "app.shop", "APP", "gone"]
    found: Json = {"host": rng.choice(hosts)}
    if one_in(rng, 3):
        found["subset"] = rng.choice(["v1", "v1", "v2", "v2", "odd", "none"])
    if one_in(rng, 5):
        found["port"] = {"number": rng.choice(PORTS)[0]}
    return found


def _http_rule(rng: Random) -> Json:
    rule: Json = {}
    if one_in(rng, 2):
        rule["match"] = [_match(rng) for _ in range(rng.randint(1, 2))]
    if one_in(rng, 12):
        return rule | {"redirect": {"uri": "/elsewhere"}}
    rule["route"] = [{"destination": _destination(rng)} for _ in range(rng.randint(1, 3))]
    if len(rule["route"]) > 1:
        for route in rule["route"]:
            route["weight"] = rng.randint(0, 3)
        rule["route"][0]["weight"] += 1
    if one_in(rng, 8):
        rule["fault"] = {"abort": {"httpStatus": 503, "percentage": {"value": rng.choice([0, 30])}}}
    return rule


def _virtual_service(rng: Random) -> Object:
    spec: Json = {
        "hosts": rng.sample(sorted(set(RULE_HOSTS)), rng.randint(1, 2)),
        "http": [_http_rule(rng) for _ in range(rng.randint(1, 3))],
        **_exported(rng),
    }
    if one_in(rng, 2):
        spec["hosts"] = ["app", *spec["hosts"][1:]]
    if one_in(rng, 3):
        spec["gateways"] = rng.choice([["mesh"], ["edge"], ["edge", "mesh"]])
    name, space = rng.choice(["one", "two", "three"]), rng.choice([*NAMESPACES, "default"])
    return thing("VirtualService", name, space, rng.randint(0, 2), spec)


def told(world: World) -> tuple[dict[str, Fraction], Answered]:
    """Give the share of each version by the client's configuration."""
    numbers = iter(range(20_000, 30_000))

    def take(count: int) -> list[int]:
        return [next(numbers) for _ in range(count)]

    pods = plan.place(plan.blueprints(world.objects), (), take)
    template: Json = {"metadata": {}, "spec": {"containers": []}}
    client = PlannedPod(
        "client", world.namespace, world.labels, template, "client", injected=True, outbound=1
    )
    config = translate.sidecar(Mesh(world.objects, (*pods, client)), client, "FOLDER")
    named = world.host if world.port == 80 else f"{world.host}:{world.port}"
    query = dict([world.query[1:].split("=")] if world.query else [])
    found = answered(config, Asked(named, world.path, query, world.headers))
    versions = {port.entry: pod.labels["version"] for pod in pods for port in pod.ports}
    shares: dict[str, Fraction] = {}
    for port, share in found.ports.items():
        shares[versions[port]] = shares.get(versions[port], Fraction(0)) + share
    return shares, found


def promised(world: World) -> dict[str, Fraction] | str:
    """Give what the rules promise, or why they promise nothing."""
    url = f"http://{world.host}:{world.port}{world.path}{world.query}"
    request = Request(url, "GET", tuple(world.headers.items()))
    pods = [(found.pod.namespace, found.pod.labels) for found in plan.blueprints(world.objects)]
    client = Client(world.namespace, world.labels, injected=True)
    try:
        return dict(promise.promised(world.objects, pods, request, client).shares)
    except InputError as error:
        return error.message


def disagreement(world: World) -> str:
    """Say how promise and configuration differ; empty if they do not."""
    shares, found = told(world)
    said = promised(world)
    if isinstance(said, str):
        # Where a connection chooses the pod, a kept one would stay with it: nothing is promised.
        right = not shares or (found.connections and len(shares) > 1)
    else:
        right = said == shares
    return "" if right else f"the sidecar is told {shares or 'nothing'}, the promise is: {said}"


def smallest(world: World) -> World:
    """Leave out what the disagreement does not need."""
    for item in world.objects:
        fewer = replace(world, objects=tuple(other for other in world.objects if other != item))
        if disagreement(fewer):
            return smallest(fewer)
    return world


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_promise_is_what_the_sidecar_is_told(batch: int) -> None:
    decided = 0
    for number in range(batch * WORLDS, (batch + 1) * WORLDS):
        world = random_world(Random(number))
        if disagreement(world):
            least = smallest(world)
            pytest.fail(f"world {number}: {disagreement(least)}\n{least}")
        decided += not isinstance(promised(world), str)
    assert decided > WORLDS // 3, "most worlds say nothing"
