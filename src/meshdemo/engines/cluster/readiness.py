"""Waiting for workloads and rules, and giving up as soon as it is clear that it is in vain."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo import rivalry
from meshdemo.engines.cluster import rollout, status, watching
from meshdemo.engines.cluster.causes import Cause
from meshdemo.engines.cluster.dataplane import NOT_KNOWN, Unseen
from meshdemo.engines.cluster.exec import Late, Lost
from meshdemo.engines.cluster.startup import START_UP
from meshdemo.engines.cluster.troubles import Troubles
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.engines import Notify
    from meshdemo.engines.cluster.dataplane import DataPlane, Place
    from meshdemo.engines.cluster.kube import Json, Kube
    from meshdemo.engines.cluster.routes import Dump
    from meshdemo.manifests import Object

STEADY = 2.0
"""Seconds in which a container that ends at once is seen to have ended: a kubelet looks each."""
LONGEST_DEBOUNCE = 10.0
"""Seconds that istiod may hold back what it sends while things change: PILOT_DEBOUNCE_MAX."""
SETTLED = 3.0
"""Seconds after a change in which istiod has sent all that it makes of it (0.1 to 2 measured)."""
PATIENCE = 15.0
"""Seconds for the details of a rule that already leads where it should: an EnvoyFilter or a setting
of istiod's may have the last word on them, and then there is nothing to wait for."""
ANSWER_PAUSE = 0.2
LAST_LOOK = 1.0
"""Seconds for a look at the data plane, and for whatever is under way when the time is over."""
QUIET = 3.0
"""Seconds between two words on how it goes: states that pass by are not worth one."""
LISTENS = "Does the app listen on the Service's targetPort, on all addresses? meshdemo logs"
SILENT = Cause("the pods are ready, and nothing answers", LISTENS, final=False)
ELSEWHERE = (
    "That is of another namespace, and holds here because its exportTo says so, or says nothing: "
    "ask who made it."
)
MORE_TIME = "Give it longer with --timeout."


@dataclass(frozen=True, slots=True)
class Lack:
    """What a sidecar has not got yet."""

    text: str
    is_detail: bool = False
    instead: str = ""
    """The rules that it follows in their place, of which nobody else told."""


LATE = Lack("has not got the change")


@dataclass
class Readiness:
    """What some objects still lack."""

    kube: Kube
    notify: Notify
    deadline: float
    patience: float = PATIENCE
    _said: str = field(default="", init=False)
    _spoke: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self.troubles = Troubles(self.kube, self.notify)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def _last_look(self) -> float:
        """When looking at the data plane ends: it gets a moment, however late it is."""
        return max(self.deadline, time.monotonic() + LAST_LOOK)

    # --- workloads ---------------------------------------------------------------------------

    def wait_for_workloads(self, objects: Sequence[Object]) -> None:
        """Wait until every pod of these workloads is as it is wanted, and ready.

        Raises EnvironmentFailed for what cannot become ready, and TimedOut.
        """
        workloads = [item for item in objects if item.kind in rollout.AWAITED]
        if not workloads or not (lacking := self._lacking(workloads)):
            return
        paths = [self.kube.path(version, kind, space) for space, version, kind in _kinds(workloads)]
        with watching.bell(self.kube, paths, self.left) as bell:
            while lacking := self._seen_lacking(workloads, lacking):
                self._say("; ".join(lacking))
                if not self.left:
                    hint = " ".join([*self.troubles.hints, MORE_TIME])
                    raise TimedOut("\n".join(["the pods are not ready", *lacking]), hint=hint)
                bell.wait(self.left)

    def _seen_lacking(self, workloads: Sequence[Object], before: Sequence[str]) -> list[str]:
        """Say what each workload lacks. If the answer comes too late, say what was seen before."""
        try:
            return self._lacking(workloads)
        except TimedOut as error:
            message = "\n".join([error.message, "the pods were not ready before that", *before])
            raise TimedOut(message, hint=error.hint) from error

    def _lacking(self, workloads: Sequence[Object]) -> list[str]:
        """Say what each workload still lacks."""
        live = [
            item
            for space, version, kind in _kinds(workloads)
            for item in self.kube.list(version, kind, space)
            if not item["metadata"].get("deletionTimestamp")
        ]
        found: list[str] = []
        for item in workloads:
            here = [each for each in live if each["metadata"]["namespace"] == item.namespace]
            own = next((i for i in here if _is_same(i, item)), None)
            pods = [i for i in here if i["kind"] == "Pod" and rollout.belongs(i, item)]
            found += self._lack(item, own, pods)
        return found

    def _lack(self, item: Object, live: Json | None, pods: Sequence[Json]) -> Iterator[str]:
        if live is None and item.kind == "Job":  # some go as soon as they have ended
            return
        if live is None:
            raise EnvironmentFailed(f"{item.title} is gone", hint="Type: meshdemo deploy")
        if rollout.is_done(live, pods):
            return
        if not rollout.is_observed(live):
            yield f"{item.name} waits for the cluster to see what was applied"
            return
        newest, now = rollout.newest(pods), self.kube.now()
        self.troubles.of_pods(newest, live, now)
        cause = self.troubles.of_workload(item, live, pods)
        waits = [f"{p.workload or p.name} {p.ready}: {p.message}" for p in map(status.pod, newest)
                 if p.message]  # fmt: skip
        why = cause.message if cause else "it waits for its pods"
        yield from waits or [f"{item.name}: {why}"]

    def wait_for_steadiness(self, objects: Sequence[Object]) -> None:
        """Wait until what is ready has been so for a while. Raises as ``wait_for_workloads``."""
        workloads = [item for item in objects if item.kind in rollout.AWAITED]
        time.sleep(min(STEADY, self.left))
        while self._lacking(workloads):
            self.wait_for_workloads(objects)
            time.sleep(min(STEADY, self.left))

    # --- answers -----------------------------------------------------------------------------

    def wait_for_answers(self, plane: DataPlane, places: Sequence[Place]) -> None:
        """Wait until something answers at each place: that a pod is ready does not say so."""
        began = time.monotonic()
        for place in places:
            while trouble := _asked(plane, place, self._last_look):
                waited = time.monotonic() - began
                if trouble == NOT_KNOWN and waited > LONGEST_DEBOUNCE:
                    break  # by its rules it may have none of its own, as with PASSTHROUGH
                late = waited > START_UP
                if late and not place.is_http:
                    self.notify(f"nothing listens at {place.url} yet: {trouble}", lasting=True)
                    break
                if not self.left:
                    message = f"nothing answers at {place.url}: {trouble}"
                    raise TimedOut(message, hint=f"{LISTENS} {MORE_TIME}")
                if late:
                    self.troubles.warn(place.url, SILENT)
                self._say(f"waiting for {place.url} to answer: {trouble}")
                time.sleep(ANSWER_PAUSE)

    # --- rules -------------------------------------------------------------------------------

    def wait_for_rules(
        self,
        plane: DataPlane,
        rules: Sequence[Object],
        before: tuple[Dump, float] | None,
    ) -> None:
        """Wait until the test client's sidecar has the rules.

        ``before`` is what the sidecar had before they were changed, and when that was: then it
        must have got something since, or enough time for it.
        """
        began, is_seen = time.monotonic(), False
        lack: Lack | None = Lack(f"has not got {_titles(rules)}") if rules else LATE
        while lack:
            try:
                for dump in plane.dumps(self._last_look):
                    is_seen = True
                    if before and (dump != before[0] or time.monotonic() - before[1] > SETTLED):
                        before = None
                    lack = _lack(dump, rules) or (LATE if before else None)
                    if not lack or not self.left or self._is_in_vain(lack, began):
                        break
                else:
                    time.sleep(ANSWER_PAUSE)
            except Lost:
                time.sleep(ANSWER_PAUSE)
            said = f"the sidecar of {plane.target.pod} {lack.text}" if lack else ""
            if lack and lack.instead and (not self.left or self._is_in_vain(lack, began)):
                raise EnvironmentFailed(f"{said}: it follows {lack.instead}", hint=ELSEWHERE)
            if lack and lack.is_detail and self._is_in_vain(lack, began):
                self.notify(f"{said}; does an EnvoyFilter change it?", always=True)
                return
            if lack and not self.left and not is_seen:
                message = f"the sidecar of {plane.target.pod} did not show in time what it has"
                raise TimedOut(message, hint=f"Is the way to it slow? {MORE_TIME}")
            if lack and not self.left:
                raise TimedOut(f"{said} in time", hint="Is istiod well? meshdemo doctor tells.")

    def _is_in_vain(self, lack: Lack, began: float) -> bool:
        """Tell whether waiting on does not help: somebody else has the last word."""
        waited = time.monotonic() - began
        return (lack.is_detail and waited > self.patience) or (
            bool(lack.instead) and waited > LONGEST_DEBOUNCE
        )

    def wait_for_absence(self, plane: DataPlane, rules: Sequence[Object]) -> None:
        """Wait until the test client's sidecar has nothing of these rules any more."""
        while True:
            try:
                for dump in plane.dumps(self._last_look):
                    if not any(dump.has_rule(rule) for rule in rules):
                        return
            except Unseen as error:  # the rest of a removal must not depend on who watches it
                self.notify(error.message, lasting=True)
                time.sleep(min(SETTLED, self.left))
                return
            except Lost:
                pass
            time.sleep(ANSWER_PAUSE)
            if not self.left:
                message = f"the sidecar of {plane.target.pod} still has {_titles(rules)}"
                raise TimedOut(message, hint="Is istiod well? meshdemo doctor tells.")

    def _say(self, text: str) -> None:
        if text != self._said and time.monotonic() - self._spoke > QUIET:
            self._said, self._spoke = text, time.monotonic()
            self.notify(text)


def _lack(dump: Dump, rules: Sequence[Object]) -> Lack | None:
    """Say which rules are not in a sidecar yet, or only in an older version."""
    if late := [rule for rule in rules if not dump.is_live(rule)]:
        return Lack(f"has not got {_titles(late)}", instead=_instead(dump, late))
    for rule in rules:
        if names := dump.deviations(rule):
            text = f"has not got what {rule.title} says now ({', '.join(names)})"
            return Lack(text, is_detail=True)
    return None


def _instead(dump: Dump, late: Sequence[Object]) -> str:
    """Name the rules that a sidecar follows for hosts of rules of which it has nothing."""
    missing = [r for r in late if r.kind == "VirtualService" and not dump.has_rule(r)]
    if not missing:
        return ""
    hosts = {host for rule in missing for host in rivalry.hosts_of(rule)}
    places = {place: None for each in dump.followed() if each.host in hosts for place in each.rules}
    return ", ".join(f"VirtualService {'/'.join(place)}" for place in places)


def _titles(rules: Sequence[Object]) -> str:
    return ", ".join(rule.title for rule in rules)


def _asked(plane: DataPlane, place: Place, deadline: float) -> str:
    try:
        return plane.trouble(place, deadline)
    except (Lost, Late) as error:
        return error.message


def _kinds(workloads: Sequence[Object]) -> list[tuple[str, str, str]]:
    """List what is to be looked at: namespace, version and kind."""
    found = {(item.namespace, str(item.data["apiVersion"]), item.kind) for item in workloads}
    return sorted(found | {(space, "v1", "Pod") for space, _, _ in found})


def _is_same(live: Json, item: Object) -> bool:
    return (live["kind"], live["metadata"]["name"]) == (item.kind, item.name)
