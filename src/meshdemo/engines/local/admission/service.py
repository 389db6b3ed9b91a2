"""What a server asks of a Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names
from meshdemo.engines.local.admission.references import label_problems
from meshdemo.rules.services import EXTERNAL_NAME, HEADLESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.objects.place import Place
WITH_ADDRESS = ("NodePort", "LoadBalancer")
"""The types of Services that stand on an address in the cluster."""


def notes(objects: Iterable[Object]) -> Iterator[str]:
    """Say once what becomes of UDP."""
    services = (item for item in objects if item.kind == "Service")
    ports = [port for service in services for port in service.spec.get("ports") or ()]
    if any(port.get("protocol") == "UDP" for port in ports):
        yield "nothing listens on UDP here: Istio's sidecars leave it alone"


def problems(service: Place) -> Iterator[Problem]:
    """Judge a whole Service."""
    spec = service["spec"]
    yield from label_problems(spec["selector"], names.LONGEST_LABEL)
    is_headless = spec["clusterIP"].text == HEADLESS
    kind = spec["type"].text
    if is_headless and kind in WITH_ADDRESS:
        yield spec["clusterIP"].problem(f"a Service of type {kind} cannot be headless")
    if kind == EXTERNAL_NAME:
        yield from _external_name_problems(spec)
    ports = spec["ports"]
    if ports.is_empty_list and not is_headless and spec["type"].text != EXTERNAL_NAME:
        missing = "" if ports.there else "it is missing: "
        yield ports.problem(f"{missing}a Service needs at least one port")
    names_seen: set[str] = set()
    numbers_seen: set[tuple[float, str]] = set()
    among_several = len(ports.items) > 1
    for port in ports.items:
        yield from _name_problems(port, names_seen, among_several=among_several)
        yield from _number_problems(port, numbers_seen)


def _external_name_problems(spec: Place) -> Iterator[Problem]:
    """Judge a Service that is another name for a host."""
    name = spec["externalName"]
    if not name.text:
        yield name.problem("it is missing: a Service of type ExternalName needs it")
    elif wrong := names.subdomain(name.text.removesuffix(".")):
        yield name.problem(wrong)
    if spec["clusterIP"].text:
        message = "a Service of type ExternalName has no address in the cluster"
        yield spec["clusterIP"].problem(message)


def _name_problems(port: Place, seen: set[str], *, among_several: bool) -> Iterator[Problem]:
    name = port["name"]
    if not name.text:
        if among_several:
            yield name.problem("it is missing: each of several ports needs a name")
        return
    if wrong := names.dns_label(name.text):
        yield name.problem(wrong)
    elif name.text in seen:
        yield name.problem(f'there are two ports of the name "{name.text}"')
    seen.add(name.text)


def _number_problems(port: Place, seen: set[tuple[float, str]]) -> Iterator[Problem]:
    number, target = port["port"], port["targetPort"]
    known = number.number, port["protocol"].text or "TCP"
    if known in seen:
        yield number.problem(f"duplicate port {number.value}")
    if number.number:
        seen.add(known)
    if target.is_text and (wrong := names.port_name(target.text)):
        yield target.problem(wrong)
