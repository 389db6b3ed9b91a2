"""Kinds that this server does not have: of another version, of no Istio yet, or of nobody."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from meshdemo.objects.kinds import NETWORKING_GROUP
from meshdemo.objects.model import RULE_KINDS

if TYPE_CHECKING:
    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object

ISTIO_GROUPS = "istio.io"
"""The end of the API groups of Istio, which come and go with it."""


def comes_with_istio(kube: Kube, item: Object) -> bool:
    """Tell whether an object's kind is not there because Istio is not there yet."""
    if not item.group.endswith(ISTIO_GROUPS) or kube.resource(
        str(item.data["apiVersion"]), item.kind
    ):
        return False
    if item.kind in RULE_KINDS:  # their CRDs may have been removed alone
        return not any(kube.resource(version, item.kind) for version in kube.versions(item.group))
    return not kube.versions(NETWORKING_GROUP)


def problem(kube: Kube, item: Object) -> Problem:
    """Say what is wrong with the kind or the version of an object that the server does not have."""
    version = str(item.data["apiVersion"])
    there = {v: [r.kind for r in kube.resources(v)] for v in kube.versions(item.group)}
    if having := [v for v, kinds in there.items() if item.kind in kinds]:
        message = f"this cluster has no {item.kind} of the version {version}"
        return item.problem(message, "apiVersion", hint=f"write {' or '.join(having)}")
    known = sorted({kind for kinds in there.values() for kind in kinds})
    close = difflib.get_close_matches(item.kind, known, n=1)
    hint = f"did you mean {close[0]}?" if close else ""
    return item.problem(f"this cluster has no kind {item.kind} in {version}", "kind", hint=hint)
