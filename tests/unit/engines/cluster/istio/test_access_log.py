"""The access log of a cluster's sidecars: whether there is any, and which lines are of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.objects import manifest

from meshdemo.engines.cluster.istio import access_log
from meshdemo.errors import EnvironmentFailed

ON = [{"providers": [{"name": "envoy"}]}]
VERSION = "telemetry.istio.io/v1alpha1"


def mesh(text: str) -> dict[str, Any]:
    return {**manifest("ConfigMap", "istio", "istio-system"), "data": {"mesh": text}}


def telemetry(namespace: str, logging: list[dict[str, Any]]) -> dict[str, Any]:
    return manifest("Telemetry", "log", namespace, version=VERSION, accessLogging=logging)


@pytest.mark.parametrize(
    "objects",
    [
        [mesh("accessLogFile: /dev/stdout")],
        [telemetry("shop", ON)],
        [telemetry("istio-system", ON)],
        [telemetry("shop", [{"disabled": True}]), telemetry("istio-system", ON)],
    ],
    ids=["mesh", "namespace", "root", "one of two"],
)
def test_whatever_turns_it_on_is_enough(kube: Any, objects: list[dict[str, Any]]) -> None:
    kube.put(*objects)
    access_log.require(kube, "shop", "istio-system")


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [mesh("accessLogFile: ''")],
        [telemetry("elsewhere", ON)],
        [telemetry("shop", [{"disabled": True}])],
    ],
    ids=["nothing", "empty", "elsewhere", "disabled"],
)
def test_where_it_is_off_what_turns_it_on_is_said(kube: Any, objects: list[dict[str, Any]]) -> None:
    kube.put(*objects)
    with pytest.raises(EnvironmentFailed, match="write no access log") as error:
        access_log.require(kube, "shop", "istio-system")
    _, _, text = error.value.hint.partition("<<'END'\n")
    found = yaml.safe_load(text.removesuffix("\nEND"))
    kube.put(found)
    access_log.require(kube, "shop", "istio-system")


def test_where_one_may_not_look_the_log_itself_is_to_show(kube: Any) -> None:
    kube.forbidden = {"ConfigMap", "Telemetry"}
    access_log.require(kube, "shop", "istio-system")


def test_lines_of_the_proxy_itself_are_left_out() -> None:
    lines = [
        "2026-01-01T00:00:00.0Z\tinfo\tReadiness succeeded",
        '[2026-01-01T00:00:01.000Z] "GET / HTTP/1.1" 200 - via_upstream',
        "[2026-01-01 00:00:01.000][19][warning][config] gRPC stream closed",
        '{"response_code":200,"method":"GET"}',
        '[2026-01-01T00:00:02.000Z] "- - -" 0 UF - -',
    ]
    assert list(access_log.only(lines)) == [lines[1], lines[3], lines[4]]
    assert list(access_log.only(lines, tail=1)) == lines[4:]
