"""Which pods got no sidecar though one was asked for, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.engines.options import Injection
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.labels import INJECT_LABEL, REVISION_LABEL
from meshdemo.walkthrough.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.results import Pod
    from meshdemo.objects.model import Object

WAY_OUT = f'Label their pods {INJECT_LABEL}: "true", or take meshdemo inject without --injection.'


def notes(objects: Sequence[Object], pods: Sequence[Pod], injection: Injection) -> Iterator[Note]:
    """Say which workloads have pods without a sidecar, unless their label wants none."""
    if injection is not Injection.NONE:
        for name, reason in _lacking(objects, pods, injection).items():
            yield Note(f"{name} has no sidecar: {reason}", warning=True)


def require_some(objects: Sequence[Object], pods: Sequence[Pod], injection: Injection) -> None:
    """Raise EnvironmentFailed where a sidecar was asked for and no pod has one."""
    lacking = _lacking(objects, pods, injection)
    if not lacking or any(pod.injected for pod in pods):
        return
    said = "\n".join(f"  {name}: {reason}" for name, reason in lacking.items())
    hint = WAY_OUT if injection is Injection.AUTO else "See meshdemo doctor."
    raise EnvironmentFailed(f"no pod got a sidecar\n{said}", hint=hint)


def _lacking(
    objects: Sequence[Object], pods: Sequence[Pod], injection: Injection
) -> dict[str, str]:
    templates = {
        (item.namespace, item.name): item.pod_template for item in objects if item.makes_pods
    }
    found = {}
    for pod in pods:
        owner = pod.workload or pod.name
        template = templates.get((pod.namespace, owner), {})
        if not (pod.injected or _wants_none(template, pod.labels)):
            found[owner] = _reason(template, pod.labels, injection)
    return found


def _wants_none(template: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether its author wants no sidecar; Istio also takes the annotation of that name."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return "false" in (labels.get(INJECT_LABEL), annotations.get(INJECT_LABEL))


def _reason(template: Mapping[str, object], labels: Mapping[str, str], mode: Injection) -> str:
    spec = template.get("spec")
    if isinstance(spec, dict) and spec.get("hostNetwork"):
        return "a pod on its node's own network gets none"
    if mode is Injection.KUBE_INJECT:
        return "istioctl added none"
    if revision := labels.get(REVISION_LABEL):
        return f"no webhook of Istio's acted on its label {REVISION_LABEL}: {revision}"
    if INJECT_LABEL in labels:
        return f"no webhook of Istio's acted on its label {INJECT_LABEL}"
    return "no label on its pods asks for one, and none on the namespace that Istio acts on"
