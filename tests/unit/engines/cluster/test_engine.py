"""``--strict`` on a cluster: the same warnings keep all from being applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from tests.objects import route, service, to, virtual_service

from meshdemo.engines.cluster.engine import ClusterEngine
from meshdemo.errors import InputError
from meshdemo.settings import Settings
from meshdemo.walkthrough import strict_check
from meshdemo.walkthrough.plan import Plan

if TYPE_CHECKING:
    from tests.unit.engines.cluster.conftest import FakeKube

    from meshdemo.engines.cluster.api.kube import Kube

SETTINGS = Settings(namespace="shop", istioctl="/nowhere/istioctl")


@pytest.fixture
def engine(kube: FakeKube) -> ClusterEngine:
    kube.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    kube.put(service().data)
    found = ClusterEngine(SETTINGS)
    found.kube = cast("Kube", kube)
    return found


@pytest.mark.parametrize("files", [(), ("app.yaml",)], ids=["walkthrough", "own"])
def test_what_is_odd_about_rules_is_refused_and_nothing_applied(
    engine: ClusterEngine, kube: FakeKube, files: tuple[str, ...]
) -> None:
    plan = Plan(SETTINGS, files, strict=True)
    with pytest.raises(InputError, match="--strict: there are warnings") as refusal:
        strict_check.require_no_warnings(engine, plan, [virtual_service(route(to(host="apq")))])
    (problem,) = refusal.value.problems
    assert (problem.code, problem.field) == ("IST0101", "spec.http[0].route[0].destination.host")
    assert ("VirtualService", "shop", "app") not in kube.objects


def test_what_is_in_order_passes(engine: ClusterEngine) -> None:
    strict_check.require_no_warnings(
        engine, Plan(SETTINGS, ("app.yaml",), strict=True), [virtual_service(route(to()))]
    )
