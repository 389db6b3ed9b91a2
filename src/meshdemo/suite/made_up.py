"""What the rules need and the files have not: Services, and pods behind them.

Most repositories hold rules alone. So a host that rules send to becomes a Service, or a
ServiceEntry where it is outside, and each subset gets a pod with its labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshdemo.objects.labels import INJECT_LABEL
from meshdemo.objects.model import Object
from meshdemo.rules import gateways, hosts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.suite.model import StandIn

ECHO = "meshdemo/echo"
OWN = "meshdemo.dev/stand-in-for"
"""The label by which what is made up finds its pods, where it had no selector."""
LONGEST_NAME = 40
Json = dict[str, Any]


@dataclass
class World:
    """The objects of a private mesh, and what of them was made up."""

    objects: list[Object]
    ports: Sequence[int] = ()
    """Ports that requests call, beside those that rules name."""
    stand_ins: Mapping[str, tuple[StandIn, ...]] = field(default_factory=dict)
    namespace: str = "default"
    gateway_ports: frozenset[int] = frozenset()
    """Those on which gateways take HTTP."""
    notes: list[str] = field(default_factory=list)
    """What was made up, a sentence each."""
    behaviours: dict[tuple[str, str], StandIn] = field(default_factory=dict)
    """How pods behave, by the namespace and name of their workload."""

    def complete(self) -> None:
        """Add the Services and pods that are missing."""
        self.objects = [_reduced(item) for item in self.objects]
        self._services()
        self._stand_ins()
        self._pods()

    def _services(self) -> None:
        known = {
            hosts.service_host(item.name, item.namespace)
            for item in self.objects
            if item.kind == "Service"
        } | {
            str(host).lower()
            for item in self.objects
            if item.kind == "ServiceEntry"
            for host in item.spec.get("hosts") or ()
        }
        for host, ports in sorted(wanted(self.objects, self._named()).items()):
            if any(hosts.overlap(each, host) for each in known):
                continue
            numbers = sorted(self._ports(ports))
            if namespace := hosts.namespace_of(host):
                name = host.partition(".")[0]
                self.objects.append(_service(name, namespace, numbers))
                self.notes.append(f"Service {namespace}/{name}")
            elif not self._is_slip(host):
                self.objects.append(_entry(host, self.namespace, numbers))
                self.notes.append(f"ServiceEntry for {host}")

    def _named(self) -> list[str]:
        return [hosts.full_name(host, self.namespace) for host in self.stand_ins]

    def _is_slip(self, host: str) -> bool:
        """Tell whether NAME.NAMESPACE stands where Istio wants the whole name: it leads nowhere."""
        spaces = {item.namespace for item in self.objects}
        parts = host.split(".")
        return (
            "." not in host or (len(parts) in (2, 3) and parts[1] in spaces) or parts[-1] == "svc"
        )

    def _pods(self) -> None:
        labelled = [_labels(item) for item in self.objects if item.makes_pods]
        for service in list(self.objects):
            for host, selector in _selecting(service):
                behind = [
                    labels
                    for namespace, labels in labelled
                    if namespace == service.namespace and hosts.within(selector, labels)
                ]
                for name, labels in self._missing(host, behind):
                    made = {**selector, **labels}
                    if name and "version" not in made:
                        made["version"] = name
                    called = self._add_pod(
                        _short(host), name, service.namespace, made, _entry_ports(service)
                    )
                    self.notes.append(f"pod {service.namespace}/{called}")
                    labelled.append((service.namespace, made))
                    behind.append(made)

    def _missing(
        self, host: str, behind: Sequence[Mapping[str, str]]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give the subsets of a host that no pod is in; all of it where it has no pod at all."""
        found = False
        for item in self.objects:
            if item.kind != "DestinationRule":
                continue
            own = hosts.full_name(str(item.spec.get("host", "")), item.namespace)
            if not hosts.overlap(own, host.lower()):
                continue
            for subset in item.spec.get("subsets") or ():
                found = True
                labels = {str(k): str(v) for k, v in (subset.get("labels") or {}).items()}
                if not any(hosts.within(labels, each) for each in behind):
                    yield str(subset.get("name", "")), labels
        if not found and not behind:
            yield "", {}

    def _add_pod(
        self,
        app: str,
        name: str,
        namespace: str,
        labels: Mapping[str, str],
        ports: Iterable[int] = (),
    ) -> str:
        called = "-".join(filter(None, (app[:LONGEST_NAME], _plain(name))))
        taken = {(item.namespace, item.name) for item in self.objects if item.makes_pods}
        number = 1
        unique = called
        while (namespace, unique) in taken:
            number += 1
            unique = f"{called}-{number}"
        self.objects.append(_deployment(unique, namespace, labels, ports))
        return unique

    def _ports(self, named: set[int]) -> set[int]:
        """Say which ports a Service needs of which rules name some.

        Of several a destination without a port means the one that the gateway was called on.
        """
        found = {*named, *self.ports, hosts.HTTP_PORT}
        return found if len(found) == 1 else found | self.gateway_ports

    def _stand_ins(self) -> None:
        """Put the pods that ``standIns`` lists in the place of those that are there."""
        for host, wanted_pods in self.stand_ins.items():
            full = hosts.full_name(host, self.namespace)
            for service in list(self.objects):
                for own, selector in _selecting(service):
                    if own.lower() == full:
                        self._replace(service, selector, wanted_pods, _short(own))

    def _replace(
        self, service: Object, selector: Mapping[str, str], pods: Sequence[StandIn], app: str
    ) -> None:
        namespace, ports = service.namespace, _entry_ports(service)
        versions = {pod.version for pod in pods}
        replaced: dict[str, Mapping[str, str]] = {}

        def stays(item: Object) -> bool:
            if not item.makes_pods or item.namespace != namespace:
                return True
            _, labels = _labels(item)
            version = labels.get("version", "")
            is_meant = "" in versions or version in versions
            if not (hosts.within(selector, labels) and is_meant):
                return True
            replaced.setdefault(version, labels)
            return False

        self.objects = [item for item in self.objects if stays(item)]
        for pod in pods:
            before = replaced.get(pod.version) or (
                next(iter(replaced.values()), {}) if not pod.version else {}
            )
            labels = {**before, **selector, **pod.labels}
            for _ in range(pod.replicas):
                name = self._add_pod(app, pod.version, namespace, labels, ports)
                self.behaviours[namespace, name] = pod


def wanted(objects: Iterable[Object], named: Iterable[str] = ()) -> dict[str, set[int]]:
    """Give the hosts that rules send to, or call by a Service's name, each with its ports."""
    found: dict[str, set[int]] = {host: set() for host in named}
    for item in objects:
        if item.kind == "DestinationRule":
            _want(found, str(item.spec.get("host", "")), item.namespace)
        if item.kind != "VirtualService":
            continue
        for host in item.spec.get("hosts") or ():
            full = hosts.full_name(str(host), item.namespace)
            if hosts.namespace_of(full) and hosts.MESH in gateways.names_of(item):
                _want(found, full, item.namespace)
        for rule in (each for kind in ("http", "tcp", "tls") for each in item.spec.get(kind) or ()):
            for destination in destinations(rule):
                port = (destination.get("port") or {}).get("number")
                _want(found, str(destination.get("host", "")), item.namespace, port)
    return found


def destinations(rule: Mapping[str, Any]) -> Iterator[Json]:
    """Give where a rule sends requests, or copies of them."""
    for name in ("route", "mirrors"):
        for each in rule.get(name) or ():
            yield each.get("destination") or {}
    if mirror := rule.get("mirror"):
        yield mirror


def _want(found: dict[str, set[int]], host: str, namespace: str, port: int | None = None) -> None:
    full = hosts.full_name(host, namespace)
    if full and not hosts.is_wildcard(full):
        found.setdefault(full, set()).update({port} if port else ())


def _selecting(item: Object) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give the hosts of a Service or ServiceEntry, each with the selector of its pods."""
    if item.kind == "Service" and item.spec.get("selector"):
        yield hosts.service_host(item.name, item.namespace), item.spec["selector"]
    if item.kind == "ServiceEntry":
        selector = (item.spec.get("workloadSelector") or {}).get("labels")
        for host in item.spec.get("hosts") or ():
            if selector:
                yield str(host), selector


def _reduced(item: Object) -> Object:
    """Leave of an object what routes requests: a stand-in needs labels and ports, no image."""
    if item.kind == "Service" and not item.spec.get("selector"):
        if item.spec.get("type") == "ExternalName":
            return item
        return _with_spec(item, selector={OWN: item.name[:LONGEST_NAME]})
    if item.kind == "ServiceEntry" and not item.spec.get("workloadSelector"):
        spec = {k: v for k, v in item.spec.items() if k not in ("endpoints", "addresses")}
        labels = {OWN: item.name[:LONGEST_NAME]}
        spec |= {"resolution": "STATIC", "workloadSelector": {"labels": labels}}
        return item.with_data({**item.data, "spec": spec})
    if item.kind in ("Job", "CronJob") or not item.makes_pods:
        return item
    template = item.pod_template
    containers = [
        {
            "name": each.get("name") or "app",
            "image": ECHO,
            **({"ports": each["ports"]} if each.get("ports") else {}),
        }
        for each in (template.get("spec") or {}).get("containers") or ()
        if isinstance(each, dict)
    ]
    labels = (template.get("metadata") or {}).get("labels") or {}
    # Pods here have no sidecar, also those of others that have one.
    kept: Json = {"labels": {name: value for name, value in labels.items() if name != INJECT_LABEL}}
    if not item.template_path:  # a Pod is its own template
        kept |= {"name": item.name, "namespace": item.namespace}
    spec = {"containers": containers or [{"name": "app", "image": ECHO}]}
    rest = {} if item.template_path else template
    return item.with_pod_template({**rest, "metadata": kept, "spec": spec})


def _with_spec(item: Object, **fields: object) -> Object:
    return item.with_data({**item.data, "spec": {**item.spec, **fields}})


def _labels(item: Object) -> tuple[str, Mapping[str, str]]:
    return item.namespace, (item.pod_template.get("metadata") or {}).get("labels") or {}


def _short(host: str) -> str:
    """Give a name for what stands in for a host."""
    if hosts.namespace_of(host):
        return host.partition(".")[0]
    return _plain(host)


def _plain(text: str) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return letters.strip("-")


def _service(name: str, namespace: str, ports: Iterable[int]) -> Object:
    spec = {
        "selector": {"app": name},
        "ports": [{"name": f"http-{each}", "port": each} for each in ports],
    }
    return _object("v1", "Service", name, namespace, spec)


def _entry(host: str, namespace: str, ports: Iterable[int]) -> Object:
    name = _plain(host)[:LONGEST_NAME].strip("-")
    spec = {
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{"name": f"http-{p}", "number": p, "protocol": "HTTP"} for p in ports],
        "workloadSelector": {"labels": {OWN: name}},
    }
    return _object("networking.istio.io/v1", "ServiceEntry", name, namespace, spec)


def _entry_ports(item: Object) -> list[int]:
    """Give the ports that a ServiceEntry needs of its pods; what a Service needs they have."""
    ports = item.spec.get("ports") or () if item.kind == "ServiceEntry" else ()
    return list(dict.fromkeys(port.get("targetPort") or port["number"] for port in ports))


def _deployment(
    name: str, namespace: str, labels: Mapping[str, str], ports: Iterable[int]
) -> Object:
    container = {"name": "app", "image": ECHO, "ports": [{"containerPort": p} for p in ports]}
    template = {"metadata": {"labels": dict(labels)}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": dict(labels)}, "template": template}
    return _object("apps/v1", "Deployment", name, namespace, spec)


def _object(version: str, kind: str, name: str, namespace: str, spec: Json) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return Object({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
