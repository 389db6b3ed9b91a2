"""Whether the rules leave open what comes of a request: then one answer proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.rules.request_trace import Endpoint, Trace
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect
    from meshdemo.suite.private_mesh import PrivateMesh

ALWAYS = 100


def varies(mesh: PrivateMesh | LiveMesh, trace: Trace | None, expect: Expect) -> bool:
    """Tell whether a request that is sent again may get what is not the same for a test.

    It may go to another destination, or to another pod where those differ in what is looked at; a
    fault may hit one request and not the next.
    """
    if trace is None:
        return False
    if len(trace.destinations) > 1 or any(0 < each.share < 1 for each in trace.own_answers):
        return True
    if any(0 < percent < ALWAYS for percent, _ in trace.mirrors) or _is_late_at_times(trace):
        return True
    behind = [pod for each in trace.destinations for pod in each.behind(mesh.pods)]
    if expect.mirrored_to and _may_copy_to(behind, mesh, trace):
        return True
    if mesh.has_behaviours and len(behind) > 1:
        return True
    return _looks_at_pods(expect) and len({pod.labels.get("version") for pod in behind}) > 1


def _may_copy_to(answering: Sequence[Endpoint], mesh: PrivateMesh | LiveMesh, trace: Trace) -> bool:
    """Tell whether a copy may come to a pod that answers, and so be no copy for anybody else."""
    copied = [pod for _, each in trace.mirrors for pod in each.behind(mesh.pods)]
    return len(copied) > 1 and any(pod in answering for pod in copied)


def _is_late_at_times(trace: Trace) -> bool:
    http: Mapping[str, Any] = trace.chosen.tried.http if trace.chosen else {}
    delay = (http.get("fault") or {}).get("delay") or {}
    percentage = (delay.get("percentage") or {}).get("value", delay.get("percent"))
    return percentage is not None and 0 < percentage < ALWAYS


def _looks_at_pods(expect: Expect) -> bool:
    """Tell whether it is about what differs between the pods of one destination."""
    inner = expect.none_of
    return bool(expect.versions or expect.bodies or (inner and (inner.versions or inner.bodies)))
