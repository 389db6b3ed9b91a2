"""What a server asks of names, labels and annotations of any object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names
from meshdemo.engines.local.admission.references import label_problems
from meshdemo.objects.kinds import NETWORKING_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

REFUSED_BY_ISTIO = (
    "istio.io/dry-run",
    "internal.istio.io/parents",
    "internal.istio.io/webhook-always-reject",
)
RBAC_GROUP = "rbac.authorization.k8s.io"
"""The group of kinds whose names may hold a colon, as in ``system:node``."""
SIZE_OF_ANNOTATIONS = 256 * 1024

_NAMES = {
    "Service": names.dns_1035,
    "Namespace": names.dns_label,
}


def problems(whole: Place) -> Iterator[Problem]:
    """Judge the metadata of an object."""
    metadata = whole["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    of_kind = names.path_segment if whole.item.group == RBAC_GROUP else names.subdomain
    judge = _NAMES.get(whole.item.kind, of_kind)
    if name.is_text and (wrong := judge(name.text)):
        yield name.problem(wrong)
    if namespace.text and (wrong := names.dns_label(namespace.text)):
        yield namespace.problem(wrong)
    yield from tag_problems(metadata)
    if whole.item.group == NETWORKING_GROUP:
        for key in REFUSED_BY_ISTIO:
            if key in metadata["annotations"]:
                yield metadata["annotations"][key].problem("Istio refuses this annotation here")


def tag_problems(metadata: Place) -> Iterator[Problem]:
    """Judge the labels and annotations of an object, or of the pods that it describes."""
    yield from label_problems(metadata["labels"], names.LONGEST_LABEL)
    annotations = metadata["annotations"]
    for key, value in annotations.entries.items():
        if wrong := names.label_key(key):
            yield value.problem(wrong)
    if sum(len(text) for text in annotations.texts.values()) > SIZE_OF_ANNOTATIONS:
        yield annotations.problem(f"the annotations are longer than {SIZE_OF_ANNOTATIONS} bytes")
