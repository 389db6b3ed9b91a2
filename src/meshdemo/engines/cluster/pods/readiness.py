"""Waiting for workloads, and giving up as soon as it is clear that it is in vain."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api import watch
from meshdemo.engines.cluster.pods import rollout, status
from meshdemo.engines.cluster.pods.readiness_problems import ReadinessProblems
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

STEADY = 2.0
"""Seconds in which a container that ends at once is seen to have ended: a kubelet looks each."""
PROGRESS_SECONDS = 3.0
"""Seconds between two words on how it goes: states that pass by are not worth one."""
MORE_TIME = "Give it longer with --timeout."


@dataclass
class Wait:
    """One wait, and what was said meanwhile to who waits."""

    kube: Kube
    notify: Notify
    deadline: float
    _said: str = field(default="", init=False)
    _spoke: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self.problems = ReadinessProblems(self.kube, self.notify)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.deadline - time.monotonic())

    def say(self, text: str) -> None:
        if text != self._said and time.monotonic() - self._spoke > PROGRESS_SECONDS:
            self._said, self._spoke = text, time.monotonic()
            self.notify(text)


@dataclass
class WorkloadReadiness(Wait):
    """What workloads still lack."""

    is_without_istiod: Callable[[], bool]
    """Whether no istiod will come back by itself."""

    def wait_for_workloads(self, objects: Sequence[Object]) -> None:
        """Wait until every pod of these workloads is as it is wanted, and ready.

        Raises EnvironmentFailed for what cannot become ready, and TimedOut.
        """
        workloads = [item for item in objects if item.kind in rollout.AWAITED]
        if not workloads or not (lacking := self._lacking(workloads)):
            return
        paths = [self.kube.path(version, kind, space) for space, version, kind in _kinds(workloads)]
        with watch.bell(self.kube, paths, self.left) as bell:
            while lacking := self._seen_lacking(workloads, lacking):
                self.say("; ".join(lacking))
                if not self.left:
                    hint = " ".join([*self.problems.hints, MORE_TIME])
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
        live = self._live(workloads)
        found: list[str] = []
        for item in workloads:
            here = [each for each in live if each["metadata"]["namespace"] == item.namespace]
            own = next(
                (i for i in here if (i["kind"], i["metadata"]["name"]) == (item.kind, item.name)),
                None,
            )
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
        self.problems.of_pods(newest, live, now)
        cause = self.problems.of_workload(item, live, pods, self.is_without_istiod)
        waits = [f"{p.workload or p.name} {p.ready}: {p.message}" for p in map(status.pod, newest)
                 if p.message]  # fmt: skip
        why = cause.message if cause else "it waits for its pods"
        yield from waits or [f"{item.name}: {why}"]

    def wait_for_steadiness(self, objects: Sequence[Object]) -> None:
        """Wait until what is ready has run for a while. Raises as ``wait_for_workloads``."""
        workloads = [item for item in objects if item.kind in rollout.AWAITED]
        time.sleep(min(STEADY, self.left))
        while (lacks := self._lacking(workloads)) or (self.left and self._is_unsettled(workloads)):
            if lacks:
                self.wait_for_workloads(objects)
            time.sleep(min(STEADY, self.left))

    def _is_unsettled(self, workloads: Sequence[Object]) -> bool:
        """Tell whether a pod has just begun, maybe another time, or has ended unseen by others."""
        lasting, now = [item for item in workloads if item.kind != "Job"], self.kube.now()
        for pod in self._live(workloads):
            if pod["kind"] == "Pod" and any(rollout.belongs(pod, item) for item in lasting):
                found = status.pod(pod)
                runs = [(now - moment).total_seconds() for moment in status.starts(pod)]
                if not (found.is_ready or found.is_done) or min(runs, default=STEADY) < STEADY:
                    return True
        return False

    def _live(self, workloads: Sequence[Object]) -> list[Json]:
        """Give what is there of the kinds of these workloads, and the pods around them."""
        return [
            item
            for space, version, kind in _kinds(workloads)
            for item in self.kube.list(version, kind, space)
            if not item["metadata"].get("deletionTimestamp")
        ]


def _kinds(workloads: Sequence[Object]) -> list[tuple[str, str, str]]:
    """List what is to be looked at: namespace, version and kind."""
    found = {(item.namespace, str(item.data["apiVersion"]), item.kind) for item in workloads}
    return sorted(found | {(space, "v1", "Pod") for space, _, _ in found})
