"""A traffic rule in words, as ``status`` and ``describe`` show it. Pure.

    hosts shop; x-user = anna: v2; else v1 90, v2 10; timeout 0.1s; abort 30 % 503

Nothing that the rule says about traffic is left out: what has no words of its own here is written
as its field and value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.language import said
from meshdemo.rules import cors
from meshdemo.rules.field_words import settings as _settings
from meshdemo.rules.field_words import value as _value
from meshdemo.rules.hosts import full_name
from meshdemo.rules.mirrors import OLD_SHARES, mirrors_of
from meshdemo.rules.policy_words import policy_words
from meshdemo.rules.sidecars import REGISTRY_ONLY
from meshdemo.rules.virtual_services import OTHER_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object

SUBJECTS = {"uri": "path", "authority": "host", "method": "method", "scheme": "scheme"}
_MATCHES = {"exact": "=", "prefix": "starts with", "regex": "matches"}
_MATCHES_NOT = {"exact": "!=", "prefix": "does not start with", "regex": "does not match"}
_HEADERS = {"set": "set", "add": "add", "remove": "remove"}
_MIRRORING = ("mirror", "mirrors", "mirrorPercentage", *OLD_SHARES)
_NAMES_ONLY = ("name", "statPrefix")
"""Fields of a match or a rule that only name it, in logs and statistics."""


def in_words(rule: Object) -> tuple[str, ...]:
    """Say in a few words each what a rule, a ServiceEntry or a Sidecar does."""
    words = {
        "DestinationRule": _destination_rule,
        "ServiceEntry": _service_entry,
        "Sidecar": _sidecar,
    }
    return tuple(words.get(rule.kind, _virtual_service)(rule))


def _destination_rule(rule: Object) -> Iterator[str]:
    spec = rule.spec
    subsets = spec.get("subsets") or []
    names = ", ".join(map(_subset, subsets))
    yield f"host {spec.get('host')}" + (f", subsets {names}" if names else "")
    if labels := (spec.get("workloadSelector") or {}).get("matchLabels"):
        yield f"for pods with {_labels(labels)}"
    yield from policy_words(spec.get("trafficPolicy"))
    yield from _settings(spec, ("host", "subsets", "workloadSelector", "trafficPolicy"))
    for subset in subsets:
        for words in policy_words(subset.get("trafficPolicy")):
            yield f"{subset.get('name')}: {words}"
        for words in _settings(subset, ("name", "labels", "trafficPolicy")):
            yield f"{subset.get('name')}: {words}"


def _subset(subset: Mapping[str, Any]) -> str:
    name, labels = str(subset.get("name")), subset.get("labels") or {}
    return name if labels == {"version": name} else f"{name} ({_labels(labels) or 'all pods'})"


def _virtual_service(rule: Object) -> Iterator[str]:
    spec = rule.spec
    hosts = ", ".join(map(str, spec.get("hosts") or []))
    yield f"hosts {hosts}" if hosts else "a delegate, for other rules"
    yield from _settings(spec, ("hosts", "http", "tcp", "tls"))
    for protocol in ("http", "tls", "tcp"):
        before = "" if protocol == "http" else f"{protocol} "
        conditional = False
        for http in spec.get(protocol) or []:
            condition = when(http)
            first = "else " if conditional else "to " if http.get("route") else ""
            start = f"{condition}: " if condition else first
            yield f"{before}{start}{answer(http, rule) or 'no destination'}"
            yield from actions(http, rule)
            conditional = conditional or bool(condition)


def _service_entry(entry: Object) -> Iterator[str]:
    spec = entry.spec
    yield f"hosts {', '.join(map(str, spec.get('hosts') or []))}"
    ports = [
        f"{port.get('number')} {port.get('protocol') or 'detected'}"
        + (f" to {port['targetPort']}" if port.get("targetPort") else "")
        for port in spec.get("ports") or []
    ]
    if ports:
        yield f"ports {', '.join(ports)}"
    if "workloadSelector" in spec:
        labels = _labels(spec["workloadSelector"].get("labels") or {})
        yield f"to pods with {labels or 'any labels'}"
    for endpoint in spec.get("endpoints") or []:
        where = ", ".join(_settings(endpoint, ("address", "labels")))
        labels = _labels(endpoint.get("labels") or {})
        yield f"to {endpoint.get('address')}{f' ({labels})' if labels else ''}" + (
            f" {where}" if where else ""
        )
    yield from _settings(spec, ("hosts", "ports", "workloadSelector", "endpoints"))


def _sidecar(sidecar: Object) -> Iterator[str]:
    spec = sidecar.spec
    labels = _labels((spec.get("workloadSelector") or {}).get("labels") or {})
    yield f"pods with {labels}" if labels else "all pods"
    for listener in spec.get("egress") or []:
        known = ", ".join(map(str, listener.get("hosts") or []))
        yield "; ".join([f"know {known}", *_settings(listener, ("hosts",))])
    policy = spec.get("outboundTrafficPolicy")
    if policy is not None and (policy.get("mode") or REGISTRY_ONLY) == REGISTRY_ONLY:
        yield f"reach nothing else ({REGISTRY_ONLY})"
    told = ("workloadSelector", "egress", "outboundTrafficPolicy")
    yield from _settings({**(policy or {}), **spec}, (*told, "mode"))


def when(http: Mapping[str, Any]) -> str:
    """Give the condition of a rule; empty if it takes every request."""
    conditions = [" and ".join(_conditions(match or {})) for match in http.get("match") or []]
    return " or ".join(conditions) if all(conditions) else ""


def _conditions(match: Mapping[str, Any]) -> Iterator[str]:
    for field, subject in SUBJECTS.items():
        if field in match:
            yield compared(subject, match[field])
    if match.get("ignoreUriCase"):
        yield "path in any case"
    for name, wanted in (match.get("headers") or {}).items():
        yield compared(name, wanted)
    for name, wanted in (match.get("withoutHeaders") or {}).items():
        yield compared(name, wanted, negated=True)
    for name, wanted in (match.get("queryParams") or {}).items():
        yield compared(f"?{name}", wanted)
    yield from _places(match)
    told = ("headers", "withoutHeaders", "queryParams", "ignoreUriCase", *_NAMES_ONLY)
    places = ("sniHosts", "destinationSubnets", "sourceLabels", "sourceNamespace")
    yield from _settings(match, (*SUBJECTS, *told, *places))


def _places(match: Mapping[str, Any]) -> Iterator[str]:
    """Say where a request must come from or go to."""
    if servers := match.get("sniHosts"):
        yield f"server name {' or '.join(servers)}"
    if subnets := match.get("destinationSubnets"):
        yield f"address in {' or '.join(subnets)}"
    if labels := match.get("sourceLabels"):
        yield f"from pods with {_labels(labels)}"
    if namespace := match.get("sourceNamespace"):
        yield f"from namespace {namespace}"


def compared(subject: str, wanted: Mapping[str, Any] | None, *, negated: bool = False) -> str:
    """Say what a StringMatch asks of something, as in ``path starts with /public``."""
    words = _MATCHES_NOT if negated else _MATCHES
    for kind, value in (wanted or {}).items():
        return f"{subject} {words.get(kind, kind)} {_value(value)}"
    return f"no {subject}" if negated else f"{subject} is there"


def answer(http: Mapping[str, Any], rule: Object) -> str:
    """Say who gets the request: each destination, with its weight where there are several."""
    routes = http.get("route") or []
    names = [_destination(route, rule) for route in routes]
    if len(routes) > 1:
        names = [f"{n} {r.get('weight') or 0}" for n, r in zip(names, routes, strict=True)]
    if response := http.get("directResponse"):
        names.append(_direct_response(response))
    if (delegate := http.get("delegate")) is not None:
        path = (delegate.get("namespace"), delegate.get("name"))
        names.append(f"delegate {'/'.join(map(str, filter(None, path))) or 'without a name'}")
    return ", ".join([*names, *_settings({"redirect": http.get("redirect")})])


def _direct_response(response: Mapping[str, Any]) -> str:
    body = [f"{kind} {_value(text)}" for kind, text in (response.get("body") or {}).items()]
    return f"answers {response.get('status')} itself{_in_brackets(body)}"


def _destination(route: Mapping[str, Any], rule: Object) -> str:
    """Name a destination, by its subset alone if it is of the rule's own host."""
    target = route.get("destination") or {}
    host, subset = str(target.get("host")), target.get("subset")
    hosts = {full_name(str(each), rule.namespace) for each in rule.spec.get("hosts") or []}
    own = hosts == {full_name(host, rule.namespace)}
    name = host if not subset else str(subset) if own else f"{subset} of {host}"
    port = (target.get("port") or {}).get("number")
    more = [*([f"port {port}"] if port else []), *header_changes(route)]
    return f"{name}{_in_brackets(more)}"


def actions(http: Mapping[str, Any], rule: Object) -> Iterator[str]:
    """Say what else happens to the request on its http."""
    if timeout := http.get("timeout"):
        yield f"timeout {timeout}"
    fault = http.get("fault") or {}
    for name in ("delay", "abort"):
        if what := fault.get(name):
            yield _fault(name, what)
    if (retries := http.get("retries")) is not None:
        yield _retries(retries)
    for mirror in mirrors_of(http):
        to = _destination({"destination": mirror.destination}, rule)
        yield f"mirror {mirror.percent:g} % to {to}"
    if policy := http.get("corsPolicy"):
        yield _cors(policy)
    yield from header_changes(http)
    told = ("match", "route", *OTHER_ACTIONS, *_MIRRORING)
    others = ("timeout", "fault", "retries", "corsPolicy", "headers", *_NAMES_ONLY)
    yield from _settings(http, (*told, *others))


def _retries(retries: Mapping[str, Any]) -> str:
    if not retries.get("attempts"):
        return said("no retries")
    on = f" on {retries['retryOn']}" if retries.get("retryOn") else ""
    return f"retries {retries['attempts']}{on}{_bracketed(retries, ('attempts', 'retryOn'))}"


def _cors(policy: Mapping[str, Any]) -> str:
    """Say for pages of which origins a sidecar answers their browsers."""
    known = [compared("", origin).strip().removeprefix("= ") for origin in cors.origins(policy)]
    origins = " or ".join(known) or "no origin"
    return f"CORS for {origins}{_bracketed(policy, ('allowOrigins', 'allowOrigin'))}"


def _bracketed(part: Mapping[str, Any], told: tuple[str, ...]) -> str:
    return _in_brackets(list(_settings(part, told)))


def _in_brackets(words: Sequence[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _fault(name: str, what: Mapping[str, Any]) -> str:
    """Name a fault with its share of the requests: without any it befalls nobody, as in Istio."""
    percentage = what.get("percentage")
    share = (percentage or {}).get("value") if percentage is not None else what.get("percent")
    values = [str(v) for field, v in what.items() if field not in ("percentage", "percent")]
    return " ".join([name, f"{share or 0:g} %", *values])


def header_changes(part: Mapping[str, Any]) -> Iterator[str]:
    """Say which headers a rule or one of its destinations changes."""
    for side in ("request", "response"):
        changes = ((part.get("headers") or {}).get(side)) or {}
        for field, verb in _HEADERS.items():
            found = changes.get(field) or {}
            named = [f"{n} = {_value(found[n])}" if isinstance(found, dict) else n for n in found]
            if named:
                yield f"{verb} {side} header{'s' if len(named) > 1 else ''} {', '.join(named)}"


def _labels(labels: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())
