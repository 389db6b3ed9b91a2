"""Where rules differ, and no request that was sent shows what that does.

A change that was told shows a difference if the request meets it on its way: the http rule takes
it, the policy holds for where it goes. What a rule explains is no sign of what lies around it,
unless that comes or goes as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshdemo.rules import hosts
from meshdemo.rules.delegates import Delegates, hands_over
from meshdemo.rules.destination_rules import ROOT_NAMESPACE
from meshdemo.suite.changes.meaning import hosts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Destination, Trace
    from meshdemo.suite.changes.behaviour import Behaviour
    from meshdemo.suite.changes.differing import Differing, Side
    from meshdemo.suite.changes.probing import Probe

    Asked = tuple[Probe, Behaviour, Behaviour]


def among(
    every: Sequence[Differing], changed: Sequence[Asked], namespace: str
) -> tuple[Differing, ...]:
    """Give the differences that none of the requests shows for which something changed."""
    shown: set[int] = set()
    explained: set[int] = set()
    for number, each in enumerate(every):
        showing = [place for place, asked in enumerate(changed) if _is_shown(each, asked)]
        explained.update(showing)
        shown |= {number} if showing else set()
    left = [asked for place, asked in enumerate(changed) if place not in explained]

    def is_met(each: Differing) -> bool:
        comes_or_goes = each.old.item is None or each.new.item is None
        on_the_way = changed if comes_or_goes else left
        return any(_is_met(each, asked, namespace) for asked in on_the_way)

    return tuple(
        each for number, each in enumerate(every) if number not in shown and not is_met(each)
    )


def _is_shown(each: Differing, asked: Asked) -> bool:
    """Tell whether a request goes another way because of a rule's difference."""
    _, old, new = asked
    if each.kind == "VirtualService":
        return _by_route(each, old.trace, new.trace)
    if each.kind == "DestinationRule":
        return _by_policy(each, old.trace, new.trace)
    return False


def _by_route(each: Differing, old: Trace | None, new: Trace | None) -> bool:
    path = each.path
    if path[1:2] in (("tcp",), ("tls",)):
        return False
    if path == ("spec", "http"):
        return _follows(old, each.old.item) or _follows(new, each.new.item)
    if path[1:2] != ("http",):
        return _follows(old, each.old.item) != _follows(new, each.new.item)
    before, after = _takes(old, each.old), _takes(new, each.new)
    is_whole = len(path) == 3  # noqa: PLR2004 - spec, http, and which of them
    if path[3:4] == ("match",) or (is_whole and _http(each.old) == _http(each.new)):
        return before != after  # another rule takes the request
    takes_others = is_whole or _http(each.old).get("match") != _http(each.new).get("match")
    return before or after if takes_others else before and after


def _follows(trace: Trace | None, item: Object | None) -> bool:
    """Tell whether a VirtualService decides about a request, by itself or as a delegate."""
    if trace is None or item is None or trace.dialled is None:
        return False
    rule = trace.dialled.rule
    own = rule is not None and rule.key == (item.namespace, item.name)
    return own or any(step.origin.item.key == item.key for step in trace.steps)


def _takes(trace: Trace | None, side: Side) -> bool:
    """Tell whether the http rule in which a field stands takes a request, or its delegate does."""
    if trace is None or trace.chosen is None or side.item is None or len(side.path) < 3:  # noqa: PLR2004
        return False
    origin, number = trace.chosen.origin, side.path[2]
    if origin.number == number and origin.item.key == side.item.key:
        return True
    http = _http(side)
    if not hands_over(http) or not _follows(trace, side.item):
        return False
    return Delegates.named_by(http, side.item) == (origin.item.namespace, origin.item.name)


def _http(side: Side) -> dict[str, Any]:
    """Give the http rule in which a field stands."""
    if side.item is None or len(side.path) < 3:  # noqa: PLR2004 - as above
        return {}
    found: dict[str, Any] = side.item.spec["http"][side.path[2]]
    return found


def _by_policy(each: Differing, old: Trace | None, new: Trace | None) -> bool:
    path = each.path
    before, after = _led(old, each.old), _led(new, each.new)
    policies = path[3:4] if path[1:2] == ("subsets",) else path[1:2]
    if policies == ("trafficPolicy",):
        name = str(path[path.index("trafficPolicy") + 1]) if path[-1] != "trafficPolicy" else ""
        return _policies(before, name) != _policies(after, name)
    if path[1:2] == ("subsets",):
        is_whole = len(path) <= 3  # noqa: PLR2004 - spec, subsets, and which of them
        return bool(before or after) if is_whole else bool(before and after)
    return bool(before) != bool(after)


def _led(trace: Trace | None, side: Side) -> list[Destination]:
    """Give where a request may go by a DestinationRule, or by its subset that a field is of."""
    if trace is None or side.item is None:
        return []
    found = [each for each in trace.destinations if each.rule and each.rule.has(side.item)]
    if side.path[1:2] != ("subsets",) or len(side.path) < 3:  # noqa: PLR2004 - as above
        return found
    name = side.item.spec["subsets"][side.path[2]].get("name")
    return [each for each in found if each.target.subset == name]


def _policies(destinations: Sequence[Destination], name: str) -> list[Any]:
    """Give what holds for destinations of one part of a policy; without a name, of all of it."""
    if name in ("", "portLevelSettings"):
        return [each.policy for each in destinations]
    return [each.policy.get(name) for each in destinations]


def _is_met(each: Differing, asked: Asked, namespace: str) -> bool:
    """Tell whether an object beside the rules lies on the way of a request."""
    if each.kind in ("VirtualService", "DestinationRule"):
        return False  # of these ``_is_shown`` says more
    probe, *behaviours = asked
    items = [side.item for side in (each.old, each.new) if side.item]
    if each.kind == "Gateway":
        return any(probe.source.gateway == f"{item.namespace}/{item.name}" for item in items)
    if each.kind == "Sidecar":
        space = probe.source.namespace or namespace
        spaces = {item.namespace for item in items}
        return not probe.source.gateway and bool(spaces & {space, ROOT_NAMESPACE})
    names = {name for found in behaviours if found.trace for name in _names(found.trace)}
    return any(
        hosts.overlap(host, name) for item in items for host in hosts_of(item) for name in names
    )


def _names(trace: Trace) -> set[str]:
    return {trace.called, *(each.target.host for each in trace.destinations)}
