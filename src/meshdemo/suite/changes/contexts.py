"""What a request has beside its path: its method and headers, its port, and who sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.rules import visibility
from meshdemo.rules.hosts import HTTP_PORT
from meshdemo.suite.changes import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.objects.model import Object

Json = dict[str, Any]

SAFE = "/:@!$&'()*+,;=-._~%"
ELSEWHERE = "elsewhere"
"""A namespace that no rule names."""


class Context(Struct, frozen=True):
    """What a match may ask for beside the path."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    authority: str = ""
    port: int = HTTP_PORT
    labels: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    scheme: str = "http"


def of_match(match: Json, *, every: bool = False) -> Iterator[Context]:
    """Give what fulfils a match; and once for each header that must not be there, what does not.

    With ``every``, each text of each of its conditions, beside the first of the others.
    """
    choices = _choices(match)
    first = {name: found[0] for name, found in choices.items()}
    made = _made(match, first)
    yield made
    for name, found in choices.items() if every else ():
        for text in found[1:]:
            yield _made(match, {**first, name: text})
    for name, refused in (match.get("withoutHeaders") or {}).items():
        for text in _texts(refused)[: None if every else 1]:
            yield replace(made, headers=_sorted({**dict(made.headers), name: text}))


def _choices(match: Json) -> dict[tuple[str, str], list[str]]:
    """Give the texts that fulfil each condition of a match, by the field and name of it."""
    found = {
        (field, ""): _texts(match[field])
        for field in ("method", "authority", "scheme")
        if match.get(field)
    }
    for field in ("headers", "queryParams"):
        for name, wanted in (match.get(field) or {}).items():
            found[field, str(name)] = _texts(wanted)
    return found


def _texts(condition: Mapping[str, Any] | None) -> list[str]:
    return samples.texts(condition) or [samples.ANY]


def _made(match: Json, chosen: Mapping[tuple[str, str], str]) -> Context:
    headers = {name: text for (field, name), text in chosen.items() if field == "headers"}
    query = {name: text for (field, name), text in chosen.items() if field == "queryParams"}
    scheme = chosen.get(("scheme", ""), "http")
    return Context(
        method=chosen.get(("method", ""), "GET").upper(),
        headers=_sorted({k: v for k, v in headers.items() if not k.startswith((":", "@"))}),
        query="&".join(f"{quote(name)}={quote(text, SAFE)}" for name, text in query.items()),
        authority=chosen.get(("authority", ""), ""),
        port=match.get("port") or HTTP_PORT,
        labels=_sorted(match.get("sourceLabels") or {}),
        namespace=match.get("sourceNamespace") or "",
        scheme=scheme if scheme in ("http", "https") else "http",
    )


def _sorted(pairs: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(name), str(value)) for name, value in pairs.items()))


def of_object(item: Object) -> Iterator[Context]:
    """Give the clients and ports for which an object may mean something else than for others."""
    exported = [str(name) for name in item.spec.get("exportTo") or ()]
    special = (visibility.EVERYWHERE, visibility.HERE, visibility.NOWHERE)
    for name in (*exported, ELSEWHERE) if exported else ():
        if name not in special:
            yield Context(namespace=name)
    if selector := item.spec.get("workloadSelector"):
        labels = selector.get("matchLabels" if item.kind == "DestinationRule" else "labels") or {}
        yield Context(namespace=item.namespace, labels=_sorted(labels))
    elif item.kind == "Sidecar":
        yield Context(namespace=item.namespace)
    for port in item.spec.get("ports") or ():
        if number := port.get("number") or port.get("port"):
            yield Context(port=number)
