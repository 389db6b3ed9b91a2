"""What istiod says of a sidecar, as istioctl 1.10 to 1.32 print it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.engines.cluster.conftest import istiod

from meshdemo.engines.cluster.istio import istioctl, proxy_status
from meshdemo.engines.cluster.istio.istioctl import Istioctl

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.results import Sync

ME = "testclient-1.shop"
XDS = "type.googleapis.com/envoy.config."
TYPES = {
    "CDS": f"{XDS}cluster.v3.Cluster",
    "LDS": f"{XDS}listener.v3.Listener",
    "RDS": f"{XDS}route.v3.RouteConfiguration",
    "EDS": f"{XDS}endpoint.v3.ClusterLoadAssignment",
    "ECDS": f"{XDS}core.v3.TypedExtensionConfig",
}
TABLE_1_11 = """\
NAME                CLUSTER        CDS        LDS        EDS        RDS        ECDS         ISTIOD      VERSION
app-1.shop          Kubernetes     SYNCED     SYNCED     SYNCED     SYNCED     NOT SENT     istiod-1    1.11.0
testclient-1.shop   Kubernetes     SYNCED     %s     SYNCED     NOT SENT   NOT SENT     istiod-1    1.11.0
"""  # noqa: E501 - as it is printed
DUMP = "goo.gle/debugonly\nname: 'x' virtual_hosts { }\n"


def said(*clients: dict[str, Any], proxy: str = ME) -> str:
    """Write what one istiod says of some proxies."""
    node = {"id": proxy, "metadata": {"NAMESPACE": "shop"}}
    return json.dumps({"resources": [{"node": node, **client} for client in clients]}, indent=4)


def now(**states: str | dict[str, Any]) -> dict[str, Any]:
    """Say how far the types are: the state, or more than that."""
    given = {name: states.get(name, "SYNCED") for name in TYPES}
    told = {k: {"configStatus": v} if isinstance(v, str) else v for k, v in given.items()}
    return {"genericXdsConfigs": [{"typeUrl": TYPES[name], **told[name]} for name in TYPES]}


REJECTED = {"configStatus": "ERROR", "errorState": {"details": "Error adding\n  listener(s)"}}
LONG = f"{DUMP}: Proto constraint validation failed (Key: too short)"


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (said(now(ECDS="NOT_SENT")), []),
        (said(now(RDS="STALE")), ["its routes (RDS) are STALE: sent, and not acknowledged"]),
        (said(now(CDS="NOT_SENT", RDS="NOT_SENT")), ["its clusters (CDS) were NOT SENT"]),
        (
            said(now(LDS=REJECTED)),
            ["its listeners (LDS) were rejected by Envoy: Error adding listener(s)"],
        ),
        (
            said(now(RDS={"configStatus": "ERROR", "errorState": {"details": LONG}})),
            ["rejected by Envoy: Proto constraint validation failed (Key: too short)"],
        ),
        (
            said({"xdsConfig": [{"status": "STALE", "routeConfig": {}}]}),  # 1.11
            ["its routes (RDS) are STALE: sent, and not acknowledged"],
        ),
        (said(now(), proxy="other-1.shop"), None),
        # Several istiods: each says what it knows, and one of them may know of a connection that
        # is no more.
        (said(now(), proxy="other-1.shop") + "\n" + said(now(CDS="STALE")), ["its clusters (CDS)"]),
        (said(now(CDS="STALE")) + "\n" + said(now()), []),
        (TABLE_1_11 % "SYNCED", []),
        (TABLE_1_11 % "STALE (Never Acknowledged)", ["its listeners (LDS) are STALE"]),
        (TABLE_1_11.replace("testclient", "other") % "SYNCED", None),
        ("", None),
    ],
)
def test_what_a_sidecar_has_not_taken(output: str, parts: list[str] | None) -> None:
    found = proxy_status.read(output, ME)
    if parts is None or found is None:
        assert (found is None) == (parts is None)
        return
    assert len(found) == len(parts)
    for one, text in zip(found, parts, strict=True):
        assert str(one).startswith("istiod says: its ")
        assert text in str(one)


def test_an_istioctl_that_knows_no_json_gives_its_table(scripted: Callable[..., Any]) -> None:
    program = scripted("1.10")
    program.says(
        {
            "argv": ["proxy-status", "-n", "shop", "-o"],
            "stderr": "Error: unknown shorthand flag: 'o' in -o\n",
            "exit": 1,
        },
        {"argv": ["proxy-status", "-n", "shop"], "stdout": TABLE_1_11 % "STALE"},
    )
    ctl = Istioctl(istioctl.find(str(program.path), {}))
    assert len(proxy_status.read(ctl.proxy_status("shop"), ME) or []) == 1


def test_what_is_hidden_is_said_and_not_guessed(
    scripted: Callable[..., Any], meshed: Any, kube: Any
) -> None:
    program = scripted("1.32")
    program.says({"argv": ["proxy-status"], "stderr": "Error: pods is forbidden: no\n", "exit": 1})

    def ask(cluster: Any) -> Sync:
        return proxy_status.sync(
            cluster, ME, lambda _: Istioctl(istioctl.find(str(program.path), {}))
        )

    found = ask(meshed)
    assert not found.behind
    assert "pods is forbidden" in found.hidden
    kube.put(istiod(available=0))
    assert ask(kube).behind == ("Istio 1.32.0, revision default, in istio-system does not run",)
    calls = len(program.calls)
    kube.forbidden = {"Deployment"}
    assert not ask(kube).behind
    assert "pods/portforward" in ask(kube).hidden
    assert len(program.calls) == calls
