"""What makes a measurement none: here, pods that were not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.objects import made

from meshdemo.engines.results import Container, Pod
from meshdemo.language import spoken
from meshdemo.verdict.traffic import Reply, Request, Sample
from meshdemo.walkthrough.changes_while_measuring import Snapshot, changes, disturbance
from meshdemo.walkthrough.request_context import RequestContext

if TYPE_CHECKING:
    from meshdemo.engines.protocol import Engine

REQUEST = Request("http://app/")
SERVICE = made("Service", "app", selector={"app": "app"}, ports=[{"name": "http", "port": 80}])


def pod(name: str, app: str, *, ready: bool = True, restarts: int = 0) -> Pod:
    container = Container("c", "i", ready, restarts)
    return Pod(name, "shop", {"app": app}, (container,), injected=True, phase="Running")


class Later:
    """The mesh after the measurement, as far as it is looked at."""

    def __init__(self, *pods: Pod) -> None:
        self._pods = pods

    def pods(self, _: str = "") -> tuple[Pod, ...]:
        return self._pods

    def objects(self, _: str = "") -> tuple[Any, ...]:
        return (SERVICE,)


@pytest.mark.parametrize(
    ("before", "after", "status", "is_none"),
    [
        (pod("app-1", "app", ready=False), pod("app-1", "app"), 503, True),
        (pod("app-1", "app", ready=False), pod("app-1", "app"), 404, False),
        (pod("app-1", "app", ready=False), pod("app-1", "app", ready=False), 503, False),
        (pod("app-1", "app", ready=False, restarts=1), pod("app-1", "app"), 503, False),
        (pod("app-1", "app"), pod("app-1", "app"), 503, False),
        (pod("web-1", "web", ready=False), pod("web-1", "web"), 503, False),
    ],
    ids=["started", "no failure", "goes on", "ended before", "was ready", "of another Service"],
)
def test_failures_of_a_pod_that_was_starting_are_no_verdict(
    before: Pod, after: Pod, status: int, *, is_none: bool
) -> None:
    client = pod("testclient", "testclient")
    context = RequestContext(REQUEST, client, (SERVICE,), (client, before), "istio-system")
    sample = Sample(REQUEST, 1, (Reply(status),), 0.1)
    later = cast("Engine", Later(client, after))
    said = disturbance(later, sample, Snapshot.of(context))
    wanted = f"the pod {before.name} was still starting when the measurement began"
    assert said == (wanted if is_none else "")


def test_what_changed_is_said_in_the_readers_language_too() -> None:
    client = pod("testclient", "testclient")
    context = RequestContext(REQUEST, client, (), (client,), "istio-system")
    (found,) = changes(Snapshot.of(context), Snapshot.of(context, (SERVICE,)))
    assert (found, spoken(found, "zh")) == ("Service shop/app was added", "新增了 Service shop/app")
