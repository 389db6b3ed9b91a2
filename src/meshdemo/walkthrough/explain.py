"""explain: one request, followed through the rules, and really sent.

What the rules say and what happened are told side by side; where they differ is found here.
"""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.access_log import UNREADABLE
from meshdemo.rules import patience, rewrites
from meshdemo.verdict.traffic import TIMED_OUT
from meshdemo.walkthrough import pod_selection, written
from meshdemo.walkthrough.events import Waiting
from meshdemo.walkthrough.request_context import REQUEST_ID, RequestContext, with_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.protocol import Engine
    from meshdemo.engines.results import Observed, Pod, Where
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.rules.request_trace import Destination, Trace
    from meshdemo.verdict.traffic import Request
    from meshdemo.walkthrough.events import Story

ATTEMPTS = "x-envoy-attempt-count"
"""The header in which a sidecar tells a pod which attempt it is."""
NO_ROUTE = "NR"
NO_HEALTHY = "UH"
NOT_SENT = frozenset({UNREADABLE, "FI", "NC", NO_ROUTE})
"""The flags of answers that a sidecar gives without a pod having the request."""
LAST_NOT_SENT = frozenset({"UF", NO_HEALTHY, "UO"})
"""The same of answers where it did not come to a pod at last."""
VIA_UPSTREAM = "via_upstream"
"""The details of an answer that came from where the request was sent."""


class Arrived(Struct, frozen=True):
    """What an app says of the request that it got."""

    pod: str
    version: str
    method: str
    path: str
    host: str
    headers: Mapping[str, str]


class Explained(Struct, frozen=True):
    """One request: what the rules say of it, and what happened."""

    where: Where
    sender: Pod
    request: Request
    trace: Trace
    pods: tuple[Pod, ...]
    unaccounted: tuple[str, ...]
    """What touches the request beside the rules."""
    unseen: str
    """Why not all rules are known; empty if they are."""
    observed: Observed
    arrived: Arrived | None
    """None where the answer is not of an app that says so."""
    ejected: tuple[str, ...] = ()
    """The pods, or their addresses, that outlier detection left out where no pod was healthy."""

    @property
    def request_id(self) -> str:
        return self.request.header(REQUEST_ID) or ""

    def behind(self, destination: Destination) -> list[Pod]:
        """Give the pods that may take a request for a destination."""
        return destination.behind(self.pods)

    @property
    def answered_by(self) -> str:
        """Name the pod that answered; empty where that cannot be told."""
        if self.arrived and self.arrived.pod:
            return self.arrived.pod
        account = self.observed.account
        if account is None or self.by_sidecar:
            return ""
        sent_to = [
            each for each in self.trace.destinations if each.target.cluster == account.cluster
        ]
        behind = {pod.name for each in sent_to for pod in self.behind(each)}
        if not account.endpoint:  # a sidecar without an access log does not name it
            return next(iter(behind)) if len(behind) == 1 and account.details else ""
        came_to = [each.pod for each in self.observed.arrivals or ()]
        # Copies come to pods as well: the answer is of one that the request itself was sent to.
        known = [pod for pod in came_to if pod in behind] or came_to
        return known[-1] if known else self.pod_at(account.endpoint)

    @property
    def by_sidecar(self) -> bool:
        """Tell whether the client's sidecar gave the answer itself."""
        account = self.observed.account
        return account is not None and account.details not in ("", VIA_UPSTREAM)

    @property
    def came_to_no_pod(self) -> bool:
        """Tell whether it is known that no pod had it."""
        account, arrivals = self.observed.account, self.observed.arrivals
        if account is None or not self.by_sidecar or arrivals or account.retries:
            return False
        if NOT_SENT.intersection(account.flags):
            return True
        if LAST_NOT_SENT.intersection(account.flags):  # an attempt before may have come to one
            behind = [pod for each in self.trace.destinations for pod in self.behind(each)]
            seen = arrivals is not None and all(pod.injected for pod in behind)
            return account.retries == 0 or seen
        # Of what it has sent, a line of the access log says where to.
        return account.duration is not None and not account.endpoint

    def pod_at(self, endpoint: str) -> str:
        """Name the pod with an address, with or without a port."""
        address = endpoint.rpartition(":")[0] or endpoint
        for pod in self.pods:
            # A pod of the local engine has an address for each port: 8080 at 127.0.0.1:30126.
            known = {each.rpartition(" at ")[2] for each in pod.addresses}
            if endpoint in known or address.strip("[]") in known:
                return pod.name
        return ""

    @property
    def attempts(self) -> int | None:
        """How often it was sent to a pod, this one or others before; None if that is not known."""
        arrivals, account = self.observed.arrivals, self.observed.account
        counted = self.arrived.headers.get(ATTEMPTS, "") if self.arrived else ""
        if counted.isdecimal():
            return int(counted)
        if account and account.retries is not None:
            return account.retries + 1
        if arrivals is None or account is None or self.trace.mirrors:
            return None
        return len(arrivals)

    @property
    def given_up(self) -> bool:
        """Tell whether we waited no longer for an answer, which says nothing of the rules."""
        return self.observed.reply.error == TIMED_OUT

    @property
    def agrees(self) -> bool | None:
        """Tell whether what happened is what the rules say; None where that is not known."""
        if self.differences:
            return False
        return None if self.given_up or self.incomparable else True

    @property
    def differences(self) -> tuple[str, ...]:
        """Say where what happened is not what the rules say."""
        return tuple(_differences(self))

    @property
    def incomparable(self) -> str:
        """Say why what happened cannot be compared with the rules; empty if it can."""
        account, status = self.observed.account, self.observed.reply.status
        if account and account.is_unread:
            return f"it came to no rule: its sidecar could not read it, and answered {status}"
        if self._came_to_no_rule:
            return f"it came to no rule: {status} was answered, and its sidecar saw no HTTP request"
        if self.trace.undecided and not self.trace.destinations:
            return f"not followed to its end: {self.trace.undecided}"
        return ""

    @property
    def _came_to_no_rule(self) -> bool:
        """Tell whether an answer came though the client's sidecar saw no HTTP request."""
        dialled = self.trace.dialled
        sees_http = self.sender.injected and not (dialled and dialled.chooses_by_connection)
        return sees_http and self.observed.unseen and bool(self.observed.reply.status)

    def expected_path(self) -> str | None:
        """Give the path with its query that an app sees, by the rules; None if that is unknown."""
        parts = urlsplit(self.request.url)
        step = self.trace.chosen
        path: str | None = parts.path or "/"
        if step:
            path = rewrites.path(step.tried.http, step.tried.match, parts.path or "/")
        return path if path is None or not parts.query else f"{path}?{parts.query}"


def explain(
    engine: Engine, request: Request, sources: Sequence[str], timeout: float
) -> Story[Explained]:
    """Follow a request through the rules, then send it once. Nothing is started or changed.

    Raises InputError for a request that cannot be sent, and where ``sources`` cannot be read.
    """
    client = pod_selection.require_client(engine)
    request = with_id(replace(request, headers=with_own(request.headers), wants_headers=True))
    context = RequestContext.of(engine, request, client)
    if not client.injected:
        yield pod_selection.missing_sidecar(client)
    objects = written.located(context.objects, engine.files(), sources, engine.where.namespace)
    context = replace(context, objects=objects)
    trace, unaccounted = context.traced(), context.unaccounted()
    limit = max(context.request.time_limit, patience.time_limit(trace))
    limit = patience.within(limit, timeout)
    context = replace(context, request=replace(context.request, time_limit=limit))
    yield Waiting("for the answer, and for what sidecars say of it")
    observed = engine.observe(context.request, timeout)
    found = Explained(
        where=engine.where,
        sender=client,
        request=context.request,
        trace=trace,
        pods=context.pods,
        unaccounted=unaccounted,
        unseen=context.unseen,
        observed=observed,
        arrived=_arrived(observed.reply.body),
    )
    if observed.account and NO_HEALTHY in observed.account.flags:
        return replace(found, ejected=tuple(_ejected(found, engine.ejected())))
    return found


def _ejected(found: Explained, endpoints: Iterable[Ejected]) -> Iterator[str]:
    """Name the pods among endpoints that are left out of where the request should go."""
    clusters = {each.target.cluster for each in found.trace.destinations}
    for each in endpoints:
        if each.cluster in clusters:
            yield found.pod_at(each.address) or each.address


def with_own(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Add the header that a sender would add, so that rules can be tried on it."""
    given = {name.lower() for name, _ in headers}
    return headers if "user-agent" in given else (*headers, ("user-agent", "meshdemo"))


def _arrived(body: str) -> Arrived | None:
    """Read what our echo app, or another one like it, says of the request."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("headers"), dict):
        return None

    def text(*names: str) -> str:
        return next((str(said[name]) for name in names if isinstance(said.get(name), str)), "")

    headers = {str(name): str(value) for name, value in said["headers"].items()}
    host = text("host") or headers.get("host", "")
    return Arrived(
        text("pod", "hostname"), text("version"), text("method"), text("path", "url"), host, headers
    )


def _differences(found: Explained) -> Iterator[str]:
    trace, account = found.trace, found.observed.account
    if found.incomparable:
        return
    if found.observed.reply.error and not found.given_up:
        yield f"no answer came: {found.observed.reply.error}"
    if account and found.sender.injected:
        yield from _by_sidecar(trace, account)
    yield from _by_answer(found, trace)
    if found.arrived:
        yield from _at_app(found, found.arrived)


def _by_sidecar(trace: Trace, account: Account) -> Iterator[str]:
    """Compare with the route and the cluster that the client's sidecar took."""
    if NO_ROUTE in account.flags:
        if trace.chosen or trace.destinations:
            yield "the sidecar has no route for it, and by the rules there is one"
        return
    if trace.steps and trace.chosen is None:
        yield f"by the rules nothing takes it, and the sidecar sent it to {account.cluster or '-'}"
        return
    known = {each.target.cluster for each in trace.destinations}
    passes = any(each.target.passes_through for each in trace.destinations)
    if account.cluster and known and not passes and account.cluster not in known:
        wanted = " or ".join(sorted(known))
        yield f"the sidecar sent it to {account.cluster}, and by the rules it goes to {wanted}"
    name = _route_name(trace)
    if name and account.route and account.route != name:
        yield f"the sidecar took the route {account.route}, and by the rules it is {name}"


def _route_name(trace: Trace) -> str:
    """Give what istiod calls the route of the rule that takes it; empty where it has no name."""
    if trace.chosen is None:
        return ""
    tried = trace.chosen.tried
    own, inner = tried.http.get("name") or "", (tried.match or {}).get("name")
    return f"{own}.{inner}" if inner else str(own)


def _by_answer(found: Explained, trace: Trace) -> Iterator[str]:
    """Compare with who answered, and with which status."""
    reply = found.observed.reply
    certain = [each for each in trace.own_answers if each.share == Fraction(1)]
    if certain and reply.status and reply.status != certain[0].status:
        yield f"the answer is {reply.status}, and by the rules it is {certain[0].status}"
    location = reply.header("location")
    if trace.location and location and location != trace.location:
        yield f"it is redirected to {location}, and by the rules to {trace.location}"
    pod = found.answered_by
    if certain or not pod or not trace.destinations:
        return
    if any(each.target.passes_through for each in trace.destinations):
        return
    behind = {each.name for destination in trace.destinations for each in found.behind(destination)}
    entries = any(each.service and each.service.endpoints for each in trace.destinations)
    if pod not in behind and not entries:
        wanted = f"goes to {', '.join(sorted(behind))}" if behind else "reaches no pod"
        yield f"{pod} answered, and by the rules it {wanted}"


def _at_app(found: Explained, arrived: Arrived) -> Iterator[str]:
    """Compare with the path that the app saw."""
    wanted = found.expected_path()
    if arrived.path and wanted is not None and arrived.path not in (wanted, _plain(wanted)):
        yield f"the app saw the path {arrived.path}, and by the rules it is {wanted}"


def _plain(path: str) -> str:
    return path.partition("?")[0]
