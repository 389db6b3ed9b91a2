"""A split of a Service's traffic, as rules: always one VirtualService, changed in place.

A new split in a new object would be ignored in favour of the older one, because Istio never merges
two VirtualServices for one host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed
from meshdemo.language import said
from meshdemo.objects.kinds import NETWORKING_API
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.objects.model import Object
from meshdemo.rules import virtual_services
from meshdemo.rules.hosts import full_name, service_host

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.verdict.expectation import Split

HOST = "app"
"""The article's Service."""
ROUTE_NAME = "app-default-v2"
"""The article's VirtualService for it."""


class Splitting(Struct, frozen=True):
    """The traffic of one Service, and all that is applied."""

    service: str
    namespace: str
    objects: Sequence[Object]
    on_cluster: bool
    """Where others have rules, too: ours bear our label there."""

    @classmethod
    def of(cls, engine: Engine, service: str, objects: Sequence[Object]) -> Splitting:
        """Look at a Service of the engine's namespace."""
        return cls(service, engine.where.namespace, objects, bool(engine.where.server))

    @property
    def route_name(self) -> str:
        """How a VirtualService is called that is made for a split."""
        return ROUTE_NAME if self.service == HOST else f"{self.service}-split"

    @property
    def made(self) -> Object | None:
        """The VirtualService that was made for a split."""
        return next((rule for rule in self._routes() if rule.name == self.route_name), None)

    @property
    def route(self) -> Object | None:
        """The VirtualService to change: made for a split, or the only one and nothing more."""
        if made := self.made:
            return made
        found = list(self._routes())
        only = found[0] if len(found) == 1 else None
        return only if only and self._is_ours(only) and self._is_plain(only) else None

    def refuse_rivals(self, split: Object | None) -> None:
        """Refuse ``split`` while another VirtualService for the host may take precedence."""
        found = list(self.rivals(split))
        if not found:
            return
        names = ", ".join(item.title for item in found)
        near = [item for item in found if item.namespace == self.namespace]
        hint = said("It holds here because its exportTo says so, or nothing: ask who made it.")
        if near and self._is_ours(near[0]):
            hint = said(
                "Change it with meshdemo route -f, or remove it: "
                "meshdemo delete virtualservice {name}",
                name=near[0].name,
            )
        elif near:
            hint = said(
                "This run of meshdemo did not make it. If it is yours: "
                "kubectl delete virtualservice {name} -n {namespace}",
                name=near[0].name,
                namespace=self.namespace,
            )
        message = said(
            "{rules} already exists for the host {host}, and sidecars follow only one of them",
            rules=names,
            host=self.service,
        )
        raise EnvironmentFailed(message, hint=hint)

    def rivals(self, split: Object | None) -> Iterator[Object]:
        """Give the VirtualServices for the host, other than ``split``, that sidecars follow.

        One of another namespace is none if ours takes precedence: it is not ours to remove.
        """
        for item in self._routes(everywhere=True):
            comes_after = split and virtual_services.precedence(
                split, self.namespace
            ) < virtual_services.precedence(item, self.namespace)
            if item is not split and (item.namespace == self.namespace or not comes_after):
                yield item

    def rules(self, split: Split, known: Sequence[str]) -> list[Object]:
        """Give the DestinationRule, if it lacks a subset, and the VirtualService.

        A new DestinationRule names every known version: so `up` and `route v2` write the same.
        """
        return [*self.subsets(split.versions, known), self.virtual_service(split)]

    def subsets(self, versions: Sequence[str], known: Sequence[str]) -> list[Object]:
        """Give the DestinationRule that names versions; none where all have a subset."""
        there = [
            item
            for item in self.objects
            if item.kind == "DestinationRule"
            and item.namespace == self.namespace
            and self._is_host(str(item.spec.get("host", "")))
        ]
        wanted = dict.fromkeys(versions if there else known)
        missing = [v for v in wanted if not any(_has_subset(item, v) for item in there)]
        ours = next((item for item in there if item.name == self.service), None)
        return [self._destination_rule(ours, missing)] if missing else []

    def _routes(self, *, everywhere: bool = False) -> Iterator[Object]:
        """Give the VirtualServices for the host that sidecars follow."""
        host = service_host(self.service, self.namespace)
        for item in self.objects:
            near = everywhere or item.namespace == self.namespace
            is_for_sidecars = item.kind == "VirtualService" and virtual_services.is_for_mesh(item)
            if near and is_for_sidecars and host in virtual_services.hosts_of(item):
                yield item

    def _is_host(self, host: str) -> bool:
        """Tell whether a rule's host is the Service, as Istio reads it in this namespace."""
        own = service_host(self.service, self.namespace)
        return full_name(host, self.namespace) == own

    def _is_ours(self, rule: Object) -> bool:
        return RUN_LABEL in rule.labels or not self.on_cluster

    def _is_plain(self, rule: Object) -> bool:
        """Tell whether a split is all that it says of destinations, so that none is lost."""
        http_rules = rule.spec.get("http") or []
        others = rule.spec.get("tcp") or rule.spec.get("tls")
        if others or len(http_rules) != 1 or len(virtual_services.hosts_of(rule)) != 1:
            return False
        (http_rule,) = http_rules
        routes = http_rule.get("route") or []
        return not any(
            http_rule.get(name) not in (None, [])
            for name in ("match", *virtual_services.OTHER_ACTIONS)
        ) and all(
            route.keys() <= {"destination", "weight"}
            and (route.get("destination") or {}).keys() <= {"host", "subset"}
            and self._is_host(str((route.get("destination") or {}).get("host", "")))
            for route in routes
        )

    def _destination_rule(self, ours: Object | None, missing: Sequence[str]) -> Object:
        added = [{"name": version, "labels": {"version": version}} for version in missing]
        if ours is not None:
            subsets = [*(ours.spec.get("subsets") or []), *added]
            return ours.with_data({**ours.data, "spec": {**ours.spec, "subsets": subsets}})
        spec = {"host": self.service, "subsets": added}
        return self._object("DestinationRule", self.service, spec)

    def virtual_service(self, split: Split) -> Object:
        """Give the VirtualService that splits the traffic so."""
        routes: list[dict[str, Any]] = [
            {"destination": {"host": self.service, "subset": version}, "weight": weight}
            for version, weight in split.weights
        ]
        if len(routes) == 1:
            del routes[0]["weight"]  # as in the article: so `up` and `route v2` write the same
        before = self.route
        if before is None or before.name == self.route_name:
            spec = {"hosts": [self.service], "http": [{"route": routes}]}
            return self._object("VirtualService", self.route_name, spec)
        http = [{**before.spec["http"][0], "route": routes}]
        return before.with_data({**before.data, "spec": {**before.spec, "http": http}})

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return Object(
            {"apiVersion": NETWORKING_API, "kind": kind, "metadata": metadata, "spec": spec}
        )


def _has_subset(rule: Object, name: str) -> bool:
    return any(subset.get("name") == name for subset in rule.spec.get("subsets") or [])
