"""Two states of rules, asked the same: what differs is a change of behaviour."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct

from meshdemo.errors import InputError, in_order
from meshdemo.suite.changes import behaviour, differing, telling, unseen
from meshdemo.suite.changes.probing import derived
from meshdemo.suite.changes.states import LIVE, State
from meshdemo.suite.private_mesh import PrivateMesh
from meshdemo.suite.sources import Unanswerable
from meshdemo.suite.usable import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.rules.request_trace import Trace
    from meshdemo.suite.changes.differing import Differing
    from meshdemo.suite.changes.probing import Probe, Probes
    from meshdemo.suite.changes.telling import Change
    from meshdemo.suite.changes.unseen import Asked
    from meshdemo.suite.model import Source


class Compared(Struct, frozen=True):
    """What a change of rules changes for requests."""

    old: str
    new: str
    changes: tuple[Change, ...]
    unseen: tuple[Differing, ...]
    """Where the rules differ and no request that was sent shows what that does."""
    derived: int
    """Requests that the matches of both states gave."""
    sent: int
    """How many of them were sent to both; the same rules take the others, in both."""
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    """What nobody compared: kinds that are not known here, files that are templates."""


def compare(old: State, new: State, namespace: str, timeout: float) -> Compared:
    """Send the same requests to both states. Raises InputError for what either refuses."""
    old, new = _on_live(old, new)
    _refuse((old, new), [unreadable(state.objects) for state in (old, new)])
    probes = derived((old.objects, new.objects), namespace)
    ports = {urlsplit(probe.request.url).port or 0 for probe in probes.every}
    meshes = [_mesh(state, namespace, ports) for state in (old, new)]
    _refuse((old, new), [mesh.admission.problems for mesh in meshes])
    for mesh in meshes:
        mesh.need(_sources(mesh, probes))
    with ExitStack() as stack:
        both = _Both([stack.enter_context(mesh) for mesh in meshes], (old, new))
        asked = both.asked(probes.every, timeout)
        found = [each for each in asked if any(telling.differences(*each[1:]))]
    several = len({probe.host for probe in probes.every}) > 1
    return Compared(
        old.name,
        new.name,
        telling.changes(found, with_hosts=several),
        unseen.among(differing.differing(old.objects, new.objects), found, namespace),
        len(probes.every),
        both.sent,
        tuple(_notes(meshes, probes)),
        tuple(dict.fromkeys((*old.left_out, *new.left_out))),
    )


def _on_live(old: State, new: State) -> tuple[State, State]:
    """Lay files over what is applied, where they are compared with it: as ``apply`` would."""
    if (old.name == LIVE) == (new.name == LIVE):
        return old, new
    live, files = (old, new) if old.name == LIVE else (new, old)
    laid = {item.key: item for item in (*live.objects, *files.objects)}
    over = State(files.name, tuple(laid.values()), files.left_out)
    return (live, over) if old.name == LIVE else (over, live)


def _mesh(state: State, namespace: str, ports: set[int]) -> PrivateMesh:
    undelayed = [_without_delays(item) for item in state.objects]
    return PrivateMesh(undelayed, namespace=namespace, ports=ports)


def _without_delays(item: Object) -> Object:
    """Take delays out of a VirtualService: they are told by what the rule says."""
    if item.kind != "VirtualService" or not isinstance(item.spec.get("http"), list):
        return item
    http = [
        {**rule, "fault": {n: part for n, part in rule["fault"].items() if n != "delay"}}
        if isinstance(rule, dict) and isinstance(rule.get("fault"), dict)
        else rule
        for rule in item.spec["http"]
    ]
    http = [
        {n: part for n, part in rule.items() if n != "fault" or part}
        if isinstance(rule, dict)
        else rule
        for rule in http
    ]
    return item.with_data({**item.data, "spec": {**item.spec, "http": http}})


def _refuse(states: Sequence[State], found: Sequence[Sequence[Problem]]) -> None:
    refused = [state.name for state, problems in zip(states, found, strict=True) if problems]
    if refused:
        message = f"the rules of {' and '.join(refused)} are refused, so nothing can be compared"
        raise InputError(message, in_order(problem for problems in found for problem in problems))


class _Both:
    """Both meshes, and what was asked of them so far."""

    def __init__(self, meshes: Sequence[PrivateMesh], states: Sequence[State]) -> None:
        self.meshes = meshes
        self.rules = [{item.key: item for item in state.objects} for state in states]
        self.sent = 0
        self._known: set[Any] = set()

    def asked(self, probes: Iterable[Probe], timeout: float) -> Iterator[Asked]:
        """Send each request to both; of those that the same rules take, one."""
        for probe in probes:
            traces = [behaviour.traced(mesh, probe) for mesh in self.meshes]
            if self._may_differ(probe, traces):
                self.sent += 1
                old, new = (
                    behaviour.of(mesh, probe, trace, rules, timeout)
                    for mesh, trace, rules in zip(self.meshes, traces, self.rules, strict=True)
                )
                yield probe, old, new

    def _may_differ(self, probe: Probe, traces: Sequence[Trace | None]) -> bool:
        before, after = (
            behaviour.fingerprint(trace, rules)
            for trace, rules in zip(traces, self.rules, strict=True)
        )
        if before is None or before != after:
            return True
        is_known = (probe.host, before) in self._known
        self._known.add((probe.host, before))
        return not is_known


def _sources(mesh: PrivateMesh, probes: Probes) -> Iterator[Source]:
    """Give the clients that requests come from, as far as the mesh has them."""
    for probe in probes.every:
        with suppress(Unanswerable):
            yield mesh.source_of(probe.request, probe.source)


def _notes(meshes: Sequence[PrivateMesh], probes: Probes) -> Iterator[str]:
    left_out = dict.fromkeys(title for mesh in meshes for title in mesh.left_out)
    if left_out:
        yield f"left out, as they route no requests here: {', '.join(left_out)}"
    if any(mesh.has_tls for mesh in meshes):
        yield "TLS is not compared: requests come to a gateway as if TLS had ended there"
    if probes.cut:
        yield f"not every combination of matches was asked of {', '.join(probes.cut)}"
