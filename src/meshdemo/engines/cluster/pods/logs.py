"""What containers wrote, as the cluster keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api.connection import Denied, NotFound
from meshdemo.errors import EnvironmentFailed, TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.cluster.api.kube import Kube
    from meshdemo.engines.cluster.api.remote_exec import Target

ENOUGH = 200
"""Lines of a log in which a cause is looked for."""


def lines(
    kube: Kube, target: Target, *, follow: bool = False, tail: int = -1, since: int = 0
) -> Iterator[str]:
    """Give a container's lines as they come.

    ``tail`` is how many at most, -1 for all; ``since`` how many seconds ago at most, 0 for ever.
    """
    query = {"container": target.container}
    if follow:
        query["follow"] = "true"
    if tail >= 0:
        query["tailLines"] = str(tail)
    if since:
        query["sinceSeconds"] = str(since)
    path = f"{kube.path('v1', 'Pod', target.namespace, target.pod)}/log"
    try:
        with kube.stream(path, query) as found:
            for line in found:
                yield line.decode(errors="replace")
    except NotFound as error:
        message = f"there is no pod {target.pod} in namespace {target.namespace}"
        raise EnvironmentFailed(message) from error
    except Denied as error:
        if "is not valid for pod" not in error.message:
            raise
        message = f"the pod {target.pod} has no container {target.container}"
        raise EnvironmentFailed(message) from error


def last_lines(
    kube: Kube, namespace: str, pod: str, container: str, *, previous: bool = False
) -> list[str]:
    """Give the end of a container's log, or of its run before this one; none if there is none."""
    query = {"container": container, "tailLines": str(ENOUGH)}
    if previous:
        query["previous"] = "true"
    path = f"{kube.path('v1', 'Pod', namespace, pod)}/log"

    def read() -> list[str]:
        with kube.stream(path, query, read_timeout=10) as found:
            return [line.decode(errors="replace") for line in found]

    try:
        return kube.budget.run(read, f"the log of {container}")
    except (Denied, TimedOut):
        return []
