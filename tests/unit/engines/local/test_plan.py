"""Which pods there are, and where their ports are."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from tests.objects import deployment, service

from meshdemo.engines.local import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.objects.model import Object


def taker(start: int = 20_000) -> Callable[[int], list[int]]:
    numbers = count(start)
    return lambda wanted: [next(numbers) for _ in range(wanted)]


def pods(*objects: Object, before: tuple[PlannedPod, ...] = ()) -> tuple[PlannedPod, ...]:
    return plan.place(plan.blueprints(objects), before, taker(30_000 if before else 20_000))


def numbers(pod: PlannedPod) -> set[int]:
    return {port.number for port in pod.ports}


def test_names_look_like_those_of_kubernetes_and_repeat() -> None:
    first, second = pods(deployment(replicas=2))
    assert first.name != second.name
    assert re.fullmatch(r"app-[a-z0-9]{10}-[a-z0-9]{5}", first.name)
    assert pods(deployment(replicas=2))[0].name == first.name


def test_a_changed_template_gives_other_pods_and_changed_replicas_do_not() -> None:
    (one,) = pods(deployment())
    assert one in pods(deployment(replicas=3))
    (other,) = pods(deployment(container={"env": [{"name": "A", "value": "b"}]}))
    assert other.name != one.name


@given(name=st.text("abc-", min_size=1, max_size=250).map(lambda text: f"a{text}a"))
def test_no_pod_name_is_longer_than_a_host_name_may_be(name: str) -> None:
    (pod,) = pods(deployment(name))
    assert len(pod.name) <= 63


def test_a_pod_has_its_declared_ports_those_of_services_and_those_of_its_image() -> None:
    declared = {
        "ports": [{"containerPort": 8080, "name": "web"}, {"containerPort": 53, "protocol": "UDP"}]
    }
    chosen = service(
        {"port": 80, "targetPort": "web"}, {"port": 81}, {"port": 82, "targetPort": "absent"}
    )
    assert numbers(*pods(deployment(container=declared), chosen)) == {8080, 81}
    assert numbers(*pods(deployment(container={"image": "dustise/flaskapp"}))) == {80}
    assert numbers(*pods(deployment(), service({"port": 80}, selector={"app": "other"}))) == set()


def test_an_injected_pod_has_a_place_for_its_sidecar_at_every_port() -> None:
    labels = {"sidecar.istio.io/inject": "true"}
    (pod,) = pods(deployment(labels=labels), service({"port": 80}))
    assert pod.outbound
    assert all(port.inbound and port.inbound != port.app for port in pod.ports)
    (plain,) = pods(deployment(), service({"port": 80}))
    assert not plain.outbound
    assert not any(port.inbound for port in plain.ports)


def test_an_unchanged_pod_keeps_its_places_and_only_new_ports_get_new_ones() -> None:
    before = pods(deployment(), service({"port": 80}))
    (after,) = pods(deployment(), service({"port": 80}, {"port": 81}), before=before)
    kept = {port.number: port.app for port in before[0].ports}
    now = {port.number: port.app for port in after.ports}
    assert now[80] == kept[80]
    assert now[81] >= 30_000


def test_a_place_that_is_lost_is_replaced() -> None:
    before = pods(deployment(), service({"port": 80}))
    lost = frozenset({before[0].ports[0].app})
    (after,) = plan.place(
        plan.blueprints([deployment(), service({"port": 80})]), before, taker(30_000), lost
    )
    assert after.ports[0].app == 30_000
    assert after.name == before[0].name


def test_no_place_is_given_twice() -> None:
    labels = {"sidecar.istio.io/inject": "true"}
    found = pods(deployment(replicas=4, labels=labels), service({"port": 80}, {"port": 81}))
    assert len(plan.places(found)) == 4 * (1 + 2 * 2)


def test_pods_survive_being_written_down() -> None:
    found = pods(deployment(replicas=2), service({"port": 80}))
    assert plan.from_record(plan.to_record(found)) == found
