"""What came to which pod of a mesh that is up, as far as sidecars and apps tell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.engines.local.private.stand_ins import Arrived
from meshdemo.suite import judging
from meshdemo.verdict.version_source import BODY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.results import Observed, Pod
    from meshdemo.rules.request_trace import Destination, Trace
    from meshdemo.verdict.traffic import Reply
    from meshdemo.walkthrough.explain import Explained


def arrived(found: Explained, pods: Sequence[Pod]) -> Arrived | None:
    """Say what came to which pod; None where the client's sidecar answered itself."""
    if found.by_sidecar or not found.observed.reply.status:
        return None
    version = BODY.read(found.observed.reply)
    # Another namespace may have a pod of the same name: the rules lead to this one.
    likely = [pod for each in found.trace.destinations for pod in found.behind(each)]
    pod, name = _called(found.answered_by, [*likely, *pods]), found.answered_by
    if pod is None:
        pod, name = _one_of(found, version)
    said = found.arrived
    labels = dict(pod.labels) if pod else {}
    if version:
        labels["version"] = version
    space = pod.namespace if pod else ""
    if said is None:
        return Arrived(name, space, labels, "", "", "", {})
    return Arrived(name, space, labels, said.method, said.path, said.host, said.headers)


def answering(reply: Reply, pods: Sequence[Pod]) -> Arrived | None:
    """Say which pod gave an answer: its app tells, or its version has one pod only."""
    if name := _pod_in(reply):
        return named(name, _called(name, pods))
    version = BODY.read(reply)
    alike = [pod for pod in pods if version and pod.labels.get("version") == version]
    return named(alike[0].name, alike[0]) if len(alike) == 1 else None


def replied(reply: Reply, trace: Trace, pods: Sequence[Pod]) -> Arrived | None:
    """Say which pod gave an answer, or one like it, by the reply alone; None if it does not tell.

    As ``arrived`` says it: the pod that the app names, or one of the version that it names, among
    those that the rules lead to.
    """
    if any(own.status == reply.status for own in trace.own_answers):
        return None
    version = BODY.read(reply)
    behind = [pod for each in trace.destinations for pod in each.behind(pods)]
    pod = _called(_pod_in(reply), behind)
    if pod is None:
        alike = [each for each in behind if version and each.labels.get("version") == version]
        return named(_name_of(alike), alike[0]) if alike else None
    found = named(pod.name, pod)
    return replace(found, labels={**found.labels, "version": version}) if version else found


def named(name: str, pod: Pod | None) -> Arrived:
    """Name a pod that a request came to, where nothing tells how it came."""
    return Arrived(name, pod.namespace if pod else "", pod.labels if pod else {}, "", "", "", {})


def copies(
    told: Explained | None, mirrors: Sequence[Destination], answered: str, pods: Sequence[Pod]
) -> tuple[list[Destination], list[Destination]]:
    """Give where copies went by what the client's sidecar says: elsewhere, and back.

    A copy goes back where the pod that answered may have got it: it is none for anybody else.
    """
    account = told.observed.account if told else None
    seen = (account.copies if account else None) or ()
    sent = [each for each in mirrors if each.target.cluster in seen]
    back = [each for each in sent if answered in {pod.name for pod in each.behind(pods)}]
    return [each for each in sent if each not in back], back


def why_copies_are_hidden(observed: Observed) -> str:
    """Say why it is not known where copies went; empty where it is."""
    account = observed.account
    told = account is not None and account.copies is not None
    known = told or observed.unseen or observed.arrivals is not None
    return "" if known else observed.hidden or judging.COPIES_UNTOLD


def _pod_in(reply: Reply) -> str:
    """Read the pod that an app calls itself; empty where it does not."""
    try:
        said = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    return str(said.get("pod") or "") if isinstance(said, dict) else ""


def _called(name: str, pods: Sequence[Pod]) -> Pod | None:
    return next((pod for pod in pods if pod.name == name), None)


def _one_of(found: Explained, version: str) -> tuple[Pod | None, str]:
    """Give a pod like the one that answered, and what to call that one.

    A sidecar without an access log says no more than the cluster; the app says its version.
    """
    account = found.observed.account
    sent = [d for d in found.trace.destinations if account and d.target.cluster == account.cluster]
    behind = [pod for each in sent for pod in found.behind(each)]
    named = [pod for pod in behind if pod.labels.get("version") == version] or behind
    if not named:
        return None, "a pod that is not known"
    return named[0], _name_of(named)


def _name_of(alike: Sequence[Pod]) -> str:
    """Name the pod that it was, or of which workload, where several may have been it."""
    return alike[0].name if len(alike) == 1 else f"a pod of {alike[0].workload}"
