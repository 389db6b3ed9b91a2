"""What of the looks at a mesh is a change that has settled; each is told of once."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import FakeEngine
from tests.objects import made

from meshdemo.tour import mesh_changes
from meshdemo.tour.mesh_changes import Changes, Look

if TYPE_CHECKING:
    from collections.abc import Callable

    Watched = Callable[..., bool]

A: dict[tuple[str, ...], object] = {("Service", "app"): "port 80"}
B: dict[tuple[str, ...], object] = {("Service", "app"): "port 81"}
POD = ("default", "app-1")


@pytest.fixture
def looks() -> mesh_changes.Looks:
    return queue.SimpleQueue()


@pytest.fixture
def changes(looks: mesh_changes.Looks) -> Changes:
    return Changes(looks, lambda: Look(time.monotonic(), A, {}, frozenset()))


@pytest.fixture
def seen(looks: mesh_changes.Looks, changes: Changes) -> Watched:
    """Look once a second, and tell whether there was news."""
    now = time.monotonic()

    def look(objects: dict[tuple[str, ...], object], *, ready: bool | None = None) -> bool:
        nonlocal now
        now += mesh_changes.PAUSE
        pods = {} if ready is None else {POD: {"app": "app"}}
        looks.put(Look(now, objects, pods, frozenset(pods if ready else ()), ready is False))
        return changes.happened()

    return look


def test_a_change_is_told_of_once_when_it_is_the_same_twice(seen: Watched) -> None:
    assert [seen(each) for each in (A, A, B, B, B, A, B, A, A)] == [
        *(False, False, False, True, False),
        *(False, False, False, True),
    ]


def test_a_pod_is_waited_for_but_not_for_ever_and_a_crash_loop_is_told_of_once(
    seen: Watched,
) -> None:
    assert not any(seen(A) for _ in range(3))
    assert not any(seen(A, ready=False) for _ in range(3))
    assert [seen(A, ready=True) for _ in range(3)] == [False, True, False]
    assert not any(seen(A, ready=number % 4 > 1) for number in range(40))
    assert sum(seen(B, ready=False) for _ in range(40)) == 1


def test_what_one_does_oneself_is_no_news(seen: Watched, changes: Changes) -> None:
    assert not seen(B)
    changes.accept()
    assert not any(seen(A) for _ in range(3))
    assert [seen(B) for _ in range(3)] == [False, True, False]


def test_a_look_from_before_ones_own_change_counts_for_nothing(
    looks: mesh_changes.Looks, changes: Changes
) -> None:
    for _ in range(3):
        looks.put(Look(time.monotonic(), B, {}, frozenset()))
    changes.accept()
    assert not changes.happened()


def test_a_mesh_that_cannot_be_asked_at_first_is_known_by_the_first_look(
    looks: mesh_changes.Looks,
) -> None:
    changes = Changes(looks, lambda: None)
    for each in (B, B, B):
        looks.put(Look(time.monotonic(), each, {}, frozenset()))
    assert not changes.happened()


def test_a_bug_of_the_thread_is_raised(looks: mesh_changes.Looks, changes: Changes) -> None:
    looks.put(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        changes.happened()


def test_a_rule_that_went_and_came_again_is_the_same() -> None:
    engine, looks = FakeEngine(), []
    for uid, most in (("1", 1), ("2", 1), ("2", 2)):
        spec: dict[str, Any] = {
            "host": "app",
            "trafficPolicy": {"connectionPool": {"http": {"http2MaxRequests": most}}},
        }
        rule = made("DestinationRule", **spec)
        metadata = {**rule.data["metadata"], "uid": uid}
        engine.applied[rule.key] = rule.with_data({**rule.data, "metadata": metadata})
        looks.append(Look.of(engine, 0.0))
    assert looks[0].is_as(looks[1])
    assert not looks[1].is_as(looks[2])
