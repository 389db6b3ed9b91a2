"""The clients of a private mesh: what each is, and which way its requests take."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo.engines.local.private.proxies import POD
from meshdemo.rules import gateways, hosts
from meshdemo.rules.client_view import Client, ClientView, MeshRules
from meshdemo.rules.http_matches import HTTPS_PORT
from meshdemo.rules.promise import RequestPath
from meshdemo.rules.written_rules import WrittenRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.objects.model import Object
    from meshdemo.rules.services import Service
    from meshdemo.suite.model import Source
    from meshdemo.verdict.traffic import Request

CLIENT_LABELS = {"app": "testclient"}
GATEWAY_LABELS = {"istio": "ingressgateway"}
"""Those of a gateway's pods where no Gateway says which it selects."""


class Clients:
    """Who may send, among the objects in force."""

    def __init__(
        self, objects: Sequence[Object], gateways: Sequence[Object], namespace: str
    ) -> None:
        self._objects, self._gateways, self._namespace = objects, gateways, namespace
        self.pods: tuple[PlannedPod, ...] = ()
        """None before the mesh is started."""
        self._views: dict[Source, ClientView] = {}
        self._rules: dict[str, MeshRules] = {}

    def client(self, source: Source) -> Client:
        """Give the client that a source means."""
        if source.gateway:
            space = source.gateway.partition("/")[0]
            labels = GATEWAY_LABELS
            for item in self._gateways:
                if f"{item.namespace}/{item.name}" == source.gateway:
                    labels = item.spec.get("selector") or labels
            return Client(space, labels, injected=True, gateway=source.gateway)
        labels = dict(source.labels)
        space = source.namespace or self._namespace
        like = (
            pod.labels
            for pod in self.pods
            if pod.namespace == space and labels and hosts.within(labels, pod.labels)
        )
        return Client(space, next(like, labels or CLIENT_LABELS), injected=True)

    def port_of(self, request: Request, source: Source) -> int:
        """Say to which port of a gateway a request comes; 0 for a pod's own proxy."""
        if not source.gateway:
            return POD
        url = urlsplit(request.url)
        is_tls = url.scheme == "https"
        called = url.port or (HTTPS_PORT if is_tls else hosts.HTTP_PORT)
        return gateways.port_called(self.rules_for(source.gateway).servers, called, tls=is_tls)

    def rules_for(self, gateway: str = "") -> MeshRules:
        """Give the rules that hold for a gateway, or else for pods."""
        if gateway not in self._rules:
            objects = [*self._objects, *self._gateways]
            self._rules[gateway] = MeshRules.of(objects, gateway=gateway)
        return self._rules[gateway]

    def path_of(self, request: Request, source: Source) -> RequestPath:
        """Follow a request through the rules."""
        if source not in self._views:
            client = self.client(source)
            self._views[source] = ClientView(self.rules_for(client.gateway), client)
        return RequestPath(self._views[source], self.endpoints, request)

    @property
    def services(self) -> tuple[Service, ...]:
        """All Services, and what ServiceEntries make."""
        return self.rules_for().services

    @cached_property
    def written(self) -> WrittenRules:
        """The rules as they were written."""
        return WrittenRules((*self._objects, *self._gateways))

    @cached_property
    def endpoints(self) -> list[tuple[str, Mapping[str, str]]]:
        """Namespace and labels of all pods that may answer."""
        return [(pod.namespace, pod.labels) for pod in self.pods if pod.is_endpoint]
