"""Objects as kubectl shows them: ``get`` in each of its forms."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any

from meshdemo.objects import reading
from meshdemo.objects.model import Object
from meshdemo.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshdemo.engines.results import Pod
    from meshdemo.report.terminal import Terminal
    from meshdemo.walkthrough.resources import Resource

    Cell = Callable[[Resource], str]

NONE = "<none>"
MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400


def got(found: Sequence[Resource], output: str, *, one: bool, everywhere: bool) -> Report:
    """Report objects in the form that was asked for; ``one`` was named, and is shown as it is."""
    written = _document(found, one=one)
    if output == "json":
        return Report(written, is_whole=True)
    text = reading.dump([Object(written)]).removeprefix("---\n").rstrip("\n")
    names = "\n".join(f"{each.kind.singular}/{each.item.name}" for each in found)

    def show(terminal: Terminal) -> None:
        if output == "yaml":
            terminal.line(text)
        elif output == "name":
            if found:
                terminal.line(names)
        else:
            _show_tables(terminal, found, wide=output == "wide", everywhere=everywhere)

    return Report(written, show)


def age(created: str, now: datetime) -> str:
    """Say how old something is, as kubectl does: ``5s``, ``3m20s``, ``2d``."""
    try:
        began = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return "<unknown>"
    seconds = max(0, int((now - began).total_seconds()))
    for limit, unit, below in (
        (2 * MINUTE, (1, "s"), None),
        (10 * MINUTE, (MINUTE, "m"), (1, "s")),
        (3 * HOUR, (MINUTE, "m"), None),
        (8 * HOUR, (HOUR, "h"), (MINUTE, "m")),
        (2 * DAY, (HOUR, "h"), None),
        (8 * DAY, (DAY, "d"), (HOUR, "h")),
        (2 * YEAR, (DAY, "d"), None),
        (8 * YEAR, (YEAR, "y"), (DAY, "d")),
    ):
        if seconds < limit:
            number, rest = divmod(seconds, unit[0])
            more = rest // below[0] if below else 0
            return f"{number}{unit[1]}" + (f"{more}{below[1]}" if below and more else "")
    return f"{seconds // YEAR}y"


def plain(item: Object) -> dict[str, Any]:
    """Give an object so that it can be applied anywhere: its uid is of this mesh alone."""
    metadata = {name: value for name, value in item.metadata.items() if name != "uid"}
    return {**item.data, "metadata": metadata}


def pod_status(pod: Pod) -> str:
    """Say in kubectl's one word how a pod is."""
    if pod.is_done:
        return "Completed"
    return next((c.reason for c in pod.containers if c.reason), pod.phase)


def _document(found: Sequence[Resource], *, one: bool) -> dict[str, Any]:
    if one:
        return plain(found[0].item)
    items = [plain(each.item) for each in found]
    return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}


def _show_tables(
    terminal: Terminal, found: Sequence[Resource], *, wide: bool, everywhere: bool
) -> None:
    kinds = {each.kind for each in found}
    for number, (kind, group) in enumerate(groupby(found, key=lambda each: each.kind)):
        columns: dict[str, Cell] = {}
        if everywhere and kind.namespaced:
            columns["NAMESPACE"] = lambda each: each.item.namespace
        columns["NAME"] = _full_name if len(kinds) > 1 else _name
        columns |= COLUMNS.get(kind.name, {})
        columns["AGE"] = _age
        columns |= WIDE_CELLS.get(kind.name, {}) if wide else {}
        if number:
            terminal.line()
        rows = [[cell(each) for cell in columns.values()] for each in group]
        terminal.table(tuple(columns), rows)


def _name(each: Resource) -> str:
    return each.item.name


def _full_name(each: Resource) -> str:
    return f"{each.kind.singular}/{each.item.name}"


def _age(each: Resource) -> str:
    return age(each.item.created, datetime.now(timezone.utc))


def _status(name: str) -> Cell:
    return lambda each: str((each.item.data.get("status") or {}).get(name, 0))


def _json_list(field: str) -> Cell:
    """Write a list as a custom column of Istio's does."""

    def cell(each: Resource) -> str:
        values = each.item.spec.get(field)
        return json.dumps(values, separators=(",", ":")) if values else ""

    return cell


def _ready(each: Resource) -> str:
    status = each.item.data["status"]
    return f"{status['readyReplicas']}/{status['replicas']}"


def _entries(each: Resource, *parts: str) -> int:
    """Count the keys of a ConfigMap or a Secret."""
    return len({key for part in parts for key in each.item.data.get(part) or ()})


def _pairs(labels: Mapping[str, Any] | None) -> str:
    return ",".join(f"{name}={value}" for name, value in (labels or {}).items()) or NONE


def _service_ports(each: Resource) -> str:
    ports = each.item.spec.get("ports") or ()
    return ",".join(f"{p.get('port')}/{p.get('protocol') or 'TCP'}" for p in ports) or NONE


def _cluster_ip(each: Resource) -> str:
    """Say ``None`` of a headless Service; others have no address of their own here."""
    return str(each.item.spec.get("clusterIP") or NONE)


def _containers(field: str) -> Cell:
    def cell(each: Resource) -> str:
        containers = (each.item.pod_template.get("spec") or {}).get("containers") or ()
        return ",".join(str(container.get(field)) for container in containers)

    return cell


def _match_labels(each: Resource) -> str:
    return _pairs((each.item.spec.get("selector") or {}).get("matchLabels"))


_COUNTS: dict[str, Cell] = {
    "DESIRED": _status("replicas"),
    "CURRENT": _status("updatedReplicas"),
    "READY": _status("readyReplicas"),
}
COLUMNS: dict[str, dict[str, Cell]] = {
    "Namespace": {"STATUS": lambda _: "Active"},
    "Pod": {
        "READY": lambda each: each.pods[0].ready,
        "STATUS": lambda each: pod_status(each.pods[0]),
        "RESTARTS": lambda each: str(each.pods[0].restarts),
    },
    "Service": {
        "TYPE": lambda each: str(each.item.spec.get("type") or "ClusterIP"),
        "CLUSTER-IP": _cluster_ip,
        "EXTERNAL-IP": lambda each: str(each.item.spec.get("externalName") or NONE),
        "PORT(S)": _service_ports,
    },
    "Deployment": {
        "READY": _ready,
        "UP-TO-DATE": _status("updatedReplicas"),
        "AVAILABLE": _status("availableReplicas"),
    },
    "StatefulSet": {"READY": _ready},
    "DaemonSet": _COUNTS,
    "ReplicaSet": _COUNTS,
    "ReplicationController": _COUNTS,
    "Job": {
        "COMPLETIONS": lambda each: f"{_status('succeeded')(each)}/{_status('replicas')(each)}"
    },
    "CronJob": {"SCHEDULE": lambda each: str(each.item.spec.get("schedule") or "")},
    "ConfigMap": {"DATA": lambda each: str(_entries(each, "data", "binaryData"))},
    "Secret": {
        "TYPE": lambda each: str(each.item.data.get("type") or "Opaque"),
        "DATA": lambda each: str(_entries(each, "data")),
    },
    "ServiceAccount": {"SECRETS": lambda each: str(len(each.item.data.get("secrets") or ()))},
    "DestinationRule": {"HOST": lambda each: str(each.item.spec.get("host") or "")},
    "ServiceEntry": {
        "HOSTS": _json_list("hosts"),
        "LOCATION": lambda each: str(each.item.spec.get("location") or ""),
        "RESOLUTION": lambda each: str(each.item.spec.get("resolution") or ""),
    },
    "VirtualService": {"GATEWAYS": _json_list("gateways"), "HOSTS": _json_list("hosts")},
}
"""kubectl's columns between the name and the age."""
WIDE_CELLS: dict[str, dict[str, Cell]] = {
    "Pod": {"ADDRESSES": lambda each: ", ".join(each.pods[0].addresses) or NONE},
    "Service": {"SELECTOR": lambda each: _pairs(each.item.spec.get("selector"))},
    **{
        kind: {
            "CONTAINERS": _containers("name"),
            "IMAGES": _containers("image"),
            "SELECTOR": _match_labels,
        }
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
    },
}
"""What -o wide adds. On loopback a pod has an address for each port, and there are no nodes."""
