"""Which of the applied rules act on the clients of a namespace, and why others do not. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.objects.model import RULE_KINDS, Object
from meshdemo.objects.place import top
from meshdemo.rules import (
    destination_rules,
    hosts,
    service_entries,
    sidecars,
    virtual_services,
    visibility,
)
from meshdemo.rules.analysis import analyzer
from meshdemo.rules.analysis.delegations import delegate_warnings
from meshdemo.rules.analysis.inventory import Inventory
from meshdemo.rules.delegates import is_delegate
from meshdemo.rules.protocols import any_takes_http_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.rules.destination_rules import DestinationRules
    from meshdemo.rules.hosts import HostIndex
    from meshdemo.rules.virtual_services import Followed

TOLD = frozenset({analyzer.NOT_FOUND, analyzer.SUBSET_WITHOUT_PODS})
"""Codes of what makes requests fail although the rule acts."""


class Effect(Struct, frozen=True):
    """What becomes of one rule."""

    rule: Object
    idle: str = ""
    """Why it does not act; empty if it does."""
    overruled_by: tuple[Object, ...] = ()
    remarks: tuple[str, ...] = ()
    """What goes wrong although it acts."""
    is_seen: bool = True
    """Whether it may be read; of others only the name is known, by a sidecar that follows them."""
    whole: Object | None = None
    """The rule with those of its delegates, where it has any."""

    @property
    def followed(self) -> Object:
        """The rule as a sidecar follows it."""
        return self.whole or self.rule


class Scene(Struct, frozen=True, dict=True):
    """All that decides on whether a rule acts."""

    objects: Sequence[Object]
    pods: Sequence[tuple[str, Mapping[str, str]]]
    """The namespace and labels of each pod."""
    namespace: str
    """Whose clients it is about."""
    root_namespace: str
    known: str = ""
    """The only namespace whose services are known; empty where all are."""
    gateways: frozenset[str] | None = None
    """The gateways that are there, as NAMESPACE/NAME; None where that is not known."""
    followed: tuple[Followed, ...] | None = None
    """What the test client's sidecar follows; None where that is not known."""
    sender: Mapping[str, str] | None = None
    """The labels of the only pod whose requests matter; None where all of the namespace do."""

    def effects(self, rules: Iterable[Object]) -> list[Effect]:
        """Say of each of these rules, which are applied, what becomes of it."""
        found = []
        for rule in rules:
            same = self._virtual_services.overlapping(*virtual_services.hosts_of(rule))
            overruled_by = virtual_services.overruling(rule, same, self.namespace)
            whole = self._inventory.delegates.whole(rule)
            idle = next(self._reasons(whole, overruled_by), "")
            remarks = () if idle else tuple(self._remarks(rule))
            found.append(Effect(rule, idle, overruled_by, remarks, whole=whole))
        return found

    def strangers(self) -> list[Effect]:
        """Give the rules that the test client's sidecar follows here and one may not see."""
        known = {(o.namespace, o.name) for o in self.objects if o.kind == "VirtualService"}
        strange: dict[tuple[str, str], list[str]] = {}
        for each in self.followed or ():
            for rule in each.rules:
                if each.host in self._hosts_here and rule not in known:
                    strange.setdefault(rule, []).append(each.host)
        return [
            Effect(_virtual_service(*rule, named), is_seen=False) for rule, named in strange.items()
        ]

    @cached_property
    def _hosts_here(self) -> set[str]:
        return {
            hosts.service_host(o.name, o.namespace)
            for o in self.objects
            if o.kind == "Service" and o.namespace == self.namespace
        }

    @cached_property
    def _inventory(self) -> Inventory:
        ruling = [
            item
            for item in self.objects
            if item.kind in (*RULE_KINDS, "Service", service_entries.KIND)
        ]
        there = Inventory.after((), ruling, "")
        return replace(there, running=tuple(self.pods), namespace=self.known)

    @cached_property
    def _virtual_services(self) -> HostIndex[Object]:
        return virtual_services.by_host(self.objects)

    @cached_property
    def _destination_rules(self) -> DestinationRules:
        return destination_rules.read_rules(self.objects, self.root_namespace)

    def _reasons(self, rule: Object, overruled_by: Sequence[Object]) -> Iterator[str]:
        others = {
            "DestinationRule": self._destination_rule_reasons,
            service_entries.KIND: self._service_entry_reasons,
            sidecars.KIND: self._sidecar_object_reasons,
        }
        if reasons := others.get(rule.kind):
            yield from reasons(rule)
            return
        if is_delegate(rule):
            yield from self._delegate_reasons(rule)
            return
        if overruled_by:
            several = "take" if len(overruled_by) > 1 else "takes"
            yield f"{', '.join(item.title for item in overruled_by)} {several} precedence"
        if not virtual_services.is_for_mesh(rule):
            if missing := self._missing_gateways(rule):
                yield f"bound to {_gateways(missing)}, which {_are(missing)} not there"
            return
        if not virtual_services.is_seen(rule, self.namespace):
            yield f"its exportTo leaves out namespace {self.namespace}"
        if not any(rule.spec.get(protocol) for protocol in ("http", "tcp", "tls")):
            yield "its delegates leave no rule of it"
        yield from self._protocol_reasons(rule)
        yield from self._broken_rules(rule)
        yield from self._sidecar_reasons(rule)

    def _delegate_reasons(self, rule: Object) -> Iterator[str]:
        handing = list(self._inventory.delegates.handing_to(rule))
        if not handing:
            yield "no VirtualService delegates to it"
        elif not any(handed.rules for _, handed in handing):
            yield "; ".join(f"{root.title}: {handed.lost}" for root, handed in handing)

    def _missing_gateways(self, rule: Object) -> list[str]:
        """Name its gateways, if none of them is there as far as one knows."""
        named = [str(name) for name in rule.spec.get("gateways") or () if name != hosts.MESH]
        if self.gateways is None:
            return []
        full = {hosts.gateway_in_full(name, rule.namespace) for name in named}
        return named if not self.gateways & full else []

    def _protocol_reasons(self, rule: Object) -> Iterator[str]:
        if rule.spec.get("tcp") or rule.spec.get("tls"):
            return
        inventory = self._inventory
        services = [inventory.service(host) for host in virtual_services.hosts_of(rule)]
        ports = [[p.value for p in s["spec"]["ports"].items] if s else [] for s in services]
        if ports and not any(not each or any_takes_http_rules(each) for each in ports):
            yield f"no port of {_names(rule)} is HTTP, and it has only http rules"

    def _broken_rules(self, rule: Object) -> Iterator[str]:
        """Say so where every destination of every http rule gets 503."""
        inventory, broken = self._inventory, list[str]()
        for http in top(rule)["spec"]["http"].items:
            if not http["route"].items or "directResponse" in http:
                return
            for destination in _weighted(http):
                problems = analyzer.destination_warnings(destination, inventory)
                lost = [p.message for p in problems if p.code == analyzer.NOT_FOUND]
                if not lost:
                    return
                broken += lost
        if broken:
            yield f"all of its requests get 503: {'; '.join(dict.fromkeys(broken))}"

    def _sidecar_reasons(self, rule: Object) -> Iterator[str]:
        """Compare with what the sidecar follows: of rules out of context it alone knows."""
        if self.followed is None or not rule.spec.get("http"):
            return
        own = {each.host: each.rules for each in self.followed}
        mine = [host for host in virtual_services.hosts_of(rule) if host in self._hosts_here]
        if not mine or any((rule.namespace, rule.name) in own.get(host, ()) for host in mine):
            return
        others = [_title(other) for host in mine for other in own.get(host, ())]
        if others:
            yield f"the test client's sidecar follows {', '.join(dict.fromkeys(others))} instead"
        else:
            yield "the test client's sidecar has not got it"

    def _service_entry_reasons(self, entry: Object) -> Iterator[str]:
        names = entry.spec.get("exportTo") or ()
        if not visibility.sees(visibility.exported_to(names, entry.namespace), self.namespace):
            yield f"its exportTo leaves out namespace {self.namespace}"

    def _sidecar_object_reasons(self, item: Object) -> Iterator[str]:
        known = sidecars.read_sidecars(self.objects)
        here = [labels for namespace, labels in self.pods if namespace == self.namespace]
        senders = here if self.sender is None else [self.sender]
        chosen = [
            sidecars.choose(known, self.namespace, labels, self.root_namespace)
            for labels in senders
        ]
        followed = {each.title for each in chosen if each}
        if item.title not in followed:
            instead = f"clients here follow {', '.join(sorted(followed))} instead"
            yield instead if followed else "its workloadSelector selects no pod"

    def _destination_rule_reasons(self, rule: Object) -> Iterator[str]:
        warnings = analyzer.warnings([rule], self._inventory)
        yield from (p.message for p in warnings if p.code == analyzer.UNKNOWN_HOST)
        selector = (rule.spec.get("workloadSelector") or {}).get("matchLabels")
        here = [labels for namespace, labels in self.pods if namespace == self.namespace]
        senders = here if self.sender is None else [self.sender]
        clients: list[Mapping[str, str]] = [each for each in senders if _selects(selector, each)]
        if selector and not clients:
            whom = "no pod" if self.sender is None else "other pods than the test client"
            yield f"its workloadSelector selects {whom}"
            return
        host = hosts.resolve(str(rule.spec.get("host", "")), rule.namespace)
        known = self._destination_rules
        chosen = [
            destination_rules.choose(known, host, self.namespace, each) for each in clients or [{}]
        ]
        if not any(each and each.has(rule) for each in chosen):
            others = dict.fromkeys(f"{each.namespace}/{each.name}" for each in chosen if each)
            instead = f"clients here follow DestinationRule {', '.join(others)} instead"
            yield instead if others else "its exportTo leaves out the clients here"

    def _remarks(self, rule: Object) -> Iterator[str]:
        for problem in analyzer.warnings([rule], self._inventory):
            if problem.code in TOLD:
                yield _text(problem)
        for problem in delegate_warnings(top(rule), self._inventory):
            yield _text(problem)


def _text(problem: Problem) -> str:
    return f"{problem.message}: {problem.hint}" if problem.hint else problem.message


def _weighted(http: Place) -> list[Place]:
    """Give the destinations that get any requests."""
    routes = http["route"].items
    got = [route for route in routes if route["weight"].number or len(routes) == 1]
    return [route["destination"] for route in got]


def _selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    return not selector or hosts.within(selector, labels)


def _virtual_service(namespace: str, name: str, named: Sequence[str]) -> Object:
    """Give what is known of a rule that may not be seen."""
    metadata = {"name": name, "namespace": namespace}
    return Object({"kind": "VirtualService", "metadata": metadata, "spec": {"hosts": list(named)}})


def _title(rule: tuple[str, str]) -> str:
    return f"VirtualService {'/'.join(rule)}"


def _names(rule: Object) -> str:
    return ", ".join(str(host) for host in rule.spec.get("hosts") or ())


def _gateways(names: Sequence[str]) -> str:
    return f"the gateway{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"
