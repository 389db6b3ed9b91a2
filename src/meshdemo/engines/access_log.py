"""What a sidecar says of one request: a line of its access log, as Istio writes it, read.

Source: ``EnvoyTextLogFormat`` in istiod's pilot/pkg/model/telemetry_logging.go, and Envoy's
documentation of its access log (response flags).
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "-"
INBOUND = "inbound|"
"""How the cluster begins by which a sidecar passes a request to its own pod."""
UNREADABLE = "DPE"
FLAGS = {
    "DC": "the client closed the connection",
    "DF": "the name could not be resolved",
    "DI": "it was delayed by a fault",
    UNREADABLE: "the client's HTTP could not be read",
    "DT": "it took longer than a request or connection may",
    "FI": "it was aborted by a fault",
    "IH": "a header of it has a value that is not allowed",
    "LH": "the health check failed",
    "LR": "the sidecar reset it",
    "NC": "there is no such cluster: the subset or the service is missing",
    "NFCF": "a filter's configuration is missing",
    "NR": "there is no route for it",
    "OM": "the overload manager ended it",
    "RL": "it was limited by rate",
    "RLSE": "the rate limit service failed",
    "SI": "its stream was idle for too long",
    "UAEX": "it was denied by authorization",
    "UC": "the pod closed the connection",
    "UF": "no connection to the pod could be made",
    "UH": "there is no healthy pod",
    "UMSDR": "it reached the longest time of a stream",
    "UO": "the connection pool is full",
    "UPE": "the pod's HTTP could not be read",
    "UR": "the pod reset it",
    "URX": "all retries are used up",
    "UT": "the pod did not answer in time",
}
"""Envoy's response flags in words."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?=Z)")
_LINE = re.compile(
    r'\[(?P<start_time>[^\]]+)\] "(?P<method>\S+) (?P<path>.*?) (?P<protocol>\S+)" '
    r"(?P<response_code>\d+) (?P<response_flags>\S+) (?P<response_code_details>\S+) \S+ "
    r'"(?P<upstream_transport_failure_reason>.*?)" (?P<bytes_received>\S+) (?P<bytes_sent>\S+) '
    r'(?P<duration>\S+) (?P<upstream_service_time>\S+) "(?P<x_forwarded_for>.*?)" '
    r'"(?P<user_agent>.*?)" "(?P<request_id>[^"]*)" "(?P<authority>[^"]*)" '
    r'"(?P<upstream_host>[^"]*)" (?P<upstream_cluster>\S+) \S+ \S+ \S+ \S+ (?P<route_name>.*)'
)


class Account(Struct, frozen=True):
    """What a sidecar did with one request; empty is what it did not say."""

    status: int = 0
    flags: tuple[str, ...] = ()
    details: str = ""
    """Envoy's response code details, as ``via_upstream``."""
    failure: str = ""
    """Why no connection to the pod was made."""
    cluster: str = ""
    endpoint: str = ""
    """The address and port that it was sent to last."""
    route: str = ""
    """The name of the route that took it: that of the http rule, where it has one."""
    duration: float | None = None
    """Seconds from its first byte to the last of its answer."""
    service_time: float | None = None
    """Seconds until the pod's answer began, as Envoy rounds them."""
    path: str = ""
    """As the client sent it."""
    host: str = ""
    """As the pod gets it."""
    request_id: str = ""
    retries: int | None = None
    """How often it was tried again; None where it does not say."""
    copies: tuple[str, ...] | None = None
    """The clusters that copies of it went to; None where it does not say."""

    @property
    def is_unread(self) -> bool:
        """Tell whether the request could not be read, so that it came to no rule."""
        return UNREADABLE in self.flags and not self.request_id


def read(line: str) -> Account | None:
    """Read a line, as text or as JSON; None if it is none of an access log."""
    if line.startswith("{"):
        with suppress(ValueError):
            found = json.loads(line)
            return _account(found) if "response_code" in found else None
        return None
    match = _LINE.match(line)
    return _account(match.groupdict()) if match else None


def began(line: str) -> float:
    """Tell when the request of a line began, in seconds since the epoch; 0 if it does not say."""
    found = _STAMP.search(line)
    return datetime.fromisoformat(f"{found[0]}+00:00").timestamp() if found else 0.0


def _account(said: Mapping[str, Any]) -> Account:
    def text(name: str) -> str:
        value = str(said.get(name) if said.get(name) is not None else "")
        return "" if value == NOTHING else value

    return Account(
        status=int(said["response_code"]),
        flags=tuple(flag for flag in text("response_flags").split(",") if flag),
        details=text("response_code_details"),
        failure=text("upstream_transport_failure_reason"),
        cluster=text("upstream_cluster"),
        endpoint=text("upstream_host"),
        route=text("route_name"),
        duration=_seconds(text("duration")),
        service_time=_seconds(text("upstream_service_time")),
        path=text("path"),
        host=text("authority"),
        request_id=text("request_id"),
    )


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else None
