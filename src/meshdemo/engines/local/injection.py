"""Which workloads get a sidecar. A pod has one if its label says so: nothing else is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.options import Injection
from meshdemo.objects.labels import INJECT_LABEL, INJECTION_CHOICE, INJECTION_LABEL, REVISION_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.objects.model import Object

IGNORED_NAMESPACES = frozenset(
    {"kube-system", "kube-public", "kube-node-lease", "local-path-storage"}
)
"""Where Istio never injects."""


def inject(
    objects: Sequence[Object], stored: Iterable[Object], mode: Injection
) -> tuple[Object, ...]:
    """Set the label in the pod templates of ``objects`` as ``mode`` asks for."""
    before = {item.key: item for item in stored}
    namespaces = _namespace_labels([*before.values(), *objects])

    def settle(item: Object) -> Object:
        template, labels = item.pod_template, namespaces.get(item.namespace, {})
        if mode is Injection.KUBE_INJECT:
            return _label(item, "true") if _kube_injects(item.namespace, template) else item
        if mode is Injection.AUTO:
            if webhook_injects(item.namespace, labels, template):
                return _label(item, "true")
            return _label(item, "false") if _label_of(template) == "true" else item
        old = before.get(item.key)
        has_one = (old and is_injected(old.pod_template)) or is_injected(template)
        if has_one or webhook_injects(item.namespace, labels, template):
            return _label(item, "false", ours=True)
        return item

    return tuple(settle(item) if item.makes_pods else item for item in objects)


def keep(objects: Sequence[Object], stored: Iterable[Object]) -> tuple[Object, ...]:
    """Settle what an object applied as it is leaves open.

    The label that was set before stays, as another manager's field does in a server-side apply;
    else the namespace decides, as Istio's webhook would.
    """
    before = {item.key: item for item in stored}
    namespaces = _namespace_labels([*before.values(), *objects])

    def settle(item: Object) -> Object:
        old = before.get(item.key)
        if _label_of(item.pod_template):
            return item
        if old and (value := _label_of(old.pod_template)):
            ours = INJECTION_CHOICE in _annotations(old.pod_template)
            return _label(item, value, ours=ours)
        if webhook_injects(item.namespace, namespaces.get(item.namespace, {}), item.pod_template):
            return _label(item, "true")
        return item

    return tuple(settle(item) if item.makes_pods else item for item in objects)


def is_injected(template: Mapping[str, Any]) -> bool:
    """Tell whether pods of this template have a sidecar."""
    return _label_of(template) == "true"


def webhook_injects(namespace: str, labels: Mapping[str, str], template: Mapping[str, Any]) -> bool:
    """Say what the webhooks of Istio's default revision do with a pod.

    Theirs are the selectors of istiod's MutatingWebhookConfiguration, and then
    ``injectRequired`` of pkg/kube/inject.
    """
    own = _label_of(template)
    if own == "false" or not _can_be_injected(namespace, template):
        return False
    if INJECTION_LABEL in labels:
        selected = labels[INJECTION_LABEL] == "enabled"
    elif REVISION_LABEL in labels:
        selected = labels[REVISION_LABEL] == "default"
    elif revision := _labels(template).get(REVISION_LABEL):
        selected = revision == "default"
    else:
        selected = own == "true"
    return selected and (own == "true" or _annotations(template).get(INJECT_LABEL) != "false")


def _kube_injects(namespace: str, template: Mapping[str, Any]) -> bool:
    # Then a false in the label is of an earlier --injection none, and not the user's wish.
    if INJECTION_CHOICE in _annotations(template):
        return _can_be_injected(namespace, template)
    wish = _label_of(template) or _annotations(template).get(INJECT_LABEL)
    return wish != "false" and _can_be_injected(namespace, template)


def _can_be_injected(namespace: str, template: Mapping[str, Any]) -> bool:
    host_network = (template.get("spec") or {}).get("hostNetwork")
    return not host_network and namespace not in IGNORED_NAMESPACES


def _namespace_labels(objects: Iterable[Object]) -> dict[str, dict[str, str]]:
    return {item.name: item.labels for item in objects if item.kind == "Namespace"}


def _labels(template: Mapping[str, Any]) -> dict[str, str]:
    return (template.get("metadata") or {}).get("labels") or {}


def _annotations(template: Mapping[str, Any]) -> dict[str, str]:
    return (template.get("metadata") or {}).get("annotations") or {}


def _label_of(template: Mapping[str, Any]) -> str:
    return _labels(template).get(INJECT_LABEL, "")


def _label(item: Object, value: str, *, ours: bool = False) -> Object:
    """Give the object with the label; ``ours`` marks it as not written by the user."""
    template = item.pod_template
    annotations = {k: v for k, v in _annotations(template).items() if k != INJECTION_CHOICE}
    if ours:
        annotations[INJECTION_CHOICE] = Injection.NONE.value
    metadata = {
        **(template.get("metadata") or {}),
        "labels": {**_labels(template), INJECT_LABEL: value},
    }
    if annotations or "annotations" in metadata:
        metadata["annotations"] = annotations
    return item.with_pod_metadata(metadata)
