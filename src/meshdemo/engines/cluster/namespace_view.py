"""What of a cluster counts for a run: everybody's services and rules, and what is ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.api.remote_exec import Target
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.objects import managed_fields
from meshdemo.engines.cluster.pods import status
from meshdemo.engines.test_client import Sender
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.kinds import FILTER_API, NETWORKING_API, SECURITY_API
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.objects.model import REACH_KINDS, Object, in_apply_order
from meshdemo.rules.client_view import Client
from meshdemo.rules.hosts import service_host
from meshdemo.rules.virtual_services import holds_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.results import Pod

SEEN = (("v1", "Service"), (NETWORKING_API, "DestinationRule"), (NETWORKING_API, "VirtualService"))
"""The kinds that decide where a request goes: everybody's count, not only ours."""
ENTRY, SIDECAR = ((NETWORKING_API, kind) for kind in REACH_KINDS)
"""The kinds that decide what a client knows of the mesh: they count as far as one may see them."""
TOUCHING = (
    (NETWORKING_API, "Sidecar"),
    (FILTER_API, "EnvoyFilter"),
    *((SECURITY_API, kind) for kind in ("AuthorizationPolicy", "PeerAuthentication")),
    (SECURITY_API, "RequestAuthentication"),
)
"""The kinds that touch requests, and are no rules that lead them."""
PENDING = "Pending"
LASTING_KINDS = tuple(("apps/v1", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet"))
"""The usual kinds that keep pods running."""
OWN = (
    *(("v1", kind) for kind in ("ServiceAccount", "Pod", "ReplicationController")),
    *LASTING_KINDS,
    ("apps/v1", "ReplicaSet"),
    *(("batch/v1", kind) for kind in ("Job", "CronJob")),
)
"""The kinds of which only ours matter: an account, and whatever makes pods."""


@dataclass
class View:
    """One namespace, as a run sees it. What one is not allowed to see is not there."""

    kube: Kube
    run: str
    selector: str = ""
    """The labels of the pod that sends requests; empty for the test client."""

    def objects(self) -> tuple[Object, ...]:
        """Give what decides on traffic, and what else is ours; it can be applied again."""
        with ThreadPoolExecutor(max_workers=len(OWN) + 1) as pool:
            seen = pool.submit(self.seen)
            found = list(pool.map(self.own, OWN))
        own = [managed_fields.applied(live) for items in found for live in items]
        return tuple(in_apply_order([*seen.result(), *own]))

    def own(self, kind: tuple[str, str]) -> list[Json]:
        """Give ours of a kind; none where one may not see it, as a CI job that verifies."""
        try:
            return self.kube.list(*kind, self.run, labels=f"{RUN_LABEL}={self.run}")
        except Forbidden:
            return []

    def seen(self) -> tuple[Object, ...]:
        """Give everybody's services and rules that hold in this namespace."""
        with ThreadPoolExecutor(max_workers=len(SEEN) + 2) as pool:
            root = pool.submit(lambda: self._root_rules)
            reach = pool.submit(self._reach)
            listed = tuple(pool.map(self._everybodys, SEEN))
        found = [managed_fields.applied(live) for items in listed for live in items]
        found += [managed_fields.applied(live) for live in reach.result()]
        found += [managed_fields.applied(live) for live in root.result()]
        # The API server's own Service is in every cluster, and nobody's app.
        own = ("Service", "default", "kubernetes")
        found = [item for item in found if (item.kind, item.namespace, item.name) != own]
        return (*found, *(self.from_elsewhere(found) or ()))

    def _reach(self) -> list[Json]:
        """Give the ServiceEntries of all namespaces, and the Sidecars that may hold here.

        Who may not see other namespaces, as a student in a class, gets those of their own.
        """
        entries = self._allowed((*ENTRY, "")) or self._allowed((*ENTRY, self.run))
        places = dict.fromkeys((self.run, self.root_namespace))
        return entries + [live for place in places for live in self._allowed((*SIDECAR, place))]

    def _everybodys(self, kind: tuple[str, str]) -> list[Json]:
        return self.kube.list(*kind, self.run)

    def from_elsewhere(self, here: Sequence[Object]) -> list[Object] | None:
        """Give the VirtualServices of other namespaces that hold for services here.

        None where one may not look for them.
        """
        hosts = [service_host(i.name, i.namespace) for i in here if i.kind == "Service"]
        if self._foreign_rules is None:
            return None
        found = map(managed_fields.applied, self._foreign_rules)
        return [rule for rule in found if holds_for(rule, hosts, self.run)]

    @cached_property
    def _foreign_rules(self) -> list[Json] | None:
        try:
            found = self.kube.list(NETWORKING_API, "VirtualService")
        except Forbidden:
            return None
        others = [live for live in found if live["metadata"].get("namespace") != self.run]
        return [self._as_exported(live) for live in others]

    def _as_exported(self, live: Json) -> Json:
        """Give a rule of another namespace with the exportTo that it has if it says none."""
        spec = live.get("spec") or {}
        if spec.get("exportTo") or not (default := self._exports.get(live["kind"])):
            return live
        return {**live, "spec": {**spec, "exportTo": default}}

    @cached_property
    def _exports(self) -> dict[str, list[str]]:
        return control_plane.default_exports(self.kube, self.root_namespace)

    @cached_property
    def root_namespace(self) -> str:
        """Where a DestinationRule holds for all namespaces."""
        return control_plane.root_namespace(control_plane.control_planes(self.kube))

    @cached_property
    def _root_rules(self) -> list[Json]:
        """Give those of the root namespace, unless that is ours."""
        if self.run == self.root_namespace:
            return []
        try:
            found = self.kube.list(NETWORKING_API, "DestinationRule", self.root_namespace)
            return [self._as_exported(live) for live in found]
        except Forbidden:  # a student in a class sees only their own namespace
            return []

    def namespace_labels(self, objects: tuple[Object, ...]) -> dict[str, dict[str, str]]:
        """Give the labels of the objects' namespaces."""
        found = {item.name: item.labels for item in objects if item.kind == "Namespace"}
        for name in {item.namespace for item in objects if item.namespace} - found.keys():
            try:
                live = self.kube.get("v1", "Namespace", name) or {}
            except Forbidden:  # then it says nothing
                live = {}
            found[name] = (live.get("metadata") or {}).get("labels") or {}
        return found

    def spaces(self, towards: str) -> list[str]:
        """Give our namespace, and the one that requests go to."""
        return list(dict.fromkeys(filter(None, (self.run, towards))))

    def towards(self, namespace: str) -> tuple[Object, ...]:
        """Give what else decides about requests to the services of a namespace.

        That is its own services and rules, which one has to be allowed to see, and what touches
        requests beside rules, as far as one may see it.
        """
        places = {*self.spaces(namespace), self.root_namespace}
        touching = [(*kind, place) for kind in TOUCHING for place in sorted(places)]
        seen = [(*kind, namespace) for kind in SEEN] if namespace != self.run else []
        with ThreadPoolExecutor(max_workers=len(touching) + len(SEEN)) as pool:
            named = [pool.submit(self.kube.list, *each) for each in seen]
            found = list(pool.map(self._allowed, touching))
            found += [future.result() for future in named]
        lives = [live for items in found for live in items]
        objects = [managed_fields.applied(self._as_exported(live)) for live in lives]
        hosts = [service_host(i.name, i.namespace) for i in objects if i.kind == "Service"]
        foreign = map(managed_fields.applied, self._foreign_rules or ())
        more = [rule for rule in foreign if holds_for(rule, hosts, self.run)]
        unique = {item.key: item for item in (*objects, *more)}
        return tuple(unique.values())

    def _allowed(self, kind: tuple[str, str, str]) -> list[Json]:
        try:
            return self.kube.list(*kind)
        except Forbidden:
            return []

    def has_namespace(self) -> bool:
        """Tell whether the namespace is there; who may not look at it works in it."""
        try:
            return self.kube.get("v1", "Namespace", self.run) is not None
        except Forbidden:
            return True

    def pods(self, namespace: str = "") -> tuple[Pod, ...]:
        """Give the pods here or in another namespace, but for those that are being deleted."""
        return status.pods(self.kube.list("v1", "Pod", namespace or self.run))

    # --- the test client ---------------------------------------------------------------------

    @property
    def sender(self) -> Sender:
        """Which pod sends requests."""
        return Sender(self.run, self.selector)

    def client(self) -> Pod | None:
        """Find the test client, a ready one if there are several."""
        found = self.pods()
        # During a rollout there are two of them, and only a ready one can send.
        ready = [pod for pod in found if pod.is_ready]
        return self.sender.find(ready) or self.sender.find(found)

    def require_client(self) -> Pod:
        """Give the test client, or say what to type where there is none."""
        pod = self.client()
        if pod is None:
            raise self.sender.missing(self.pods())
        if pod.phase == PENDING:  # none of its own containers runs
            message = f"the test client {pod.name} is being created"
            raise EnvironmentFailed(
                f"{message}: {pod.message}" if pod.message else message,
                hint="Wait until it is ready: meshdemo status",
            )
        return pod

    def follower(self, pod: Pod) -> Client:
        """Say as whom a pod follows the rules."""
        return Client(pod.namespace, pod.labels, pod.injected, self.root_namespace)


def target(pod: Pod) -> Target:
    """Give a pod's app container."""
    return Target(pod.namespace, pod.name, status.app_container(pod))
