"""Istio's admission of a ServiceEntry and of a Sidecar.

Source: Istio's pkg/config/validation (ValidateServiceEntry, ValidateSidecar), and the rules of
their CRDs. Of a Sidecar's listeners only what this engine does not refuse anyway is judged.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names
from meshdemo.engines.local.admission.references import export_problems, label_problems
from meshdemo.engines.local.fields.client_reach import UNIX
from meshdemo.engines.local.fields.types import UINT32
from meshdemo.rules import hosts
from meshdemo.rules.protocols import WORDS
from meshdemo.rules.service_entries import KIND, entry_services, service_behind
from meshdemo.rules.services import of_kubernetes
from meshdemo.rules.sidecars import EXCLUDED
from meshdemo.rules.visibility import EVERYWHERE, HERE, NOWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.objects.place import Place

NONE, STATIC, ROUND_ROBIN = "NONE", "STATIC", "DNS_ROUND_ROBIN"
BY_DNS = ("DNS", ROUND_ROBIN)
TOLD_APART = ("http", "http2", "grpc", "grpc-web", "http_proxy", "https", "tls")
"""The protocols that say in each request which host is meant."""


def entry_problems(entry: Place) -> Iterator[Problem]:
    """Judge a whole ServiceEntry."""
    spec = entry["spec"]
    resolution = spec["resolution"].text or NONE
    if spec["hosts"].is_empty_list:
        yield spec["hosts"].problem("a ServiceEntry needs at least one host")
    for host in spec["hosts"].items:
        if host.text == EVERYWHERE:
            yield host.problem('the host "*" is not a host')
        elif host.is_text and (wrong := names.wildcard_domain(host.text)):
            yield host.problem(wrong)
    yield from _address_problems(spec, resolution)
    yield from _port_problems(spec, resolution)
    yield from _selector_problems(spec["workloadSelector"])
    if "workloadSelector" in spec and "endpoints" in spec:
        yield spec["endpoints"].problem("only one of workloadSelector and endpoints may be there")
    yield from _resolution_problems(spec, resolution)
    for endpoint in spec["endpoints"].items:
        yield from _endpoint_problems(endpoint, spec, resolution)
    if sum(endpoint["weight"].number for endpoint in spec["endpoints"].items) > UINT32:
        message = f"all weights together are more than Envoy takes: {UINT32:,}"
        yield spec["endpoints"].problem(message)
    yield from _export_problems(spec, entry.item.namespace)


def outside_notes(objects: Iterable[Object]) -> Iterator[str]:
    """Name the ServiceEntries that lead out of the mesh: what they lead to is never reached."""
    objects = list(objects)
    known = of_kubernetes(objects)
    for item in objects:
        if item.kind != KIND:
            continue
        places = {
            endpoint.address
            for service in entry_services(item)
            for endpoint in service.endpoints
            if not hosts.is_loopback(endpoint.address)
            and service_behind(endpoint, known, item.namespace) is None
        }
        if (item.spec.get("resolution") or NONE) == NONE:
            places = set(map(str, item.spec["hosts"]))
        if places:
            listed = ", ".join(sorted(places))
            yield f"{item.title} leads out of the mesh, to {listed}: requests there get 502 here"


def _address_problems(spec: Place, resolution: str) -> Iterator[Problem]:
    for address in spec["addresses"].items:
        if address.is_text and not names.is_subnet(address.text):
            yield address.problem(f'"{address.text}" is neither an IP address nor a range of them')
        elif "/" in address.text and resolution in BY_DNS:
            message = f"a range of addresses cannot stand beside resolution {resolution}"
            yield address.problem(message)


def _port_problems(spec: Place, resolution: str) -> Iterator[Problem]:
    seen: set[object] = set()
    for port in spec["ports"].items:
        for field in (port["name"], port["number"]):
            if not field.there or not isinstance(field.value, Hashable):
                continue  # the table of fields refuses a list or a mapping
            if (field.path[-1], field.value) in seen:
                yield field.problem(f"duplicate port {field.value}")
            seen.add((field.path[-1], field.value))
        name, protocol = port["name"], port["protocol"]
        if name.is_text and not names.is_istio_label(name.text):
            yield name.problem(f'"{name.text}" is not a valid port name')
        if protocol.text and protocol.text.lower() not in WORDS:
            yield protocol.problem(f'the protocol "{protocol.text}" is not one that Istio knows')
        several = len(spec["hosts"].items) > 1 and resolution != NONE
        if several and protocol.text.lower() not in TOLD_APART:
            yield protocol.problem("several hosts can share only ports of HTTP or TLS")


def _selector_problems(selector: Place) -> Iterator[Problem]:
    for key, value in selector["labels"].entries.items():
        if not key or "*" in key or "*" in value.text:
            message = "the labels of a workloadSelector take no wildcard, and no empty key"
            yield value.problem(message)
        if len(value.text.encode(errors="replace")) > names.LONGEST_LABEL:
            yield value.problem(f"the value is longer than {names.LONGEST_LABEL} bytes")


def _resolution_problems(spec: Place, resolution: str) -> Iterator[Problem]:
    endpoints = spec["endpoints"]
    if resolution == NONE and endpoints.there:
        yield endpoints.problem("resolution NONE takes no endpoints")
    if resolution == ROUND_ROBIN and len(endpoints.items) > 1:
        yield endpoints.problem(f"resolution {ROUND_ROBIN} takes one endpoint at most")
    if resolution in BY_DNS and endpoints.is_empty_list:
        for host in spec["hosts"].items:
            if hosts.is_wildcard(host.text):
                message = f"DNS cannot resolve the wildcard {host.text}"
                yield host.problem(message, "name endpoints, or take resolution NONE")
                return


def _unix_problems(endpoint: Place, spec: Place) -> Iterator[Problem]:
    """Judge an endpoint on a Unix socket. Source: Istio's CRD, and ValidateServiceEntry."""
    path = endpoint["address"].text.removeprefix(UNIX)
    if not path.startswith(("/", "@")):
        message = "a Unix socket needs an absolute path, or @ and an abstract name"
        yield endpoint["address"].problem(message)
    elif path.endswith("/"):
        yield endpoint["address"].problem("a Unix socket is not a folder")
    if endpoint["ports"].entries:
        yield endpoint["ports"].problem("an endpoint on a Unix socket has no ports")
    if len(spec["ports"].items) > 1:
        yield spec["ports"].problem("an endpoint on a Unix socket takes exactly one port")


def _endpoint_problems(endpoint: Place, spec: Place, resolution: str) -> Iterator[Problem]:
    address = endpoint["address"]
    if not address.text and not endpoint["network"].text:
        yield address.problem("it is missing: an endpoint needs an address")
    elif address.text.startswith(UNIX) and resolution == STATIC:
        yield from _unix_problems(endpoint, spec)
    elif address.text and not names.is_address(address.text):
        if resolution == STATIC:
            message = f'"{address.text}" is not an IP address, as resolution STATIC wants'
            yield address.problem(message)
        elif resolution in BY_DNS and names.domain(address.text):
            yield address.problem(f'"{address.text}" is neither a host nor an IP address')
    yield from label_problems(endpoint["labels"], names.LONGEST_LABEL)
    known = {port["name"].text for port in spec["ports"].items}
    for name, port in endpoint["ports"].entries.items():
        if name not in known:
            yield port.problem(f'the ServiceEntry has no port named "{name}"')


def _export_problems(spec: Place, namespace: str) -> Iterator[Problem]:
    """Judge exportTo, in which a ServiceEntry may also say ``~``: nobody."""
    entries = spec["exportTo"].items
    if [entry.text for entry in entries] == [NOWHERE]:
        return
    yield from export_problems(spec, namespace)


def sidecar_problems(sidecar: Place) -> Iterator[Problem]:
    """Judge a whole Sidecar."""
    spec = sidecar["spec"]
    yield from _selector_problems(spec["workloadSelector"])
    parts = ("egress", "ingress", "outboundTrafficPolicy", "inboundConnectionPool")
    if all(spec[name].is_empty_list for name in parts):
        yield spec.problem("the Sidecar is empty: egress or outboundTrafficPolicy must be there")
    listeners = spec["egress"].items
    for number, listener in enumerate(listeners, 1):
        if "port" not in listener and number < len(listeners):
            message = "only the last egress may say no port"
            yield listener.problem(message, "write all hosts into one")
        if listener["hosts"].is_empty_list:
            yield listener["hosts"].problem("an egress needs at least one host")
        for host in listener["hosts"].items:
            if host.is_text and (wrong := _egress_host_problem(host.text)):
                yield host.problem(wrong, "write ./*, NAMESPACE/* or NAMESPACE/HOST")


def _egress_host_problem(text: str) -> str:
    """Judge NAMESPACE/HOST (``ValidateNamespaceSlashWildcardHostname``)."""
    namespace, slash, host = text.partition("/")
    if not slash or not host:
        return f'"{text}" is not NAMESPACE/HOST'
    space = namespace.removeprefix(EXCLUDED)
    if space not in ("", EVERYWHERE, HERE) and not names.is_istio_label(space):
        return f'"{namespace}" is not a namespace'
    if not space and namespace != EXCLUDED:
        return f'"{text}" names no namespace'
    return "" if host == EVERYWHERE else names.wildcard_domain(host)
