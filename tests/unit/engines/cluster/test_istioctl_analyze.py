"""What istioctl analyze finds is worth a word, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.engines.cluster import istioctl_analyze
from meshdemo.engines.cluster.istio import istioctl
from meshdemo.errors import EnvironmentFailed, Problem
from meshdemo.objects import model, reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshdemo.engines.cluster.istio.istioctl import Istioctl

    Make = Callable[..., Any]

RULE = """
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: odd, namespace: shop}
spec:
  hosts: [app]
  gateways: [mesh, front]
  http: [{route: [{destination: {host: nobody}}]}]
"""


def finding(message: str, code: str = "IST0101", name: str = "odd") -> dict[str, str]:
    origin, level = f"VirtualService shop/{name}", "Error"
    return {"code": code, "level": level, "message": message, "origin": origin, "reference": "-:1"}


@pytest.fixture
def says(scripted: Make) -> Callable[..., Istioctl]:
    """Make an istioctl that finds this."""

    def make(*found: dict[str, str], **more: object) -> Istioctl:
        program = scripted("1.32")
        program.says({"argv": ["analyze"], "stdout": json.dumps(found), **more})
        return istioctl.Istioctl(istioctl.find(str(program.path), {}))

    return make


def rules() -> list[model.Object]:
    return list(reading.parse(RULE, "r.yaml", []))


def test_findings_about_the_users_objects_have_their_place_and_come_once(
    says: Callable[..., Istioctl],
) -> None:
    ctl = says(
        finding('Referenced host not found: "nobody"'),  # apply says so, with the line
        finding('Referenced gateway not found: "front"'),
        finding("the same host as another", "IST0109"),  # and this
        finding("somebody else's", name="other"),
        {**finding("not worth a word"), "level": "Info"},
    )
    said = [Problem("", subject="VirtualService shop/odd", code=c) for c in ("IST0101", "IST0109")]
    (found,) = istioctl_analyze.of_objects(rules(), said, "shop", lambda: ctl)
    assert str(found) == (
        'r.yaml:2: VirtualService shop/odd: Referenced gateway not found: "front" [IST0101]'
    )


def test_without_istioctl_nothing_is_said() -> None:
    def missing() -> Istioctl:
        raise EnvironmentFailed("istioctl is not there")

    assert istioctl_analyze.of_objects(rules(), [], "shop", missing) == ()


def test_an_analysis_that_is_not_allowed_says_nothing_of_objects_and_why_of_a_namespace(
    says: Callable[..., Istioctl],
) -> None:
    ctl = says(stderr="Error: secrets is forbidden\n", stdout="", exit=1)
    assert istioctl_analyze.of_objects(rules(), [], "shop", lambda: ctl) == ()
    assert istioctl_analyze.of_namespace("shop", ctl) == "not known: Error: secrets is forbidden"


def test_an_analysis_that_hangs_is_given_up(says: Callable[..., Istioctl]) -> None:
    with pytest.raises(EnvironmentFailed):
        says(hangs=60).analyze("shop", timeout=1)


def test_a_namespace_is_described_line_by_line(says: Callable[..., Istioctl]) -> None:
    ctl = says(finding("one", "IST0130"), finding("two", "IST0131"))
    assert istioctl_analyze.of_namespace("shop", ctl).splitlines() == [
        "VirtualService shop/odd: one [IST0130]",
        "VirtualService shop/odd: two [IST0131]",
    ]


def test_of_a_namespace_in_which_nothing_is_odd_that_is_said(says: Callable[..., Istioctl]) -> None:
    assert istioctl_analyze.of_namespace("shop", says()) == "nothing"
