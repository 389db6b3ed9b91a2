"""What istiod says of one sidecar's configuration: ``istioctl proxy-status``, asked and read.

Sources: istiod's pilot/pkg/xds/statusgen.go, istioctl's pkg/writer/pilot/status.go. What Envoy
rejects is ERROR, with Envoy's own words, and in releases that do not know that, STALE.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.results import Sync
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.engines.cluster.istio.istioctl import Istioctl

KINDS = {
    "Cluster": "clusters (CDS)",
    "Listener": "listeners (LDS)",
    "RouteConfiguration": "routes (RDS)",
    "ClusterLoadAssignment": "endpoints (EDS)",
}
"""What a sidecar gets, by the name of Envoy's type."""
OLD_KINDS = {
    "clusterConfig": "Cluster",
    "listenerConfig": "Listener",
    "routeConfig": "RouteConfiguration",
    "endpointConfig": "ClusterLoadAssignment",
}
"""How releases before 1.12 say which type it is."""
COLUMNS = {
    "CDS": "Cluster",
    "LDS": "Listener",
    "RDS": "RouteConfiguration",
    "EDS": "ClusterLoadAssignment",
}
"""The columns of the table, which is all that older releases of istioctl give."""
STALE, NOT_SENT, REJECTED = "STALE", "NOT SENT", "ERROR"
NEEDED = frozenset({"Cluster", "Listener"})
"""What every sidecar is sent: of the others there may be nothing to send."""
PATIENCE = 1.0
"""Seconds in which Envoy acknowledges what it was sent a moment ago."""
CONSTRAINT = "Proto constraint validation failed"
LONGEST_REASON = 400
"""Characters of Envoy's words that are shown."""
NOT_ALLOWED = (
    "what istiod says of it is not known: that needs the rights of istioctl proxy-status, get on "
    "deployments and pods and create on pods/portforward where istiod is"
)


class Part(Struct, frozen=True):
    """One type of configuration that a sidecar has not taken."""

    kind: str
    state: str
    why: str = ""

    def __str__(self) -> str:
        what = f"istiod says: its {KINDS[self.kind]}"
        if self.state == REJECTED:
            return f"{what} were rejected by Envoy: {self.why or 'it does not say why'}"
        if self.state == STALE:
            return f"{what} are STALE: sent, and not acknowledged"
        return f"{what} were NOT SENT"


def sync(kube: Kube, proxy: str, find: Callable[[ControlPlane | None], Istioctl]) -> Sync:
    """Ask how far a sidecar, as POD.NAMESPACE, has what istiod sends; what is hidden is said."""
    planes = control_plane.control_planes(kube)
    # istioctl itself would wait long for what it may not see.
    if planes is None:
        return Sync(hidden=NOT_ALLOWED)
    if planes and not any(plane.available for plane in planes):
        return Sync(tuple(f"{plane.title} does not run" for plane in planes))
    try:
        ctl = find(planes[0] if planes else None)
        parts = read(ctl.proxy_status(proxy.rpartition(".")[2]), proxy)
        if parts and any(part.state == STALE for part in parts):
            time.sleep(PATIENCE)
            again = read(ctl.proxy_status(proxy.rpartition(".")[2]), proxy)
            parts = None if again is None else [part for part in again if part in parts]
    except EnvironmentFailed as error:
        return Sync(hidden=f"what istiod says of it is not known: {error.message.splitlines()[-1]}")
    if parts is None:
        return Sync(("no istiod has a connection to it",))
    return Sync(tuple(map(str, parts)), is_level=not parts)


def read(output: str, proxy: str) -> list[Part] | None:
    """Find what a proxy has not taken; None if no istiod knows the proxy."""
    reader = _of_json if output.lstrip().startswith("{") else _of_table
    told = reader(output, proxy)
    # Until it is noticed that a connection is lost, a second istiod may know the proxy as well.
    return min((list(filter(_counts, parts)) for parts in told), key=len, default=None)


def _counts(part: Part) -> bool:
    if part.state == NOT_SENT:
        return part.kind in NEEDED
    return part.state in (STALE, REJECTED)


def _of_json(output: str, proxy: str) -> Iterator[list[Part]]:
    """Read JSON, a document for each istiod."""
    decoder, rest = json.JSONDecoder(), output.lstrip()
    while rest:
        try:
            document, end = decoder.raw_decode(rest)
        except ValueError:
            return
        rest = rest[end:].lstrip()
        for client in document.get("resources") or ():
            if (client.get("node") or {}).get("id") == proxy:
                yield list(_parts(client))


def _parts(client: dict[str, Any]) -> Iterator[Part]:
    for each in client.get("genericXdsConfigs") or ():
        kind = str(each.get("typeUrl", "")).rpartition(".")[2]
        if kind in KINDS:
            state = str(each.get("configStatus", "")).replace("_", " ")
            yield Part(kind, state, _reason((each.get("errorState") or {}).get("details", "")))
    for each in client.get("xdsConfig") or ():
        kind = next((OLD_KINDS[name] for name in OLD_KINDS if name in each), "")
        if kind:
            yield Part(kind, str(each.get("status", "")).replace("_", " "))


def _reason(details: str) -> str:
    """Shorten what Envoy says: it may begin with all of the configuration that it rejects."""
    text = " ".join(details.split())
    return text[max(text.find(CONSTRAINT), 0) :][:LONGEST_REASON]


def _of_table(output: str, proxy: str) -> Iterator[list[Part]]:
    """Read the table: a line for each proxy, cells two or more spaces apart."""
    lines = [re.split(r"\s{2,}|\t+", line.strip()) for line in output.splitlines()]
    heads = next((line for line in lines if line[0] == "NAME"), [])
    for line in lines:
        if line[0] == proxy:
            cells = zip(heads, line, strict=False)
            yield [
                Part(COLUMNS[head], cell.partition(" (")[0])
                for head, cell in cells
                if head in COLUMNS
            ]
