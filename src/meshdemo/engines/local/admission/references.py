"""What several kinds of rules refer to: destinations, headers, labels, gateways, namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.local.admission import header_values, names
from meshdemo.rules.visibility import EVERYWHERE, HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place

AUTHORITY_HEADERS = frozenset({":authority", "host"})


def destination_problems(destination: Place) -> Iterator[Problem]:
    """Judge the host, the subset and the port that requests shall go to."""
    host, subset = destination["host"], destination["subset"]
    if host.text == "*":
        yield host.problem('the destination host "*" is not a host')
    elif host.is_text and (wrong := names.wildcard_domain(host.text)):
        yield host.problem(wrong)
    if subset.text:
        yield from subset_name_problems(subset)
    if "port" in destination and "number" not in destination["port"]:
        yield destination["port"].problem("the port has no number")


def subset_name_problems(name: Place) -> Iterator[Problem]:
    """Judge the name that a rule gives to a subset, or calls it by."""
    if name.is_text and not names.is_istio_label(name.text):
        yield name.problem(f'"{name.text}" is not a valid name for a subset')


def weight_problems(routes: Place) -> Iterator[Problem]:
    """Judge the weights of several destinations together."""
    weights = [route["weight"] for route in routes.items]
    readable = all(isinstance(weight.value, int | None) for weight in weights)
    if len(weights) > 1 and readable and sum(weight.number for weight in weights) == 0:
        yield routes.problem(
            "the total destination weight is 0", "give at least one destination a positive weight"
        )


def header_problems(headers: Place) -> Iterator[Problem]:
    """Judge what is done to the headers of requests and responses."""
    for side in ("request", "response"):
        operations = headers[side]
        for verb in ("set", "add"):
            for name, value in operations[verb].entries.items():
                may_be_authority = side == "request"
                if wrong := _header_name_problem(name, may_be_authority=may_be_authority):
                    yield value.problem(wrong)
                if wrong := header_values.problem(value.text):
                    yield value.problem(wrong)
        for removed in operations["remove"].items:
            if removed.is_text and (wrong := _header_name_problem(removed.text)):
                yield removed.problem(wrong)


def authority_problems(rewrite: Place, headers: Place) -> Iterator[Problem]:
    """Refuse to set the authority at two places."""
    first = rewrite["authority"].text
    for verb in ("set", "add"):
        for name, value in headers["request"][verb].entries.items():
            if name.lower() not in AUTHORITY_HEADERS:
                continue
            if first:
                yield value.problem(f'the authority header is set twice: "{first}" and here')
            first = value.text


def label_problems(labels: Place, longest: int = names.LONGEST_ISTIO_VALUE) -> Iterator[Problem]:
    """Judge the keys and values of labels."""
    for key, value in labels.entries.items():
        if wrong := names.label_key(key):
            yield value.problem(wrong)
        if wrong := names.label_value(value.text, longest):
            yield value.problem(wrong)


def gateway_problems(gateways: Place) -> Iterator[Problem]:
    """Judge names of gateways: ``mesh``, ``NAME`` or ``NAMESPACE/NAME``."""
    for gateway in gateways.items:
        namespace, slash, name = gateway.text.partition("/")
        if not gateway.is_text:
            continue
        if not slash:
            if wrong := names.domain(gateway.text):
                yield gateway.problem(wrong)
            return  # as Istio, which looks at no gateway after the first one without a namespace
        if not (names.is_istio_label(namespace) and names.is_istio_label(name)):
            yield gateway.problem(f'"{gateway.text}" is not the NAMESPACE/NAME of a gateway')


def export_problems(spec: Place, namespace: str) -> Iterator[Problem]:
    """Judge the namespaces that a rule is exported to."""
    entries = [target for target in spec["exportTo"].items if target.is_text]
    seen: set[str] = set()
    for entry in entries:
        target = namespace if entry.text == HERE else entry.text
        if target in seen:
            yield entry.problem(f'duplicate entry in exportTo: the namespace "{target}"')
        elif target != EVERYWHERE and not names.is_istio_label(target):
            yield entry.problem(f'"{entry.text}" is neither ".", nor "*", nor a namespace')
        seen.add(target)
    if EVERYWHERE in seen and len(entries) > 1:
        yield spec["exportTo"].problem('exportTo holds "*", so that nothing may stand beside it')


def _header_name_problem(name: str, *, may_be_authority: bool = False) -> str:
    if not name:
        return "the name of a header cannot be empty"
    if name.lower() in AUTHORITY_HEADERS and may_be_authority:
        return ""
    if name.lower() == "host":
        return f'the header "{name}" cannot be changed here'
    if name.startswith(":"):
        return f'the header "{name}" cannot be changed: it begins with ":"'
    if len(name.encode(errors="replace")) > header_values.LONGEST:
        return f"Envoy takes a header name of {header_values.LONGEST:,} bytes at most"
    return ""
