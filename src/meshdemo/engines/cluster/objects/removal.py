"""Removing what a run made, and proving that it is gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api.connection import CONFLICT, Denied, Forbidden
from meshdemo.engines.cluster.api.time_budget import OutOfTime
from meshdemo.engines.cluster.objects import class_namespaces, foreign_objects
from meshdemo.engines.cluster.objects.apply import is_ours, owner
from meshdemo.engines.cluster.objects.foreign_objects import DERIVED_KINDS, MOST_SHOWN, title
from meshdemo.engines.cluster.pods import status
from meshdemo.engines.results import Change, Check
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.labels import RUN_LABEL
from meshdemo.objects.model import RULE_KINDS, WORKLOAD_KINDS
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube, Resource
    from meshdemo.engines.cluster.objects.foreign_objects import ForeignObjects, Kinds
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

GRACE_SECONDS = 2
"""Seconds that a pod may take to end, unless it says how many it needs: many an app, like the
walkthrough's own, ignores SIGTERM as process 1, and would take all of its 30."""
NOT_CHOSEN = 30
"""The seconds that the server fills in where a pod does not say how many it needs."""
PAUSE, LONGEST_PAUSE = 0.05, 0.5
SILENT_SECONDS = 4.0
"""Seconds after which it is said which pods are waited for: GRACE_SECONDS have ended the others."""
RULES_FIRST = tuple(reversed(RULE_KINDS))
LAST = ("Namespace",)
MAKERS = WORKLOAD_KINDS - {"Pod"}
"""The kinds that make pods, and go after them."""
MADE = ("Service", "Deployment", *RULES_FIRST)
"""Kinds of which every run has some: who may not see these cannot tell whether they are gone."""
DOWN_AGAIN_OR_LONGER = "Run `meshdemo down` again, or give it longer with --timeout."


@dataclass
class Removal:
    """One ``down``, or one deletion of named objects."""

    kube: Kube
    run: str
    notify: Notify
    timeout: float
    """Seconds for all of it."""
    removed: int = field(default=0, init=False)
    makers: dict[str, set[str]] = field(default_factory=dict, init=False)
    """By namespace, the UIDs of what made the pods that have to end: no name, which the next
    workload may have as well."""
    told: set[str] = field(default_factory=set, init=False)
    """The UIDs of the pods that were told to end."""

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.timeout

    def everything(self) -> Iterator[Check]:
        """Remove all that bears our label, and prove it gone."""
        found = sorted(self.ours(), key=_order)
        spaces = [item for item in found if item["kind"] in LAST]
        others = [item for item in found if item["kind"] not in LAST]
        for item in others:
            self._delete(item)
        # A workload goes after its pods.
        pods = self._wait_for_pods()
        yield _check("no pod is left", pods, "all have ended")
        left = self._wait(others)
        yield _check("no object of ours is left", left, self._summary(others))
        for space in spaces:
            yield self._remove_namespace(space)
        if kept := self._kept():
            detail = ", ".join(kept[:MOST_SHOWN]) + (" ..." if len(kept) > MOST_SHOWN else "")
            yield Check("what others made is left", ok=True, detail=detail)

    def delete(self, objects: Iterable[Object]) -> tuple[Change, ...]:
        """Delete those of these objects that are ours, and say which; the others are kept.

        It returns when they are gone, and a workload's pods with it. Raises TimedOut.
        """
        changes, leaving = [], []
        for item in objects:
            found = self.kube.get(
                str(item.data["apiVersion"]), item.kind, item.name, item.namespace
            )
            if found is None:
                continue
            live = {"apiVersion": item.data["apiVersion"], "kind": item.kind, **found}
            kept = "" if is_ours(live, self.run) else owner(live) + foreign_objects.adopted(live)
            if not kept and not self._delete(live):
                kept = "somebody has just made it anew"
            action = "kept" if kept else "deleted"
            leaving += [] if kept else [live]
            changes.append(Change(action, item.kind, item.namespace, item.name, kept))
        if left := self._wait(leaving):
            raise TimedOut(f"not gone within {self.timeout:g} s: {', '.join(left)}")
        return tuple(changes)

    def ours(self) -> list[Json]:
        """Find what this run made, wherever we may look."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = [item for items in pool.map(self._of_kind, self._kinds.known) for item in items]
        # One object may be served in several groups and versions. What controllers make bears
        # copies of our label, as a Service's Endpoints do: it goes with its owner.
        unique = {item["metadata"]["uid"]: item for item in found}
        return [
            item
            for item in unique.values()
            if item["kind"] not in DERIVED_KINDS and not item["metadata"].get("ownerReferences")
        ]

    @cached_property
    def _kinds(self) -> Kinds:
        return foreign_objects.kinds(self.kube)

    def _of_kind(self, kind: tuple[str, Resource]) -> list[Json]:
        version, resource = kind
        labels = f"{RUN_LABEL}={self.run}"
        try:
            return self.kube.list(version, resource.kind, labels=labels)
        except Denied as error:
            if not (isinstance(error, Forbidden) and resource.namespaced):
                return []
        try:
            found = [
                self.kube.list(version, resource.kind, place, labels=labels)
                for place in self._places
            ]
            return [item for items in found for item in items]
        except Denied as error:
            if isinstance(error, Forbidden) and resource.kind in MADE:
                raise
            return []

    @cached_property
    def _places(self) -> tuple[str, ...]:
        """Name where a student of a class may have made something."""
        return (self.run, *class_namespaces.beside(self.kube, self.run))

    def _summary(self, objects: Sequence[Json]) -> str:
        wide = [title(item) for item in objects if not item["metadata"].get("namespace")]
        shown = ", ".join(wide[:MOST_SHOWN]) + (" ..." if len(wide) > MOST_SHOWN else "")
        return f"{self.removed} removed" + (f", also cluster-wide: {shown}" if wide else "")

    def _delete(self, live: Json) -> bool:
        """Delete an object; tell whether it was still the one that we saw."""
        metadata, makes_pods = live["metadata"], live["kind"] in MAKERS
        options: Json = {
            "preconditions": {"uid": metadata["uid"]},
            "propagationPolicy": "Foreground" if makes_pods else "Background",
        }
        if makes_pods:
            self._end_pods(live)
        if live["kind"] == "Pod" and not _own_grace(live):
            options["gracePeriodSeconds"] = GRACE_SECONDS
        try:
            deleted = self.kube.delete(
                live["apiVersion"], live["kind"], metadata["name"],
                metadata.get("namespace", ""), options=options,
            )  # fmt: skip
        except Denied as error:
            if error.status == CONFLICT:  # another one of that name by now, which is not ours
                return False
            raise EnvironmentFailed(f"{title(live)}: {error.message}", hint=error.hint) from error
        self.removed += deleted
        return True

    def _wait(self, objects: Sequence[Json]) -> list[str]:
        """Wait until objects are gone; name those that are not."""
        left = list(objects)

        def gone() -> bool:
            left[:] = [item for item in left if self._is_there(item)]
            return not left

        return self._until(gone, "the objects to be gone", lambda: map(title, left))

    def _wait_for_pods(self) -> list[str]:
        left: list[Json] = []
        patience = [time.monotonic() + SILENT_SECONDS]

        def gone() -> bool:
            left[:] = [
                pod
                for namespace, makers in self.makers.items()
                for pod in self.kube.list("v1", "Pod", namespace)
                if _makers(pod) & makers
            ]
            for pod in left:
                if pod["metadata"]["uid"] not in self.told and not _own_grace(pod):
                    # Made in the place of one that we ended: nobody has ever used it, and it
                    # would take all of its 30 seconds, for a kubelet accepts no shorter time later.
                    self._end(pod, 0)
            if left and patience and time.monotonic() > patience[0]:
                patience.clear()
                # Those that a rollout replaced were given 30 seconds, and kubelets accept no less.
                self.notify(f"waiting for pods to end: {', '.join(map(title, left))}")
            return not left

        return self._until(gone, "the pods to end", lambda: map(title, left))

    def _until(
        self, probe: Callable[[], bool], what: str, left: Callable[[], Iterable[str]]
    ) -> list[str]:
        try:
            left_time = max(0.0, self.deadline - time.monotonic())
            waiting.until(probe, what, timeout=left_time, pause=PAUSE, longest_pause=LONGEST_PAUSE)
        except OutOfTime:  # then it is not known what is left
            raise
        except TimedOut:
            return list(left())
        return []

    def _is_there(self, item: Json) -> bool:
        metadata = item["metadata"]
        live = self.kube.get(
            item["apiVersion"], item["kind"], metadata["name"], metadata.get("namespace", "")
        )
        return live is not None and live["metadata"]["uid"] == metadata["uid"]

    def _end_pods(self, live: Json) -> None:
        """End a workload's pods before it goes: whoever deletes them later gives them longer."""
        metadata, namespace = live["metadata"], live["metadata"]["namespace"]
        makers = self.makers.setdefault(namespace, set())
        makers.add(metadata["uid"])
        for pod in self.kube.list("v1", "Pod", namespace):
            if status.owner(pod) != (live["kind"], metadata["name"]):
                continue
            makers |= _makers(pod)  # of a Deployment's, its ReplicaSets
            if seconds := _own_grace(pod):
                self.notify(f"{title(pod)} may take the {seconds} s to end that it asks for")
            else:
                self._end(pod, GRACE_SECONDS)

    def _end(self, pod: Json, seconds: int) -> None:
        metadata = pod["metadata"]
        self.told.add(metadata["uid"])
        options = {"preconditions": {"uid": metadata["uid"]}, "gracePeriodSeconds": seconds}
        with suppress(Denied):  # then it ends all the same, only later
            self.kube.delete("v1", "Pod", metadata["name"], metadata["namespace"], options=options)

    def _remove_namespace(self, space: Json) -> Check:
        name = space["metadata"]["name"]
        if reason := self._others(name).against_removal(name):
            return reason
        self.notify(f"removing namespace {name}")
        self._delete(space)
        return _check(f"namespace {name} is gone", self._wait([space]), "")

    def _kept(self) -> Sequence[str]:
        """Name what others have in our namespace."""
        try:
            space = self.kube.get("v1", "Namespace", self.run)
        except Forbidden:
            space = {}
        return self._others(self.run).titles if space is not None else ()

    def _others(self, namespace: str) -> ForeignObjects:
        """Find the objects in a namespace that are not ours."""
        return foreign_objects.of(
            self.kube, self._kinds, namespace, lambda item: is_ours(item, self.run)
        )


def _makers(pod: Json) -> set[str]:
    """Give the UIDs of what a pod belongs to."""
    return {str(owner.get("uid")) for owner in pod["metadata"].get("ownerReferences") or ()}


def _check(name: str, left: Sequence[str], detail: str) -> Check:
    if not left:
        return Check(name, ok=True, detail=detail)
    return Check(
        name,
        ok=False,
        detail=f"still there: {', '.join(left)}",
        hint=DOWN_AGAIN_OR_LONGER,
        late=True,
    )


def _own_grace(pod: Json) -> int:
    """Give the seconds that a pod itself wants to end in; 0 if it leaves that to others."""
    seconds: int = (pod.get("spec") or {}).get("terminationGracePeriodSeconds", NOT_CHOSEN)
    return 0 if seconds == NOT_CHOSEN else seconds


def _order(item: Json) -> int:
    """Sort the rules first, a VirtualService before the subsets that it speaks of."""
    return RULES_FIRST.index(item["kind"]) if item["kind"] in RULES_FIRST else len(RULES_FIRST)
