"""A thousand services: they are taken, and all that is worked out grows with their number only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.objects import deployment, destination_rule, route, service, to, virtual_service

from meshdemo.engines.local import apply_changes, plan, translate
from meshdemo.engines.local.admission import admit
from meshdemo.engines.local.model import Mesh
from meshdemo.objects.labels import INJECT_LABEL
from meshdemo.objects.model import traffic_rules
from meshdemo.rules.analysis.effects import Scene
from meshdemo.rules.client_view import Client
from meshdemo.rules.promise import followed, promised
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshdemo.objects.model import Object

FEW, MANY = 100, 400


def of_services(count: int) -> list[Object]:
    """Give so many services of several kinds, each with its subsets and a rule; few have a pod."""
    found: list[Object] = []
    for number in range(count):
        name = f"s{number}"
        port = ({"port": 80}, {"port": 10_000 + number}, {"port": 9_000})[number % 3]
        kind = "tcp" if number % 3 == 2 else "http"
        found.append(service({"name": kind, "targetPort": 8080, **port}, name=name))
        found.append(destination_rule("v1", "v2", "v3", name=name, host=name))
        rule = route(to("v1", host=name))
        told: dict[str, Any] = {"http": [rule]} if kind == "http" else {"http": [], "tcp": [rule]}
        found.append(virtual_service(name=name, hosts=[name], **told))
    labels = {"version": "v1", INJECT_LABEL: "true"}
    return [*found, *(deployment(f"s{number}", labels=labels) for number in range(3))]


def admitted(count: int) -> tuple[Object, ...]:
    """Give them as they are stored."""
    judged = admit(of_services(count), ())
    assert judged.problems == ()
    return apply_changes.merge(judged.objects, (), "/")[0]


def pods_of(objects: Sequence[Object]) -> tuple[Any, ...]:
    return plan.place(plan.blueprints(objects), (), lambda needed: range(20_000, 20_000 + needed))


def translated(objects: Sequence[Object]) -> None:
    pods = pods_of(objects)
    config = translate.sidecar(Mesh(tuple(objects), pods), pods[0], "/state")
    assert len(config.clusters) > len(traffic_rules(objects))


def shown(objects: Sequence[Object]) -> None:
    pods = [(pod.namespace, pod.labels) for pod in pods_of(objects)]
    scene = Scene(objects, pods, "shop", "istio-system")
    assert not any(each.idle for each in scene.effects(traffic_rules(objects)))


def asked(objects: Sequence[Object]) -> None:
    pods = [(pod.namespace, pod.labels) for pod in pods_of(objects)]
    client = Client("shop", {"app": "s0"}, injected=True)
    request = Request("http://s0/")
    assert str(promised(objects, pods, request, client)) == "v1=100%"
    rules = traffic_rules(objects)
    assert len(followed(rules, objects, client)) == len(rules)


WORK: dict[str, Callable[[Sequence[Object]], object]] = {
    "admission": lambda objects: admit(list(map(apply_changes.as_written, objects)), objects),
    "plan": lambda objects: list(plan.command_problems(objects, objects)),
    "translation": translated,
    "status": shown,
    "promise": asked,
}


@pytest.fixture(scope="module")
def meshes() -> dict[int, tuple[Object, ...]]:
    return {count: admitted(count) for count in (FEW, MANY)}


def calls(action: Callable[[], object]) -> int:
    """Count the calls of functions, which take the time whatever the machine."""
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def test_a_thousand_services_are_taken_and_translated() -> None:
    translated(admitted(1_000))


@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_the_number_of_services_only(
    meshes: dict[int, tuple[Object, ...]], name: str
) -> None:
    few, many = (calls(lambda: WORK[name](meshes[count])) for count in (FEW, MANY))  # noqa: B023
    assert many <= 1.2 * few * MANY / FEW
