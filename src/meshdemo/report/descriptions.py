"""Objects at length, as ``kubectl describe`` shows them, and what a rule means in words."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, TypeAlias

from meshdemo.objects import reading
from meshdemo.objects.model import REACH_KINDS, RULE_KINDS, Object
from meshdemo.report import Report
from meshdemo.report.documents import pod_document
from meshdemo.report.resources import NONE, plain, pod_status
from meshdemo.rules.rule_words import in_words
from meshdemo.system.plural import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.engines.results import Container, Pod
    from meshdemo.report.terminal import Terminal
    from meshdemo.walkthrough.resources import Resource

IN_WORDS = (*RULE_KINDS, *REACH_KINDS)
"""The kinds whose meaning is said in words."""
GAP = 3

Value: TypeAlias = "str | list[str]"
"""The value of a field: one line, or one below the other."""


IN_HEAD = ("apiVersion", "kind", "metadata", "status")
"""What of an object stands above its other parts, in words."""


def shown(item: Object) -> dict[str, Any]:
    """Give an object with all that may be seen: of a Secret not what it holds, as with kubectl."""
    if item.kind != "Secret":
        return plain(item)
    values = item.data.get("data") or {}
    sizes = {key: counted(len(base64.b64decode(text)), "byte") for key, text in values.items()}
    return {**plain(item), "data": sizes}


def described(found: Sequence[Resource]) -> Report:
    """Report objects with all that is known of them."""

    def show(terminal: Terminal) -> None:
        for number, each in enumerate(found):
            if number:
                terminal.line()
                terminal.line()
            for line in _lines(each):
                terminal.line(line)

    return Report({"objects": [_document(each) for each in found]}, show)


def _document(each: Resource) -> dict[str, Any]:
    return {
        "object": shown(each.item),
        "pods": [pod_document(pod) for pod in each.pods],
        "summary": list(in_words(each.followed or each.item)) if each.item.kind in IN_WORDS else [],
        "overruledBy": [item.title for item in each.overruled_by],
    }


def _lines(each: Resource) -> Iterator[str]:
    """Write the fields of an object, one below the other, and then what it says as YAML."""
    fields = {**_head(each), **_more(each)}
    width = max(len(name) for name in fields) + GAP
    for name, value in fields.items():
        first, *rest = [value] if isinstance(value, str) else value or [NONE]
        yield f"{name}:".ljust(width) + first
        yield from (" " * width + text for text in rest)
    for name, value in shown(each.item).items():
        if name not in IN_HEAD and value:
            yield f"{name[0].upper()}{name[1:]}:"
            text = reading.dump([Object(value)]).removeprefix("---\n")
            yield from (f"  {line}" for line in text.splitlines())


def _head(each: Resource) -> dict[str, Value]:
    item = each.item
    return {
        "Name": item.name,
        **({"Namespace": item.namespace} if each.kind.namespaced else {}),
        "Labels": _pairs(item.labels),
        "Annotations": _pairs(item.annotations, ": "),
        "API Version": str(item.data["apiVersion"]),
        "Kind": item.kind,
        "Created": str(item.metadata.get("creationTimestamp") or "<unknown>"),
    }


def _more(each: Resource) -> dict[str, Value]:
    """Say what is special about the kind."""
    spec, kind = each.item.spec, each.item.kind
    if kind == "Pod":
        return _pod(each.pods[0])
    if kind == "Service":
        return {"Selector": _pairs(spec.get("selector")), "Endpoints": _pods(each.pods)}
    if each.item.makes_pods and kind != "CronJob":
        status = each.item.data["status"]
        counts = f"{status['replicas']} desired, {status['readyReplicas']} ready"
        return {"Replicas": counts, "Pods": _pods(each.pods)}
    if kind not in IN_WORDS:
        return {}
    preceding = ", ".join(item.title for item in each.overruled_by)
    others = {"Not followed": f"{preceding} takes precedence"} if preceding else {}
    return {"Means": "; ".join(in_words(each.followed or each.item)), **others}


def _pod(pod: Pod) -> dict[str, Value]:
    return {
        "Status": pod_status(pod),
        **({"Message": pod.message.splitlines()} if pod.message else {}),
        "Controlled by": f"{pod.workload_kind}/{pod.workload}" if pod.workload else NONE,
        "Addresses": list(pod.addresses),
        "Containers": [_container(container) for container in pod.containers],
    }


def _container(container: Container) -> str:
    state = container.reason or ("ready" if container.ready else "not ready")
    kind = "init container, " if container.init else ""
    restarts = counted(container.restarts, "restart")
    return f"{container.name}: {kind}{state}, {restarts}, image {container.image}"


def _pods(pods: Sequence[Pod]) -> list[str]:
    return [f"{p.name} {p.ready} {pod_status(p)} {', '.join(p.addresses)}".rstrip() for p in pods]


def _pairs(values: Mapping[str, Any] | None, between: str = "=") -> list[str]:
    return [f"{name}{between}{value}" for name, value in (values or {}).items()]
