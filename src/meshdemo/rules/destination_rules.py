"""DestinationRules: merging those for one host, and choosing the one that a client follows. Pure.

It is what istiod does (``mergeDestinationRule``, ``destinationRule``, ``SidecarScope``), written
once for all who ask: the local engine, what the rules promise, and the wait for them in a sidecar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from meshdemo.rules import hosts
from meshdemo.rules.visibility import EVERYWHERE, HERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshdemo.objects.model import Object

Json: TypeAlias = "dict[str, Any]"

ROOT_NAMESPACE = "istio-system"
"""The root namespace, unless Istio is installed in another: rules in it hold for every client that
has none nearer."""


class DestinationRule(Struct, frozen=True):
    """One DestinationRule, or several for one host merged into one."""

    name: str
    namespace: str
    host: str
    subsets: tuple[Json, ...]
    policy: Json | None
    selector: Mapping[str, str] | None
    """The labels of the clients that it holds for; None means all."""
    exported_to: frozenset[str]
    joined: tuple[str, ...] = ()
    """The names of those merged into it, which are of its namespace too."""

    def subset(self, name: str) -> Json | None:
        """Find a subset by its name."""
        return next((subset for subset in self.subsets if subset.get("name") == name), None)

    def has(self, item: Object) -> bool:
        """Tell whether it is, or was merged with, this object."""
        return item.namespace == self.namespace and item.name in (self.name, *self.joined)


Table = dict[str, list[DestinationRule]]
"""The rules of one namespace by their host. Several for one host could not be merged."""


class DestinationRules(Struct, frozen=True):
    """All DestinationRules of the mesh, in the three tables that clients look them up in."""

    local: dict[str, Table] = field(default_factory=dict)
    """By namespace: what its own clients follow."""
    exported: dict[str, Table] = field(default_factory=dict)
    """By namespace: what clients of others may follow too."""
    root: Table = field(default_factory=dict)
    """What only clients inside the root namespace follow."""
    root_namespace: str = ROOT_NAMESPACE


def read_rules(objects: Iterable[Object], root_namespace: str = ROOT_NAMESPACE) -> DestinationRules:
    """Read and merge the DestinationRules, those with a workloadSelector first, then by age."""
    rules = DestinationRules(root_namespace=root_namespace)
    found = [item for item in objects if item.kind == "DestinationRule"]
    found.sort(key=lambda item: (item.spec.get("workloadSelector") is None, item.age))
    for rule in map(_rule, found):
        _file(rules, rule)
    return rules


def _rule(item: Object) -> DestinationRule:
    spec, selector = item.spec, item.spec.get("workloadSelector")
    return DestinationRule(
        name=item.name,
        namespace=item.namespace,
        host=hosts.resolve(str(spec.get("host", "")), item.namespace),
        subsets=tuple(spec.get("subsets") or ()),
        policy=spec.get("trafficPolicy"),
        selector=None if selector is None else selector.get("matchLabels") or {},
        exported_to=frozenset((spec.get("exportTo") or ()) if selector is None else {HERE}),
    )


def _file(rules: DestinationRules, rule: DestinationRule) -> None:
    exported = rule.exported_to
    own = {HERE, rule.namespace}
    if not exported or exported & {EVERYWHERE, *own}:
        _merge(rules.local.setdefault(rule.namespace, {}), rule)
    private = len(exported) == 1 and bool(exported & own)
    if not private:
        _merge(rules.exported.setdefault(rule.namespace, {}), rule)
    elif rule.namespace == rules.root_namespace:
        _merge(rules.root, rule)


def _merge(table: Table, rule: DestinationRule) -> None:
    """Merge a rule into those for its host that it goes together with, else put it beside them.

    They go together if both are exported alike (or the new one farther) and hold for the same
    clients. The last one looked at decides whether the rule also stands for itself.
    """
    known = table.setdefault(rule.host, [])
    apart = True
    for index, older in enumerate(known):
        apart = True
        same = older.exported_to == rule.exported_to
        if not same and not (older.exported_to and rule.exported_to >= older.exported_to):
            continue
        both_select = older.selector is not None and rule.selector is not None
        if both_select and older.selector != rule.selector:
            continue
        apart = not same and (older.selector is None) != (rule.selector is None)
        known[index] = _merged(older, rule)
    if apart:
        known.append(rule)


def _merged(older: DestinationRule, newer: DestinationRule) -> DestinationRule:
    """Add the subsets that are new; the older rule's policy stays if it has one."""
    fresh = tuple(each for each in newer.subsets if older.subset(each.get("name", "")) is None)
    return replace(
        older,
        subsets=older.subsets + fresh,
        policy=newer.policy if older.policy is None else older.policy,
        joined=(*older.joined, newer.name),
    )


def choose(
    rules: DestinationRules,
    host: str,
    namespace: str,
    labels: Mapping[str, str] | None,
    owner: str = "",
) -> DestinationRule | None:
    """Choose the rule that a client follows towards a service, which is named in full.

    ``owner`` is the service's namespace, where its name does not say it.

    The first of these that has any for the host: the client's namespace, the service's, the root
    namespace. Among several of one host, one that selects the client, else the newest for all.
    Without ``labels`` none selects it: so a pod chooses what holds for what it takes itself.
    """
    found = _look_up(rules, host, namespace, owner or hosts.namespace_of(host))
    for rule in found:
        here = rule.selector is not None and rule.namespace == namespace
        if here and labels is not None and hosts.within(rule.selector or {}, labels):
            return rule
    return next((rule for rule in reversed(found) if rule.selector is None), None)


def _look_up(
    rules: DestinationRules, host: str, namespace: str, owner: str
) -> list[DestinationRule]:
    root = rules.root_namespace
    own = rules.root if namespace == root else rules.local.get(namespace, {})
    if found := _for_host(own, host):
        return found
    for place in (owner, root):
        found = [
            rule
            for rule in _for_host(rules.exported.get(place, {}), host)
            if not rule.exported_to or rule.exported_to & {EVERYWHERE, namespace}
        ]
        if found:
            return found
    return []


def _for_host(table: Table, host: str) -> list[DestinationRule]:
    name = hosts.most_specific(host, table)
    return table[name] if name else []
