"""Random meshes with tcp and tls rules, and a connection or a request from their client.

They are added to the meshes of ``tests.worlds``, whose Services get more ports that take them.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace
from tests.objects import made
from tests.worlds import FULL, NAMES, NAMESPACES, World, one_in, random_world, second

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

PORTS = [(9090, "tcp"), (443, "https"), (7070, "raw"), (3306, "db"), (80, "http")]
ADDRESSES = ["10.1.2.3", "10.96.0.7", "192.168.1.1"]
SUBNETS = ["10.0.0.0/8", "10.1.0.0/16", "10.96.0.7", "0.0.0.0/0", "fd00::/8"]
SERVERS = ["app.default.svc.cluster.local", "*.default.svc.cluster.local", "a.example", "*"]


def connection_world(seed: int) -> World:
    """Give the same mesh and connection for the same seed."""
    rng = Random(seed)  # noqa: S311 - no secret
    world = random_world(seed)
    items = [_with_ports(rng, item) if item.kind == "Service" else item for item in world.objects]
    called = rng.choice([item for item in items if item.kind == "Service"])
    host = f"{called.name}.{called.namespace}.svc.cluster.local"
    names = rng.sample(["l4-one", "l4-two", "l4-three"], rng.randint(1, 3))
    items += [_virtual_service(rng, name, host) for name in names]
    return replace(
        world,
        objects=tuple(items),
        host=host,
        port=rng.choice(called.spec["ports"])["port"],
        by_tcp=not one_in(rng, 4),
    )


def _with_ports(rng: Random, item: Object) -> Object:
    chosen = rng.sample(PORTS, rng.randint(1, 3))
    ports = [{"port": number, "name": label, "targetPort": 8080} for number, label in chosen]
    spec = {**item.spec, "ports": ports}
    if one_in(rng, 2):
        spec["clusterIP"] = rng.choice(ADDRESSES)
    return item.with_data({**item.data, "spec": spec})


def _virtual_service(rng: Random, name: str, called: str) -> Object:
    hosts = [*([] if one_in(rng, 6) else [called]), rng.choice([*FULL, "*.local", "a.example"])]
    spec: Json = {"hosts": list(dict.fromkeys(hosts))}
    spec["tcp"] = [_rule(rng, called) for _ in range(rng.randint(1, 3))]
    if one_in(rng, 2):
        spec["tls"] = [
            {**rule, "match": [_with_servers(rng, m) for m in rule.get("match") or [{}]]}
            for rule in (_rule(rng, called) for _ in range(rng.randint(1, 2)))
        ]
    if one_in(rng, 5):
        spec["gateways"] = rng.choice([["mesh"], ["edge"], ["edge", "mesh"]])
    if one_in(rng, 4):
        spec["exportTo"] = [rng.choice([".", "*", "shop"])]
    space = rng.choice([*NAMESPACES, "default"])
    return made("VirtualService", name, space, metadata=second(rng.randint(0, 2)), **spec)


def _with_servers(rng: Random, match: Json) -> Json:
    return {**match, "sniHosts": rng.sample(SERVERS, rng.randint(1, 2))}


def _rule(rng: Random, called: str) -> Json:
    routes = [
        {"destination": _destination(rng, called), "weight": rng.randint(0, 3)}
        for _ in range(rng.randint(1, 3))
    ]
    if len(routes) > 1:
        routes[0]["weight"] = 1
    rule: Json = {"route": routes}
    if not one_in(rng, 4):
        rule["match"] = [_match(rng) for _ in range(rng.randint(1, 2))]
    return rule


def _match(rng: Random) -> Json:
    parts: list[Json] = [
        {"port": rng.choice(PORTS)[0]},
        {"destinationSubnets": rng.sample(SUBNETS, rng.randint(1, 2))},
        {"sourceLabels": {"app": "client"}},
        {"sourceNamespace": rng.choice(NAMESPACES)},
        {"gateways": rng.choice([["mesh"], ["edge"]])},
    ]
    chosen: Json = {}
    for part in rng.sample(parts, rng.choice([0, 1, 1, 1, 2])):
        chosen |= part
    return chosen


def _destination(rng: Random, called: str) -> Json:
    host = called if not one_in(rng, 3) else rng.choice([*NAMES, *FULL])
    found: Json = {"host": host}
    if one_in(rng, 2):
        found["subset"] = rng.choice(["v1", "v2"])
    if one_in(rng, 3):
        found["port"] = {"number": rng.choice(PORTS)[0]}
    return found
