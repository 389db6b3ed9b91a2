"""Whether what the rules promise is what Envoy is told.

The promise reads objects, the sidecar follows its configuration; both must mean the same. The
configuration is read by ``tests/envoy_reading.py``, which knows nothing of objects.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.envoy_reading import Answered, Asked, answered

from meshdemo.engines.local import plan, translate
from meshdemo.engines.local.model import Mesh, PlannedPod
from meshdemo.errors import InputError
from meshdemo.rules import promise
from meshdemo.rules.client_view import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.worlds import World

    from meshdemo.engines.local.translate import Config

Promised: TypeAlias = "dict[str, Fraction] | str"
"""What the rules promise, or why they promise nothing."""


def configured(world: World) -> tuple[tuple[PlannedPod, ...], Config]:
    """Give the pods of a world, and what its client's sidecar is told."""
    pods = plan.place(world.blueprints, (), lambda n: range(20_000, 20_000 + n))
    template: dict[str, Any] = {"metadata": {}, "spec": {"containers": []}}
    client = PlannedPod(
        "client", world.namespace, world.labels, template, "client", injected=True, outbound=1
    )
    mesh = Mesh(world.objects, (*pods, client))
    return tuple(pods), translate.sidecar(mesh, client, "FOLDER")


def asked(world: World) -> Asked:
    """Give the request as Envoy sees it."""
    named = world.host if world.port == 80 else f"{world.host}:{world.port}"
    query = dict([world.query[1:].split("=")] if world.query else [])
    return Asked(named, world.path, query, world.headers, world.method)


def told(
    world: World, endpoints: Mapping[int, str] | None = None
) -> tuple[dict[str, Fraction], Answered, bool]:
    """Give the share of each version and status by the client's configuration.

    Last whether copies of requests take turns with them at pods of several versions. ``endpoints``
    are the versions of what is reached beside pods, by port.
    """
    pods, config = configured(world)
    request = asked(world)
    connect = Asked(request.authority, method="CONNECT")
    found = answered(config, connect if world.by_tcp else request)
    versions = {port.entry: pod.labels["version"] for pod in pods for port in pod.ports}
    versions |= endpoints or {}
    shares = {f"HTTP {status}": share for status, share in found.statuses.items()}
    for port, share in found.ports.items():
        shares[versions[port]] = shares.get(versions[port], Fraction(0)) + share
    return shares, found, any(len({versions[port] for port in mix}) > 1 for mix in found.mixed)


def promised(world: World) -> Promised:
    pods = [(found.pod.namespace, found.pod.labels) for found in world.blueprints]
    client = Client(world.namespace, world.labels, injected=True)
    try:
        return dict(promise.promised(world.objects, pods, world.request, client).shares)
    except InputError as error:
        return error.message


def disagreement(
    world: World, said: Promised | None = None, endpoints: Mapping[int, str] | None = None
) -> str:
    """Say how promise and configuration differ; empty if they do not.

    ``said`` is what is promised, where that is known already.
    """
    said = promised(world) if said is None else said
    shares, found, mixed = told(world, endpoints)
    if isinstance(said, str):
        # Where a connection chooses the pod, a kept one would stay with it: nothing is promised.
        # Nor where something in the request chooses it.
        several = (found.connections or found.sticky) and len(shares) > 1
        right = not shares or mixed or several
    else:
        right = said == shares and not mixed
    return "" if right else f"the sidecar is told {shares or 'nothing'}, the promise is: {said}"
