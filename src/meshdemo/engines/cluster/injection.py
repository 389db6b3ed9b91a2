"""Which workloads get a sidecar, and from whom: istioctl beforehand, or Istio's webhook.

A workload that was given to the webhook, or to nobody, carries an annotation that says so:
without it, one that had its sidecar from istioctl gets it again each time it is applied.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.istio.istioctl import DEFAULT_NAMESPACE, DEFAULT_REVISION
from meshdemo.engines.cluster.objects import managed_fields
from meshdemo.engines.options import Injection
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading
from meshdemo.objects.labels import (
    INJECT_LABEL,
    INJECTED,
    INJECTION_CHOICE,
    INJECTION_LABEL,
    LABEL_IS_OURS,
    REVISION_LABEL,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.istio.control_plane import ControlPlane
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object


class Injector(Protocol):
    """Adds sidecars to YAML."""

    def kube_inject(self, manifests: str, timeout: float) -> str:
        """Give the YAML with sidecars."""


def inject(
    objects: Sequence[Object],
    mode: Injection,
    injector: Injector,
    namespaces: Mapping[str, Mapping[str, str]],
    timeout: float = 30.0,
) -> tuple[Object, ...]:
    """Give the objects with what ``mode`` asks for; ``namespaces`` are their labels by name."""
    if mode is Injection.KUBE_INJECT:
        return _kube_injected([_chosen(item, None) for item in objects], injector, timeout)
    return tuple(
        _without(item, namespaces.get(item.namespace, {}))
        if mode is Injection.NONE and item.makes_pods
        else _chosen(item, mode)
        for item in objects
    )


def require_istiod(
    kube: Kube, planes: Sequence[ControlPlane] | None, plane: ControlPlane | None
) -> None:
    """Raise EnvironmentFailed where kube-inject could only wait, or make pods that wait."""
    if planes is not None and plane is None:
        raise EnvironmentFailed("no istiod is there", hint="Type: meshdemo install")
    if plane and not plane.available:
        where = f"deployment/{plane.name} in {plane.namespace}"
        raise EnvironmentFailed(
            f"no istiod answers: {where} has 0 of {plane.replicas} pods available",
            hint=plane.next_step,
        )
    place = plane.namespace if plane else DEFAULT_NAMESPACE
    if not kube.can_i("create", "pods", subresource="portforward", namespace=place):
        raise EnvironmentFailed(
            f"istioctl kube-inject needs pods/portforward in {place}, which you may not use",
            hint="Let Istio's webhook inject: --injection auto",
        )


def require_webhook(
    namespaces: Mapping[str, Mapping[str, str]], served: frozenset[str] | None
) -> None:
    """Raise EnvironmentFailed where a webhook is to inject, and a label keeps it away."""
    for name, labels in namespaces.items():
        if why := control_plane.kept_out_by(labels, served):
            there = ", ".join(sorted(served or ()))
            raise EnvironmentFailed(
                f"namespace {name} is labelled {why}: no webhook of Istio's injects there"
                + (f" (there is {there})" if why.startswith(REVISION_LABEL) else ""),
                hint=f"Take the label away: kubectl label namespace {name} "
                f"{why.partition('=')[0]}-. Or let istioctl inject: leave out --injection auto.",
            )


def is_kube_injected(item: Object) -> bool:
    """Tell whether istioctl put a sidecar into a workload."""
    return INJECTED in _metadata(_marked(item), "annotations")


def injected_revision(item: Object) -> str:
    """Say of which revision a workload's sidecar is; empty if it does not say."""
    said = _metadata(item.pod_template, "annotations").get(INJECTED, "")
    try:
        revision = json.loads(said).get("revision")
    except (ValueError, AttributeError):
        return ""
    return revision if isinstance(revision, str) and revision != DEFAULT_REVISION else ""


def revision_of(item: Object) -> str:
    """Say which revision a workload asks for or has its sidecar from; empty for the default."""
    asked = _metadata(item.pod_template, "labels").get(REVISION_LABEL, "")
    return injected_revision(item) or ("" if asked == DEFAULT_REVISION else asked)


def chosen(item: Object) -> str:
    """Say who was to inject a workload: ``auto``, ``none``, or nothing for istioctl or nobody."""
    return item.annotations.get(INJECTION_CHOICE, "")


def as_chosen_before(item: Object, live: Object) -> Object:
    """Give a workload with what an earlier choice of ``auto`` or ``none`` wrote on the live one."""
    noted = {k: v for k, v in live.annotations.items() if k in (INJECTION_CHOICE, LABEL_IS_OURS)}
    labels = _metadata(live.pod_template, "labels")
    kept = {k: v for k, v in labels.items() if k in (INJECT_LABEL, REVISION_LABEL)}
    metadata = item.pod_template.get("metadata") or {}
    metadata = {**metadata, "labels": {**kept, **_metadata(item.pod_template, "labels")}}
    return _annotated(item.with_pod_metadata(metadata), {**item.annotations, **noted})


def asks(item: Object) -> bool:
    """Tell whether an object makes pods that may get a sidecar."""
    return item.makes_pods and _metadata(item.pod_template, "labels").get(INJECT_LABEL) != "false"


def webhook_injects(template: Mapping[str, Any], namespace: Mapping[str, str]) -> bool:
    """Tell whether Istio's webhooks would inject pods of this template, by its labels.

    Theirs are the selectors of istiod's MutatingWebhookConfigurations.
    """
    labels = _metadata(template, "labels")
    own = labels.get(INJECT_LABEL)
    if own == "false":
        return False
    # As in istiod's selectors the namespace's label decides before the pod's; only a pod's false,
    # above, outweighs it.
    if INJECTION_LABEL in namespace:
        return namespace[INJECTION_LABEL] == "enabled"
    return REVISION_LABEL in namespace or own == "true" or REVISION_LABEL in labels


def _kube_injected(
    objects: Sequence[Object], injector: Injector, timeout: float
) -> tuple[Object, ...]:
    """Send the workloads through istioctl, and put them back in their places."""
    workloads = [item for item in objects if item.makes_pods]
    if not workloads:
        return tuple(objects)
    said = injector.kube_inject(reading.dump(workloads), timeout)
    problems: list[Problem] = []
    answers = {item.key: item for item in reading.parse(said, "istioctl", problems)}
    if problems or any(item.key not in answers for item in workloads):
        why = "; ".join(map(str, problems)) or "it left out objects"
        raise EnvironmentFailed(f"istioctl kube-inject wrote no usable manifests: {why}")
    return tuple(
        _with_pods_of(item, answers[item.key]) if item.makes_pods else item for item in objects
    )


def _with_pods_of(item: Object, answer: Object) -> Object:
    """Take over how the pods are described: of the rest, Go writes also what nobody set."""
    pods = {name: value for name, value in _marked(answer).items() if name != "status"}
    if not pods:  # another group's kind of that name
        return item
    pods = managed_fields.without_null_metadata(pods)
    if item.kind != "CronJob":
        return item.with_pod_template(pods)
    return item.with_data({**item.data, "spec": {**item.spec, "jobTemplate": pods}})


def _marked(item: Object) -> dict[str, Any]:
    """Give the part whose metadata istioctl marks: the pods', but the Jobs' of a CronJob."""
    return item.spec.get("jobTemplate") or {} if item.kind == "CronJob" else item.pod_template


def _without(item: Object, namespace: Mapping[str, str]) -> Object:
    """Take the sidecar out, and keep the webhook from putting one in."""
    item = _chosen(item, Injection.NONE)
    if not webhook_injects(item.pod_template, namespace):
        return item
    return _annotated(_with_label(item, "false"), {**item.annotations, LABEL_IS_OURS: "true"})


def _with_label(item: Object, value: str | None) -> Object:
    """Set the label that a webhook looks for on a workload's pods; None takes it away."""
    template = item.pod_template
    labels = {k: v for k, v in _metadata(template, "labels").items() if k != INJECT_LABEL}
    if value is not None:
        labels[INJECT_LABEL] = value
    return item.with_pod_metadata({**(template.get("metadata") or {}), "labels": labels})


def _chosen(item: Object, mode: Injection | None) -> Object:
    """Note on a workload who injects it."""
    if not item.makes_pods or chosen(item) == (mode.value if mode else ""):
        return item
    # It came from an earlier --injection none, and would keep every webhook away for good.
    if LABEL_IS_OURS in item.annotations:
        item = _with_label(item, None)
    annotations = {
        k: v for k, v in item.annotations.items() if k not in (INJECTION_CHOICE, LABEL_IS_OURS)
    }
    if mode:
        annotations[INJECTION_CHOICE] = mode.value
    return _annotated(item, annotations)


def _annotated(item: Object, annotations: Mapping[str, str]) -> Object:
    metadata = {k: v for k, v in item.metadata.items() if k != "annotations"}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return item.with_data({**item.data, "metadata": metadata})


def _metadata(pod: Mapping[str, Any], part: str) -> dict[str, str]:
    found: dict[str, str] = (pod.get("metadata") or {}).get(part) or {}
    return found
