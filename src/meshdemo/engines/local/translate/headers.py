"""What a rule does to headers, as Envoy's header operations.

Source: ``TranslateHeadersOperations`` in istiod's core/route/route.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.engines.local.translate.resources import Json

SET, ADD = "OVERWRITE_IF_EXISTS_OR_ADD", "APPEND_IF_EXISTS_OR_ADD"
FIELDS = (
    "request_headers_to_add",
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
)


def operations(headers: Json | None) -> Json:
    """Translate the headers of a rule or of a destination; what is empty is left out."""
    headers = headers or {}
    found: Json = {}
    for side in ("request", "response"):
        wanted = headers.get(side) or {}
        found[f"{side}_headers_to_add"] = [
            *_options(wanted.get("set") or {}, SET),
            *_options(wanted.get("add") or {}, ADD),
        ]
        found[f"{side}_headers_to_remove"] = _changeable(wanted.get("remove") or ())
    return {name: value for name, value in found.items() if value}


def joined(first: Json, second: Json) -> Json:
    """Put the operations of ``second`` after those of ``first``."""
    both = {name: [*first.get(name, ()), *second.get(name, ())] for name in FIELDS}
    return {name: value for name, value in both.items() if value}


def authority(headers: Json | None) -> str:
    """Give the host that a rule sets as if it were a header, set before add; empty if none."""
    wanted = (headers or {}).get("request") or {}
    for action in ("set", "add"):
        for name, value in (wanted.get(action) or {}).items():
            if name.lower() in ("host", ":authority") and value:
                return str(value)
    return ""


def _options(values: Mapping[str, str], action: str) -> list[Json]:
    return [
        {"header": {"key": name, "value": values[name]}, "append_action": action}
        for name in sorted(_changeable(values))
    ]


def _changeable(names: Iterable[str]) -> list[str]:
    """Leave out what Envoy lets nobody change so."""
    return [name for name in names if not name.startswith(":") and name.lower() != "host"]
