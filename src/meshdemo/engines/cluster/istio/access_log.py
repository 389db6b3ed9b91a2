"""The access log of a sidecar: lines in its container's log, if Istio is told to write it."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.kinds import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.engines.cluster.api.kube import Json, Kube

LINE = re.compile(r'\[\d{4}-\d\d-\d\dT[^]]*\] "|\{.*"(?:response_code|start_time)"')
"""How a line of it begins, as text or as JSON."""
TURN_ON = """\
apiVersion: telemetry.istio.io/v1alpha1
kind: Telemetry
metadata: {name: access-log, namespace: %s}
spec: {accessLogging: [{providers: [{name: envoy}]}]}"""
"""A Telemetry that turns it on for a namespace, whichever Istio there is."""


def require(kube: Kube, namespace: str, root: str) -> None:
    """Raise EnvironmentFailed if the sidecars of a namespace write none, and say what to apply.

    Where one may not look at the mesh's settings it is left to the log to show.
    """
    try:
        mesh = control_plane.mesh_settings(kube, root)
        telemetry = named("Telemetry").api_version
        rules = [
            live
            for place in dict.fromkeys((namespace, root))
            for live in kube.list(telemetry, "Telemetry", place)
        ]
    except Forbidden:
        return
    if not mesh.get("accessLogFile") and not any(map(_turns_on, rules)):
        raise EnvironmentFailed(
            f"the sidecars of namespace {namespace} write no access log: nothing turns it on",
            hint=f"kubectl apply -f - <<'END'\n{TURN_ON % namespace}\nEND",
        )


def _turns_on(telemetry: Json) -> bool:
    logging: list[dict[str, Any]] = (telemetry.get("spec") or {}).get("accessLogging") or []
    return any(not each.get("disabled") for each in logging)


def only(lines: Iterable[str], *, tail: int = -1) -> Iterator[str]:
    """Pick the lines of the access log; ``tail`` is how many at most, -1 for all."""
    found = (line for line in lines if LINE.match(line))
    return found if tail < 0 else iter(deque(found, maxlen=tail))
