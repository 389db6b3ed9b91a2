"""A private mesh: rules in force on real Envoys, with stand-ins for all pods, for this command.

    with PrivateMesh(objects) as mesh:
        answer = mesh.ask(Request("http://shop/"))

It is on no disk and on nobody's ports, and is gone when the command is, whatever ends it.
"""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.local import fields, plan, requests
from meshdemo.engines.local.admission import admit, judge
from meshdemo.engines.local.envoy import binary
from meshdemo.engines.local.fields import gateway
from meshdemo.engines.local.model import LOOPBACK
from meshdemo.engines.local.private import pods as private_pods
from meshdemo.engines.local.private import proxies, stand_ins
from meshdemo.engines.local.private.envoys import LoneEnvoy
from meshdemo.engines.local.private.stand_ins import Arrived, Behaviour, StandIns
from meshdemo.engines.local.store import now
from meshdemo.errors import InputError, in_order
from meshdemo.objects.kinds import NETWORKING_GROUP
from meshdemo.rules import gateways, hosts
from meshdemo.rules.client_view import Client, ClientView, MeshRules
from meshdemo.rules.hosts import MESH
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.sending import sending_of
from meshdemo.rules.written_rules import WrittenRules
from meshdemo.suite.made_up import World
from meshdemo.suite.model import DEFAULT_NAMESPACE, Source
from meshdemo.verdict.traffic import TIME_LIMIT, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from threading import Event
    from typing import Any

    from typing_extensions import Self

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.local.admission import Admission
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination
    from meshdemo.suite.model import StandIn
    from meshdemo.verdict.traffic import Request

KINDS = frozenset({"Service", "ServiceEntry", "Sidecar", "VirtualService", "DestinationRule"})
"""What routes requests, beside workloads and Gateways."""
BESIDE = frozenset(
    {gateways.KIND, "Namespace", "ServiceAccount", "ConfigMap", "Secret", "Kustomization"}
)
"""What does not, and nobody wonders about."""
NOBODY = Client("", {}, injected=True)
"""Who asks for no rules, but for what services there are."""
PAUSE = 0.002
"""Seconds between two looks for what is to come."""
CLIENT_LABELS = {"app": "testclient"}
GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Those of a gateway's pods where no Gateway says which it selects."""


class Answer(Struct, frozen=True):
    """What one request got."""

    request: Request
    """As it was sent, with its id."""
    reply: Reply
    seconds: float
    arrived: Arrived | None
    """As it came to the pod that answered; None where a proxy answered itself."""
    others: tuple[Arrived, ...] = ()
    """The same at other pods: copies and earlier attempts, as far as they came by then."""
    services: tuple[str, ...] = ()
    """The full names of the Services that the pod which answered is behind."""
    copied_to: tuple[str, ...] = ()
    """The same of the pods that got copies; looked for by whoever asks for them."""

    @property
    def version(self) -> str:
        """The version of the pod that answered; empty where none did, or it has none."""
        return self.arrived.version if self.arrived else ""


class Unanswerable(InputError):
    """A request that no single client is meant for."""


class PrivateMesh:
    """Objects in force. A context manager; entering it raises InputError for what is refused."""

    def __init__(
        self,
        objects: Iterable[Object],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        stand_ins: Mapping[str, tuple[StandIn, ...]] | None = None,
        ports: Iterable[int] = (),
        sources: Iterable[Source] = (),
    ) -> None:
        """Take the objects; Services and pods that are missing are made up.

        Raises InputError for objects in which a value is of a wrong type.
        ``ports`` are those that requests will call, ``sources`` are clients that will be needed:
        each costs an Envoy, and those that are named are started at once.
        """
        self.search = binary.Search()
        self.search.begin()
        every = list(objects)
        if wrong := unreadable(every):
            raise InputError("the rules are refused, and nothing was tested", wrong)
        self.gateways = [item for item in every if item.kind == gateways.KIND]
        self.left_out = sorted(
            {item.title for item in every if not _is_used(item) and item.kind not in BESIDE}
        )
        """Objects that have no part in it."""
        self.namespace = namespace
        self.has_tls = any(
            "tls" in str(each) for item in self.gateways for each in item.spec.get("servers") or ()
        )
        world = World(
            [item for item in every if _is_used(item)],
            sorted({*ports} - {0}),
            stand_ins or {},
            namespace,
        )
        world.complete()
        self.made_up: tuple[str, ...] = tuple(world.notes)
        """The Services and pods that the files had not."""
        self._behaviours = world.behaviours
        self._given = world.objects
        self._sources = list(sources)
        self._stack = ExitStack()
        self._envoys: dict[Source, LoneEnvoy] = {}
        self._lock = threading.RLock()
        self._by_id: dict[str, list[Arrived]] = {}
        self._indexed = 0
        self._views: dict[Source, ClientView] = {}
        self._rules: dict[str, MeshRules] = {}
        self._services_of: dict[tuple[str, str], tuple[str, ...]] = {}

    @cached_property
    def admission(self) -> Admission:
        """What Istio, and this engine, have against the objects."""
        return admit(self._given, ())

    @cached_property
    def objects(self) -> tuple[Object, ...]:
        """The objects in force, with what was made up; not Gateways."""
        moment = now()
        return tuple(
            item.with_data(
                {**item.data, "metadata": {"creationTimestamp": moment, **item.metadata}}
            )
            for item in self.admission.objects
        )

    @cached_property
    def written(self) -> WrittenRules:
        """The rules among the objects, and Gateways."""
        return WrittenRules((*self.objects, *self.gateways))

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """The versions that pods have."""
        known = {each.pod.labels.get("version") for each in plan.blueprints(self.objects)}
        return tuple(sorted(known - {None, ""}, key=str))  # type: ignore[arg-type]  # None is not in it

    def need(self, sources: Iterable[Source]) -> None:
        """Have these clients started with the mesh: an Envoy each."""
        self._sources += sources

    def __enter__(self) -> Self:
        if self.admission.problems:
            message = "the rules are refused, and nothing was tested"
            raise InputError(message, self.admission.problems)
        self.pods, sockets = private_pods.placed(self.objects)
        behaviours = {
            pod.name: Behaviour(found.status, found.delay, found.failing)
            for pod in self.pods
            if (found := self._behaviours.get(pod.workload))
        }
        with ExitStack() as stack:
            self._servers = stack.enter_context(StandIns(self.pods, sockets, behaviours))
            self._stack = stack.pop_all()
        try:
            begun = [self._begin(each) for each in dict.fromkeys(self._sources)]
            for envoy in begun:
                envoy.wait()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def source_of(self, request: Request, said: Source | None) -> Source:
        """Say where a request comes from. Raises Unanswerable where several gateways may be meant.

        Where nothing is said, it is the only gateway that all rules for its host are bound to, else
        a pod of the file's namespace.
        """
        if said and said.gateway:
            if said.gateway not in self._bound:
                known = ", ".join(sorted(self._bound)) or "none"
                message = f"nothing is bound to the gateway {said.gateway}"
                raise Unanswerable(message, hint=f"rules are bound to: {known}")
            return said
        if said:
            return replace(said, namespace=said.namespace or self.namespace)
        called = request.header("host") or urlsplit(request.url).hostname or ""
        name = called.partition(":")[0].lower()
        bound: set[str] = set()
        for host, names in self._by_host.items():
            if hosts.overlap(host, name) or hosts.overlap(
                host, hosts.dialled(name, self.namespace)
            ):
                bound |= names
        if not bound or MESH in bound:
            return Source(self.namespace)
        if len(bound) > 1:
            raise Unanswerable(
                f"rules for {name} are bound to {len(bound)} gateways",
                hint="say which: from: {gateway: " + " or ".join(sorted(bound)) + "}",
            )
        return Source(gateway=next(iter(bound)))

    def client(self, source: Source) -> Client:
        """Give the client that a source means."""
        if source.gateway:
            space = source.gateway.partition("/")[0]
            labels = GATEWAY_LABELS
            for item in self.gateways:
                if f"{item.namespace}/{item.name}" == source.gateway:
                    labels = item.spec.get("selector") or labels
            return Client(space, labels, injected=True, gateway=source.gateway)
        labels = dict(source.labels)
        space = source.namespace or self.namespace
        like = (
            pod.labels
            for pod in self.pods
            if pod.namespace == space and labels and hosts.within(labels, pod.labels)
        )
        return Client(space, next(like, labels or CLIENT_LABELS), injected=True)

    def rules_for(self, client: Client) -> MeshRules:
        """Give the rules that hold for a client."""
        if client.gateway not in self._rules:
            objects = [*self.objects, *self.gateways]
            self._rules[client.gateway] = MeshRules.of(objects, gateway=client.gateway)
        return self._rules[client.gateway]

    def path_of(self, request: Request, source: Source) -> RequestPath:
        """Follow a request through the rules."""
        if source not in self._views:
            client = self.client(source)
            self._views[source] = ClientView(self.rules_for(client), client)
        return RequestPath(self._views[source], self.answering, request)

    @cached_property
    def answering(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods."""
        return [(pod.namespace, pod.labels) for pod in self.pods if pod.is_endpoint]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts that VirtualServices are for, as they are written."""
        return written_hosts(self._given)

    @property
    def has_behaviours(self) -> bool:
        """Tell whether pods of one destination may answer with another status, or late."""
        return bool(self._behaviours)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The full names of all Services, and the hosts of ServiceEntries."""
        return tuple(service.host for service in self.rules_for(NOBODY).services)

    def services_of(self, pod: Arrived) -> tuple[str, ...]:
        """Give the Services that a pod is behind."""
        return self.services_behind(pod.namespace, pod.pod, pod.labels)

    def services_behind(
        self, namespace: str, pod: str, labels: Mapping[str, str]
    ) -> tuple[str, ...]:
        """Give the same for a pod by its name and labels."""
        key = namespace, pod
        if key not in self._services_of:
            known = self.rules_for(NOBODY).services
            found = tuple(s.host for s in known if s.selects(namespace, labels))
            self._services_of[key] = found
        return self._services_of[key]

    def ask(
        self,
        request: Request,
        source: Source | None = None,
        *,
        body: str = "",
        connection: Connection | None = None,
    ) -> Answer:
        """Send a request once. Raises Unanswerable where it is not clear where it comes from.

        Whoever sends many keeps a ``connection``.
        """
        meant = self.source_of(request, source)
        request = replace(request, headers=_with_id(request.headers))
        number = request.header(stand_ins.REQUEST_ID) or ""
        own = connection or Connection()
        try:
            began = time.monotonic()
            reply = own.send(request, body, self.envoy(meant).port, is_gateway=bool(meant.gateway))
            seconds = time.monotonic() - began
            if reply.error:
                self.envoy(meant).require_running()
        finally:
            if connection is None:
                own.close()
        return self.answer(request, reply, seconds, number)

    def answer(self, request: Request, reply: Reply, seconds: float, number: str) -> Answer:
        """Put together what a request got."""
        place = reply.header(stand_ins.ARRIVAL)
        arrived = self._servers.arrived[int(place)] if place else None
        every = self._with_id(number)
        services = self.services_of(arrived) if arrived else ()
        others = tuple(each for each in every if each is not arrived)
        return Answer(request, reply, seconds, arrived, others, services)

    def await_copies(
        self, answer: Answer, mirrors: Iterable[Destination], count: int, seconds: float
    ) -> Answer:
        """Give an answer with the copies of its request; wait so long for so many of them."""
        known = list(mirrors)
        deadline = time.monotonic() + (seconds if known else 0)
        while True:
            answer = self.copied(answer, known)
            if len(answer.copied_to) >= count or time.monotonic() > deadline:
                return answer
            time.sleep(PAUSE)

    def copied(self, answer: Answer, mirrors: Iterable[Destination]) -> Answer:
        """Look again at an answer, for copies of its request at pods of these destinations."""
        number = answer.request.header(stand_ins.REQUEST_ID) or ""
        found = self.answer(answer.request, answer.reply, answer.seconds, number)
        known = list(mirrors)
        copies = [
            each
            for each in found.others
            if any(mirror.takes(each.namespace, each.labels) for mirror in known)
        ]
        hosts_of = tuple(host for each in copies for host in self.services_of(each))
        return replace(found, copied_to=hosts_of)

    def pod(self, name: str) -> PlannedPod | None:
        """Find a pod by its name."""
        return self._pods_by_name.get(name)

    @cached_property
    def _pods_by_name(self) -> dict[str, PlannedPod]:
        return {pod.name: pod for pod in self.pods}

    def arrivals(self, answer: Answer) -> tuple[Arrived, ...]:
        """Give all pods that a request came to so far."""
        number = answer.request.header(stand_ins.REQUEST_ID) or ""
        found = self._with_id(number)
        return found or ((answer.arrived,) if answer.arrived else ())

    def _with_id(self, number: str) -> tuple[Arrived, ...]:
        """Give what came with a request id."""
        arrived, known = self._servers.arrived, self._by_id
        with self._lock:
            for place in range(self._indexed, len(arrived)):
                each = arrived[place]
                known.setdefault(each.headers.get(stand_ins.REQUEST_ID, ""), []).append(each)
                self._indexed = place + 1
            return tuple(known.get(number, ())) if number else ()

    def send(
        self,
        request: Request,
        source: Source | None,
        count: int,
        timeout: float,
        enough: Event | None = None,
    ) -> Iterator[Reply]:
        """Send a request again and again, as independent choices; as ``Engine.send``."""
        meant = self.source_of(request, source)
        how = sending_of(self.path_of(request, meant))
        width = requests.SIDE_BY_SIDE if how.side_by_side else 1
        proxy = f"http://{LOOPBACK}:{self.envoy(meant).port}"
        sent = for_gateway(request) if meant.gateway else request
        connections = requests.Connections(width, how.fresh_connections)
        return requests.send(sent, count, proxy, connections, timeout=timeout, enough=enough)

    @cached_property
    def is_independent(self) -> bool:
        """Tell whether no rule lets one request decide what becomes of another."""
        specs = [str(item.spec) for item in self.objects if item.kind == "DestinationRule"]
        words = ("connectionPool", "outlierDetection", "consistentHash", "warmup")
        return not any(word in spec for spec in specs for word in words)

    def account(self, answer: Answer) -> Account | None:
        """Give what the client's sidecar says of a request; waits a moment for its line."""
        number = answer.request.header(stand_ins.REQUEST_ID) or ""
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            for envoy in self._envoys.values():
                for found in envoy.accounts(number):
                    return found
            time.sleep(0.05)
        return None

    def envoy(self, source: Source) -> LoneEnvoy:
        """Give the Envoy of a client, which is started where it is not there."""
        with self._lock:
            found = self._envoys.get(source)
            if found is None:
                found = self._begin(source)
                found.wait()
            return found

    def _begin(self, source: Source) -> LoneEnvoy:
        client = self.client(source)
        rules = self.rules_for(client)

        def configure(folder: str) -> dict[str, Any]:
            return proxies.configuration(rules, self.pods, client, folder)

        envoy = LoneEnvoy(self.search.result().path, configure)
        self._stack.callback(envoy.close)
        self._envoys[source] = envoy
        return envoy

    @cached_property
    def _by_host(self) -> dict[str, set[str]]:
        return gateways.known_hosts(o for o in self._given if o.kind == "VirtualService")

    @cached_property
    def _bound(self) -> set[str]:
        return {name for names in self._by_host.values() for name in names} - {MESH}


class Connection:
    """A connection to a client's proxy that is kept from one request to the next."""

    def __init__(self) -> None:
        self._kept: http.client.HTTPConnection | None = None
        self._port = 0

    def send(self, request: Request, body: str, port: int, *, is_gateway: bool) -> Reply:
        """Send one request, and give what came back."""
        if self._kept is None or self._port != port:
            self.close()
            self._kept = http.client.HTTPConnection(LOOPBACK, port, timeout=TIME_LIMIT)
            self._port = port
        sent = for_gateway(request) if is_gateway else request
        try:
            requests.put(self._kept, requests.as_sent(sent), body)
            response = self._kept.getresponse()
            content = response.read()
            return Reply(
                response.status,
                content.decode(errors="replace"),
                headers=tuple(response.getheaders()),
            )
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Reply(error=requests.error_name(error))

    def close(self) -> None:
        """Close it."""
        if self._kept is not None:
            with suppress(OSError):
                self._kept.close()
            self._kept = None


def written_hosts(objects: Iterable[Object]) -> tuple[str, ...]:
    """Give the hosts that VirtualServices are for, as they are written."""
    rules = (item for item in objects if item.kind == "VirtualService")
    return tuple(dict.fromkeys(host for item in rules for host in item.spec.get("hosts") or ()))


def for_gateway(request: Request) -> Request:
    """Write a request as it comes to a gateway: of its URL's scheme, without the port."""
    parts = urlsplit(request.url)
    host = parts.hostname or ""
    plain = request.url.replace(f"//{parts.netloc}", f"//{host}", 1)
    scheme = (("x-forwarded-proto", parts.scheme),) if parts.scheme == "https" else ()
    return replace(request, url=plain, headers=(*request.headers, *scheme))


def _with_id(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    given = {name.lower() for name, _ in headers}
    if stand_ins.REQUEST_ID in given:
        return headers
    return (*headers, (stand_ins.REQUEST_ID, str(uuid.uuid4())))


def unreadable(objects: Iterable[Object]) -> tuple[Problem, ...]:
    """Say all that is wrong with objects in which a value is of a wrong type: nobody can read on.

    Empty where all can be read: then the mesh says what is refused.
    """
    every = list(objects)
    used = [item for item in every if _is_used(item)]
    problems = [
        problem
        for item in every
        if (item.group, item.kind) == (NETWORKING_GROUP, gateways.KIND)
        for problem in gateway.problems(item)
    ]
    if not problems and not any(fields.read(item).problems for item in used):
        return ()
    return in_order([*problems, *(problem for item in used for problem in judge(item).refused)])


def _is_used(item: Object) -> bool:
    return item.kind in KINDS or (item.makes_pods and item.kind not in ("Job", "CronJob"))
