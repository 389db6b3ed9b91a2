"""The requests that are sent to both states: derived from the matches of both.

Each match gives requests that fulfil it. All paths of a host are also asked with the headers,
methods and clients of every other match of it, so that rules that move past one another are seen.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct

from meshdemo.rules import hosts
from meshdemo.rules.delegates import Delegates
from meshdemo.rules.hosts import HTTP_PORT, MESH
from meshdemo.suite.changes import samples
from meshdemo.suite.model import Source
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.objects.model import Object

Json = dict[str, Any]

MOST_OF_HOST = 400
"""Requests of one host; each takes about two milliseconds in each state."""
SAFE = "/:@!$&'()*+,;=-._~%"
WILD = "any"
"""The first label of a host that a wildcard stands for."""


class Probe(Struct, frozen=True):
    """One request, and where it comes from."""

    request: Request
    source: Source
    host: str
    """As the rules write it."""
    path: str
    """With its query."""

    @property
    def label(self) -> str:
        """Tell it from others to the same host."""
        words = [self.request.method] if self.request.method != "GET" else []
        words.append(self.path)
        words += [f"with {name}: {value}" for name, value in self.request.headers]
        if self.source.gateway:
            words.append(f"through {self.source.gateway}")
        elif self.source.labels or self.source.namespace:
            words.append(f"from {self.source}")
        return " ".join(words)


class _Context(Struct, frozen=True):
    """What a match asks for beside the path."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    authority: str = ""
    port: int = HTTP_PORT
    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    scheme: str = "http"


class Probes(Struct, frozen=True):
    """All requests, and the hosts of which not every combination is among them."""

    every: tuple[Probe, ...]
    cut: tuple[str, ...] = ()


def derived(states: Iterable[Sequence[Object]], namespace: str) -> Probes:
    """Derive the requests from the rules of all states; each request comes once."""
    by_host: dict[str, dict[str, Any]] = {}
    for objects in states:
        _collect(objects, namespace, by_host)
    found: dict[Probe, None] = {}
    cut = []
    for host, known in by_host.items():
        own = dict.fromkeys(_probes(host, known, namespace))
        if len(own) > MOST_OF_HOST:
            cut.append(host)
        found |= dict.fromkeys(islice(own, MOST_OF_HOST))
    return Probes(tuple(found), tuple(cut))


def _collect(objects: Sequence[Object], namespace: str, by_host: dict[str, dict[str, Any]]) -> None:
    delegates = Delegates.among(objects)
    for item in objects:
        if item.kind == "DestinationRule":
            _of(by_host, item, str(item.spec.get("host", "")), namespace, {MESH: None})
        if item.kind != "VirtualService":
            continue
        for host in item.spec.get("hosts") or ():
            gateways = dict.fromkeys(
                name if name == MESH or "/" in name else f"{item.namespace}/{name}"
                for name in item.spec.get("gateways") or (MESH,)
            )
            known = _of(by_host, item, str(host), namespace, gateways)
            for http in delegates.whole(item).spec.get("http") or ():
                for match in http.get("match") or [{}]:
                    known["matches"].append(match or {})


def _of(
    by_host: dict[str, dict[str, Any]],
    item: Object,
    host: str,
    namespace: str,
    gateways: Mapping[str, None],
) -> dict[str, Any]:
    called = _called(hosts.full_name(host, item.namespace), namespace)
    known = by_host.setdefault(called, {"matches": [], "from": {}})
    known["from"] |= gateways
    return known


def _called(host: str, namespace: str) -> str:
    """Write a host as a client of the namespace calls it; for a wildcard, one that it covers."""
    if hosts.is_wildcard(host):
        return f"{WILD}.{host[1:].lstrip('.')}" if len(host) > 1 else f"{WILD}.example.com"
    if space := hosts.namespace_of(host):
        name = host.partition(".")[0]
        return name if space == namespace else f"{name}.{space}"
    return host


def _probes(host: str, known: Mapping[str, Any], namespace: str) -> Iterator[Probe]:
    """Give the requests to a host: first those of each match, then all combinations."""
    matches: list[Json] = known["matches"] or [{}]
    every_path: dict[str, None] = {}
    contexts: dict[_Context, None] = {_Context(): None}
    own: list[tuple[str, _Context]] = []
    for match in matches:
        found = [*samples.paths(match.get("uri"))]
        if match.get("ignoreUriCase"):
            found += [path.upper() for path in found]
        for context in _contexts(match):
            contexts[context] = None
            own += [(path, context) for path in found]
        every_path |= dict.fromkeys(found)
    every_path |= dict.fromkeys(["/", f"/{samples.ANY}"])
    pairs = [*((path, _Context()) for path in every_path), *own, *product(every_path, contexts)]
    for (path, context), gateway in product(dict.fromkeys(pairs), known["from"]):
        yield _probe(host, path, context, gateway, namespace)


def _contexts(match: Json) -> Iterator[_Context]:
    """Give what fulfils a match; and once for each header that must not be there, what does not."""
    headers = {name: _first(wanted) for name, wanted in (match.get("headers") or {}).items()}
    query = {name: _first(wanted) for name, wanted in (match.get("queryParams") or {}).items()}
    labels = match.get("sourceLabels") or {}
    scheme = _first(match["scheme"]) if match.get("scheme") else "http"
    made = _Context(
        method=(_first(match["method"]) if match.get("method") else "GET").upper(),
        headers=tuple(sorted((k, v) for k, v in headers.items() if not k.startswith((":", "@")))),
        query="&".join(f"{quote(str(k))}={quote(str(v), SAFE)}" for k, v in query.items()),
        authority=_first(match["authority"]) if match.get("authority") else "",
        port=match.get("port") or HTTP_PORT,
        labels=tuple(sorted((str(k), str(v)) for k, v in labels.items())),
        namespace=match.get("sourceNamespace") or "",
        scheme=scheme if scheme in ("http", "https") else "http",
    )
    yield made
    for name, refused in (match.get("withoutHeaders") or {}).items():
        yield _with_header(made, name, _first(refused))


def _with_header(context: _Context, name: str, value: str) -> _Context:
    from msgspec.structs import replace  # noqa: PLC0415 - for this alone

    return replace(context, headers=tuple(sorted({**dict(context.headers), name: value}.items())))


def _first(condition: Mapping[str, Any] | None) -> str:
    return next(iter(samples.texts(condition)), samples.ANY)


def _probe(host: str, path: str, context: _Context, gateway: str, namespace: str) -> Probe:
    target = quote(path, SAFE) + (f"?{context.query}" if context.query else "")
    called = context.authority or host
    if context.port != HTTP_PORT and ":" not in called:
        called = f"{called}:{context.port}"
    request = Request(
        f"{context.scheme if gateway != MESH else 'http'}://{called}{target}",
        context.method,
        context.headers,
        wants_headers=True,
    )
    if gateway != MESH:
        return Probe(request, Source(gateway=gateway), host, target)
    space = context.namespace if context.namespace != namespace else ""
    return Probe(request, Source(space, context.labels), host, target)
