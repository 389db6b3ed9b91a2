"""How requests must be sent so that they are independent choices: else a sample proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import InputError
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.traffic_policies import PASSTHROUGH, speaks_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.answering import Pods
    from meshdemo.rules.client_view import Client
    from meshdemo.verdict.traffic import Request

DEPENDENT = ("connectionPool", "outlierDetection", "consistentHash")
"""Settings by which one request decides what becomes of another."""


class Sending(Struct, frozen=True):
    """What a sender has to mind."""

    fresh_connections: bool
    """Each request needs a connection of its own: a kept one would stay with one pod."""
    side_by_side: bool
    """Requests may overtake each other."""


def sending(objects: Sequence[Object], pods: Pods, request: Request, client: Client) -> Sending:
    """Decide how a client sends this request again and again; arguments as for the promise.

    Side by side only where rules alone choose the version: load balancing looks at what else is
    under way (LEAST_REQUEST, Istio's default), a connection pool counts it, outlier detection
    counts errors in a row, and a hash may send all of it to one pod. Without a sidecar kube-proxy
    chooses, at random and a pod for each connection.
    """
    if not client.injected:
        return Sending(fresh_connections=True, side_by_side=True)
    return sending_of(RequestPath.of(objects, pods, request, client))


def sending_of(path: RequestPath) -> Sending:
    """Decide the same for a request that is followed already, of a client with a sidecar."""
    try:
        alone = all(len(part) == 1 for _, part in path.parts())
    except InputError:
        alone = False
    return Sending(
        fresh_connections=_keeps_pod(path),
        side_by_side=alone
        and not any(rule and speaks_of(rule, *DEPENDENT) for _, rule, _ in path.reached),
    )


def _keeps_pod(path: RequestPath) -> bool:
    """Tell whether a connection may stay with one pod, as far as that can be seen before."""
    if path.request.is_tcp:
        return True
    try:
        dialled = path.dialled
    except InputError:
        return True
    if dialled and dialled.chooses_by_connection:
        return True
    if any(service.is_headless for service in path.view.upstreams.values()):
        return True
    return any(speaks_of(rule, PASSTHROUGH) for rule in path.view.destination_rules.values())
