"""Random meshes in which a client reaches more, or less, than Services: what decides on its reach.

ServiceEntries, aliases, headless Services and Sidecars are added to the meshes of ``tests.worlds``.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace
from tests.objects import made, service
from tests.worlds import (
    CALLED,
    EXPORTS,
    FULL,
    NAMESPACES,
    PORTS,
    World,
    app,
    one_in,
    random_world,
    second,
)

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

FIRST_ENDPOINT = 40_000
"""The port on loopback of the first endpoint that a ServiceEntry names."""
ENTRY_HOSTS = ["out.example", "deep.out.example", "*.example", "app.default.svc.cluster.local"]
ALIASES = ["alias", "other"]
EGRESS = ["*/*", "./*", "shop/*", "b/*", "./app.default.svc.cluster.local", "*/*.example",
          "*/out.example", "~./web.default.svc.cluster.local", "~shop/*",
          "./alias.default.svc.cluster.local"]  # fmt: skip


def reach_world(seed: int) -> World:
    """Give the same mesh and request for the same seed."""
    world, rng = random_world(seed), Random(seed)  # noqa: S311 - no secret
    items = [_maybe_headless(rng, item) for item in world.objects]
    ports = iter(range(FIRST_ENDPOINT, FIRST_ENDPOINT + 100))
    items += [_entry(rng, name, ports) for name in ("one", "two", "three")[: rng.randint(0, 3)]]
    items += [_alias(rng, name) for name in ALIASES if one_in(rng, 2)]
    items += [_sidecar(rng, name) for name in ("one", "two") if one_in(rng, 4)]
    if one_in(rng, 2):
        world = replace(world, host=rng.choice([*CALLED, *ALIASES, "out.example"]))
    if one_in(rng, 8):
        items += _stateful(rng)
        world = replace(world, host=rng.choice(["db", "db-0.db", "db-1.db", "db-2.db.default"]),
                        port=rng.choice([8080, 8080, 9000]), namespace="default")  # fmt: skip
    return replace(world, objects=tuple({item.key: item for item in items}.values()))


def _stateful(rng: Random) -> list[Object]:
    """Give a StatefulSet of two pods, and the headless Service by which they are called."""
    ports = [{"port": 8080, "name": "http"}, {"port": 9000, "name": "tcp"}]
    headless = service(*ports, name="db", namespace="default", metadata=second(0), clusterIP="None")
    pods = app("db", "default", "v1", 2)
    spec = {**pods.spec, "serviceName": rng.choice(["db", "db", "other"])}
    made_of = {**pods.data, "kind": "StatefulSet", "spec": spec}
    made_of["metadata"] = {**pods.metadata, "name": "db"}
    return [headless, pods.with_data(made_of)]


def versions(world: World) -> dict[int, str]:
    """Give the version of each endpoint that a ServiceEntry names, by its port."""
    return {
        port: endpoint["labels"]["version"]
        for item in world.objects
        if item.kind == "ServiceEntry"
        for endpoint in item.spec.get("endpoints", ())
        for port in endpoint["ports"].values()
    }


def _maybe_headless(rng: Random, item: Object) -> Object:
    if item.kind != "Service" or not one_in(rng, 6):
        return item
    # What the name of a headless Service leads to are its pods' own ports.
    ports = [{**port, "targetPort": port["port"]} for port in item.spec["ports"]]
    kept = [{**port, "port": 8080, "targetPort": 8080} for port in ports[:1]]
    return item.with_data({**item.data, "spec": {**item.spec, "clusterIP": "None", "ports": kept}})


def _entry(rng: Random, name: str, ports: Any) -> Object:
    chosen = [PORTS[0], *([PORTS[2]] if one_in(rng, 4) else [])]
    spec: Json = {
        "hosts": [rng.choice(ENTRY_HOSTS)],
        "ports": [
            {"number": number, "name": label, "protocol": "TCP" if label == "tcp" else "HTTP",
             "targetPort": 8080}
            for number, label in chosen
        ],
        "resolution": rng.choice(["STATIC", "STATIC", "DNS", "NONE"]),
    }  # fmt: skip
    if one_in(rng, 4):
        spec["exportTo"] = rng.choice(EXPORTS)
    if spec["resolution"] == "STATIC" and one_in(rng, 3):
        spec["workloadSelector"] = {"labels": {"app": rng.choice(["app", "web"])}}
    elif spec["resolution"] != "NONE":
        spec["endpoints"] = [
            {
                "address": (address := rng.choice(_ADDRESSES[spec["resolution"]])),
                "ports": {
                    label: 80 if address == "app.default" else next(ports) for _, label in chosen
                },
                "labels": {"version": f"{name}.{number}", "track": f"v{number}"},
                **({"weight": rng.randint(1, 3)} if one_in(rng, 2) else {}),
            }
            for number in range(1, rng.randint(1, 3))
        ]
    return made("ServiceEntry", name, rng.choice(NAMESPACES), metadata=second(1), **spec)


_ADDRESSES = {
    "STATIC": ["127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1", "10.0.0.1"],
    "DNS": ["localhost", "localhost", "localhost", "app.default", "example.com"],
}


def _alias(rng: Random, name: str) -> Object:
    target = rng.choice([*FULL, "out.example", "alias.default.svc.cluster.local", "nowhere.org"])
    ports = {"ports": [{"port": 80, "name": "http"}]} if one_in(rng, 2) else {}
    spec = {"type": "ExternalName", "externalName": target, **ports}
    return made("Service", name, "default", metadata=second(0), **spec)


def _sidecar(rng: Random, name: str) -> Object:
    spec: Json = {"egress": [{"hosts": rng.sample(EGRESS, rng.randint(1, 3))}]}
    if one_in(rng, 2):
        mode = rng.choice(["REGISTRY_ONLY", "ALLOW_ANY"])
        spec["outboundTrafficPolicy"] = {"mode": mode}
    if one_in(rng, 3):
        spec["workloadSelector"] = {"labels": {"app": rng.choice(["client", "other"])}}
    space = rng.choice(["default", "default", "shop", "istio-system"])
    return made("Sidecar", name, space, metadata=second(rng.randint(0, 2)), **spec)
