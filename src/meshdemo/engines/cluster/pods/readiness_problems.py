"""What keeps pods from being ready while one waits for them: told soon, and the end only in vain.

How long a slow or growing cluster takes is for --timeout to say. So what may get better by itself
is a warning, once; what cannot get better ends the wait, with the last lines of the container.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api import rejections
from meshdemo.engines.cluster.api.connection import Forbidden
from meshdemo.engines.cluster.pods import failure_causes, logs
from meshdemo.engines.results import LAST_LINES
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects.containers import ISTIO_PROXY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.cluster.pods.failure_causes import Cause
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

LASTING_SECONDS = 2.0
"""Seconds after which a cause holds: that of a former template goes with its pods before that."""
LOG_PAUSE = 5.0
"""Seconds between two looks into the log of a sidecar that does not get ready."""


@dataclass
class ReadinessProblems:
    """What one wait has seen so far. Things are known by what messages call them."""

    kube: Kube
    notify: Notify
    _since: dict[str, float] = field(default_factory=dict, init=False)
    """When a cause was first seen."""
    _told: dict[str, Cause] = field(default_factory=dict, init=False)
    """The causes that hold now, of which a warning was given."""
    _read_at: dict[str, float] = field(default_factory=dict, init=False)
    """When the log of a pod's sidecar was read."""

    @property
    def hints(self) -> list[str]:
        """What to do about the causes that hold now."""
        return list(dict.fromkeys(cause.hint for cause in self._told.values() if cause.hint))

    def of_pods(self, pods: Sequence[Json], live: Json, now: datetime) -> None:
        """Look at pods of a workload. Raises EnvironmentFailed for what cannot get better."""
        for pod in pods:
            cause = failure_causes.of_pod(
                pod, now, lambda: self._events(live)
            ) or failure_causes.of_end(pod, live)
            if not (cause := self._lasting(_title(pod), cause)):
                continue
            cause = failure_causes.with_way_out(cause, pod, live)
            if failure := self._failure(pod, cause) if cause.final else self._rejection(pod, cause):
                raise failure
            self.warn(_title(pod), cause)

    def of_workload(
        self,
        item: Object,
        live: Json,
        pods: Sequence[Json],
        is_without_istiod: Callable[[], bool],
    ) -> Cause | None:
        """Say why a workload gets no pods, or no more of them. Raises as ``of_pods``."""
        tells = not pods and live["kind"] in failure_causes.TOLD_BY_EVENTS
        cause = failure_causes.of_workload(live, self._events(live) if tells else ())
        if not (cause := self._lasting(item.title, cause)):
            return None
        if cause.final or (rejections.WEBHOOK_DOWN in cause.message and is_without_istiod()):
            raise EnvironmentFailed(f"{item.title}: {cause.message}", hint=cause.hint)
        self.warn(item.title, cause)
        return cause

    def warn(self, about: str, cause: Cause) -> None:
        """Tell a cause that may pass, once."""
        before, self._told[about] = self._told.get(about), cause
        if before is None or before.message != cause.message:
            said = f"warning: {about}: {cause.message}; waiting, as it may get better"
            self.notify(f"{said}. {cause.hint}" if cause.hint else said, lasting=True)

    def _lasting(self, about: str, cause: Cause | None) -> Cause | None:
        """Give a cause only after it has held for a while."""
        if cause is None:
            self._since.pop(about, None)
            self._told.pop(about, None)
            return None
        # Kubernetes reports pods of the old template until they are gone: such a cause passes.
        since = self._since.setdefault(about, time.monotonic())
        return cause if time.monotonic() - since >= LASTING_SECONDS else None

    def _events(self, live: Json) -> list[Json]:
        """Give the events of a namespace, where only they tell why something is not there."""
        try:
            return self.kube.list("v1", "Event", live["metadata"]["namespace"])
        except Forbidden:
            return []

    def _failure(self, pod: Json, cause: Cause) -> EnvironmentFailed:
        message = f"{_title(pod)}: {cause.message}"
        if not cause.container:
            return EnvironmentFailed(message, hint=cause.hint)
        lines = self._last_lines(pod, cause)
        if failure_causes.is_wrong_platform(lines):
            return EnvironmentFailed(
                f"{message}: {failure_causes.EXEC_FORMAT}", hint=failure_causes.PLATFORM_HINT
            )
        if failure_causes.is_out_of_inotify(lines):
            return _without_inotify(message)
        shown = "\n".join(f"    {line}" for line in lines[-LAST_LINES:]) or "    (nothing)"
        return EnvironmentFailed(f"{message}; its last lines:\n{shown}", hint=cause.hint)

    def _rejection(self, pod: Json, cause: Cause) -> EnvironmentFailed | None:
        """Say that a sidecar will never take what istiod sends, if its log says so by now."""
        name = pod["metadata"]["name"]
        if cause.container != ISTIO_PROXY or not self._is_due(name):
            return None
        lines = self._last_lines(pod, cause)
        if failure_causes.is_out_of_inotify(lines):
            return _without_inotify(f"{_title(pod)}: {cause.message}")
        if not (why := failure_causes.rejection(lines)):
            return None
        return EnvironmentFailed(
            f"{_title(pod)}: {cause.message}: Envoy rejects what istiod sends: {why}",
            hint="istiod's configuration does not fit this proxy image; see "
            f"meshdemo logs {name} -c {ISTIO_PROXY}",
        )

    def _is_due(self, pod: str) -> bool:
        now = time.monotonic()
        if now - self._read_at.get(pod, -LOG_PAUSE) < LOG_PAUSE:
            return False
        self._read_at[pod] = now
        return True

    def _last_lines(self, pod: Json, cause: Cause) -> list[str]:
        metadata = pod["metadata"]
        return logs.last_lines(
            self.kube, metadata["namespace"], metadata["name"], cause.container,
            previous=cause.previous,
        )  # fmt: skip


def _without_inotify(message: str) -> EnvironmentFailed:
    said = f"{message}: its node has no inotify instance left for it"
    return EnvironmentFailed(said, hint=failure_causes.NODE_HINT)


def _title(pod: Json) -> str:
    return f"pod {pod['metadata']['namespace']}/{pod['metadata']['name']}"
