"""What a server asks of a Service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import names
from meshdemo.engines.local.admission.references import label_problems
from meshdemo.rules.services import HEADLESS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

EXTERNAL_NAME = "ExternalName"
"""As a Service's type: it stands for a host elsewhere, and need not have ports."""


def problems(service: Place) -> Iterator[Problem]:
    """Judge a whole Service."""
    spec = service["spec"]
    yield from label_problems(spec["selector"], names.LONGEST_LABEL)
    is_headless = spec["clusterIP"].text == HEADLESS
    if is_headless:
        yield spec["clusterIP"].problem(
            "the local engine does not support a headless Service yet", "take clusterIP out"
        )
    ports = spec["ports"]
    if ports.is_empty_list and not is_headless and spec["type"].text != EXTERNAL_NAME:
        missing = "" if ports.there else "it is missing: "
        yield ports.problem(f"{missing}a Service needs at least one port")
    names_seen: set[str] = set()
    numbers_seen: set[float] = set()
    among_several = len(ports.items) > 1
    for port in ports.items:
        yield from _name_problems(port, names_seen, among_several=among_several)
        yield from _number_problems(port, numbers_seen)


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


def _number_problems(port: Place, seen: set[float]) -> Iterator[Problem]:
    number, target = port["port"], port["targetPort"]
    if number.number in seen:
        yield number.problem(f"duplicate port {number.value}")
    if number.number:
        seen.add(number.number)
    if target.is_text and (wrong := names.port_name(target.text)):
        yield target.problem(wrong)
