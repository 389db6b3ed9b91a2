"""What a sidecar's log says of one request while it says much: its http and router at debug.

It is what is left where Istio writes no access log. Source: the messages of Envoy's
conn_manager_impl.cc, filter_manager.cc and router.cc; each may be missing in some release, and then
nothing is said of it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from meshdemo.engines.access_log import INBOUND, Account

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BEGINS = re.compile(r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
"""How an entry begins, in Istio's form and in Envoy's own; others go on with the one before."""
STREAM = re.compile(r'"StreamId":"(\d+)"|\[C\d+\]\[S(\d+)\]')
CLUSTER = re.compile(r"(?<!unknown )cluster '([^']+)' match for URL")
NO_CLUSTER = re.compile(r"unknown cluster '([^']+)'")
NO_ROUTE = re.compile(r"no (?:route|cluster) match for URL")
UUID_LENGTH, TRACE_REASON = 36, 14
"""Where a sidecar that traces writes into an id of a request whether this one is traced."""
DETAILS = re.compile(r"(?:Preparing|Sending) local reply with details (\S+)")
RESET = re.compile(
    r"upstream reset: reset reason: ([^,\n\t]+(?:, transport failure reason: [^\n\t]+)?)"
)
STATUS = re.compile(r"encoding headers via codec.*?':status', '(\d+)'", re.DOTALL)
RETRY = "performing retry"
UPSTREAM = "upstream headers complete"

FLAGS_OF = {
    "route_not_found": "NR",
    "cluster_not_found": "NC",
    "no_healthy_upstream": "UH",
    "fault_filter_abort": "FI",
    "upstream_response_timeout": "UT",
    "response_timeout": "UT",
    "upstream_reset_before_response_started{overflow": "UO",
    "upstream_reset_before_response_started{connection_failure": "UF",
    "upstream_reset_before_response_started{remote_connection_failure": "UF",
    "upstream_reset_before_response_started{connection_termination": "UC",
    "upstream_reset_before_response_started{remote_reset": "UR",
}
"""The response flag that goes with the details of an answer that is the sidecar's own."""


def between(lines: Sequence[str], mark: str) -> Sequence[str]:
    """Give what was written from ``begin mark`` to ``end mark``; nothing until both are there.

    They are a header of two calls of Envoy's admin, whose own requests it logs as well.
    """
    begins, ends = (
        next((place for place, line in enumerate(lines) if f"{word} {mark}" in line), None)
        for word in ("begin", "end")
    )
    return () if begins is None or ends is None else lines[begins : ends + 1]


def as_logged(request_id: str) -> re.Pattern[str]:
    """Give how a sidecar writes an x-request-id: it changes a digit of a UUID where it traces.

    Source: Envoy's uuid_request_id extension, pack_trace_reason.
    """
    if len(request_id) != UUID_LENGTH:
        return re.compile(re.escape(request_id))
    before, after = request_id[:TRACE_REASON], request_id[TRACE_REASON + 1 :]
    return re.compile(f"{re.escape(before)}.{re.escape(after)}")


def read(lines: Iterable[str], request_id: str) -> Account | None:
    """Read what a log says of the request with an x-request-id; None if it says nothing."""
    entries, named = _entries(lines), re.compile(f"'{as_logged(request_id).pattern}'")
    first = next((each for each in entries if named.search(each) and _stream(each)), None)
    if first is None:
        return None
    stream = _stream(first)
    text = "\n".join(entry for entry in entries if _stream(entry) == stream)
    details = _found(DETAILS, text)
    flag = next((flag for begin, flag in FLAGS_OF.items() if details.startswith(begin)), "")
    if not flag and not details and NO_ROUTE.search(text):
        flag = "NR"
    return Account(
        status=int(_found(STATUS, text) or 0),
        flags=(flag,) if flag else (),
        details=details or ("via_upstream" if UPSTREAM in text else ""),
        failure=_found(RESET, text),
        cluster=_found(CLUSTER, text) or _found(NO_CLUSTER, text),
        request_id=request_id,
        retries=text.count(RETRY),
        copies=tuple(_copies(entries, named, stream)),
    )


def _copies(entries: list[str], named: re.Pattern[str], own: str) -> Iterator[str]:
    """Give the clusters of the streams in which the sidecar itself sends the request once more."""
    naming = (_stream(entry) for entry in entries if named.search(entry))
    for stream in dict.fromkeys(each for each in naming if each and each != own):
        text = "\n".join(entry for entry in entries if _stream(entry) == stream)
        cluster = _found(CLUSTER, text)
        if cluster and not cluster.startswith(INBOUND):
            yield cluster


def _entries(lines: Iterable[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line.startswith("{"):
            found.append(_message(line))
        elif BEGINS.match(line) or not found:
            found.append(line.rstrip("\n"))
        else:
            found[-1] += "\n" + line.rstrip("\n")
    return found


def _message(line: str) -> str:
    """Read an entry where Istio is told to write its logs as JSON."""
    try:
        return str(json.loads(line).get("msg", ""))
    except ValueError:
        return line


def _stream(entry: str) -> str:
    match = STREAM.search(entry)
    return (match[1] or match[2]) if match else ""


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1].rstrip() if match else ""
