"""How a namespace says whose it is: of which class, and of which student.

Some lessons need a namespace beside the student's own. Students may list no namespaces, so their
own one names the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api.connection import Denied
from meshdemo.objects.labels import BESIDE, CLASS_LABEL, MANAGED_BY, STUDENT_LABEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube


def labels(its_class: str, student: str = "") -> dict[str, str]:
    """Give the labels of what a class has; with a student, of a namespace beside their own."""
    found = {MANAGED_BY: "meshdemo", CLASS_LABEL: its_class}
    return {**found, STUDENT_LABEL: student} if student else found


def names_beside(others: Sequence[str]) -> Json:
    """Give the metadata of a student's own namespace that names those beside it."""
    return {"annotations": {BESIDE: ",".join(others)}}


def class_of(space: Json) -> str:
    """Name the class that a namespace is of; empty if it is of none."""
    return _labels(space).get(CLASS_LABEL, "")


def student_beside(space: Json | None) -> str:
    """Name the student beside whose own namespace this one is; empty if it is none of these."""
    return _labels(space or {}).get(STUDENT_LABEL, "")


def beside(kube: Kube, namespace: str) -> tuple[str, ...]:
    """Name the namespaces that a class gave a student beside this one."""
    try:
        space = kube.get("v1", "Namespace", namespace) or {}
    except Denied:  # a student may see their own
        return ()
    annotations = (space.get("metadata") or {}).get("annotations") or {}
    return tuple(filter(None, annotations.get(BESIDE, "").split(",")))


def _labels(space: Json) -> dict[str, str]:
    return (space.get("metadata") or {}).get("labels") or {}
