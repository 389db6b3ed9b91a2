"""Broken meshes, really built and measured: each has its cause named, with its place and a fix."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.conftest import changed, end_of
from tests.contract.test_client_reach import INJECTED, app, client
from tests.contract.test_local_mesh import load
from tests.objects import deployment, made, service, to
from tests.objects import destination_rule as rule_for
from tests.objects import virtual_service as routed

from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.local.envoy import config_files
from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading
from meshdemo.objects.labels import COMMAND
from meshdemo.objects.labels import INJECT_LABEL as LABEL
from meshdemo.settings import Settings
from meshdemo.verdict import expectation
from meshdemo.verdict.judgement import Outcome
from meshdemo.verdict.precision import Precision
from meshdemo.verdict.traffic import Request
from meshdemo.verdict.version_source import VersionSource
from meshdemo.walkthrough import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshdemo.objects.model import Object

SECONDS = 60
REQUESTS = 40
CHANCE = 1e-6
"""How often a split that is right may be taken for another one: else the cause is another, too."""
virtual_service = partial(routed, namespace="default")
destination_rule = partial(rule_for, namespace="default")
HTTP = {"name": "http", "port": 80, "targetPort": 8080}
PORT = {"ports": [{"containerPort": 8080}]}
SERVICE = service(HTTP, namespace="default")
SUBSETS = destination_rule("v1", "v2")
BASE = (SERVICE, app("v1", **INJECTED), app("v2", **INJECTED), client())


def route(*ways: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"route": list(ways), **more}


TO_V2 = virtual_service(route(to("v2")))


@dataclass(frozen=True)
class Broken:
    """A mesh in which something is wrong, and the cause that must be named."""

    name: str
    objects: tuple[Object, ...]
    field: str
    """Where it is, in which object."""
    subject: str
    fix: str
    """A part of what to do."""
    expect: str = "v2=100%"
    says: str = ""
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    loaded: bool = False
    """Whether others send requests meanwhile."""
    by: str = ""
    """Where an answer is to name its version."""


ELSEWHERE = (
    SUBSETS,
    service(HTTP, name="other", namespace="default", selector={"app": "other"}),
    virtual_service(route(to(host="other"))),
    deployment("other", namespace="default", container=PORT),
)
"""A rule leads to another app, which names no version."""
MESHES = {
    "right mesh, wrong expectation": Broken(
        "rules-say-otherwise",
        (SUBSETS, virtual_service(route(to("v1", 50), to("v2", 50)))),
        "spec.http[0].route",
        "VirtualService default/app",
        "meshdemo verify --expect v1=50%,v2=50%",
        says="v1=50%,v2=50%",
    ),
    "no pod behind a subset": Broken(
        "no-pods",
        (
            destination_rule(
                subsets=[
                    {"name": "v1", "labels": {"version": "v1"}},
                    {"name": "v2", "labels": {"version": "v3"}},
                ]
            ),
            TO_V2,
        ),
        "spec.subsets[1]",
        "DestinationRule default/app",
        "labels",
        says="version: v3",
    ),
    "no pod behind a service": Broken(
        "no-pods",
        (
            service(HTTP, namespace="default", selector={"app": "ap"}),
            SUBSETS,
            TO_V2,
        ),
        "spec.selector",
        "Service default/app",
        "labels",
        says="app=ap",
    ),
    "a match that fails": Broken(
        "rules-say-otherwise",
        (
            SUBSETS,
            virtual_service(
                route(to("v2"), match=[{"headers": {"x-user": {"exact": "Anna"}}}]),
                route(to("v1")),
            ),
        ),
        "spec.http[1].route",
        "VirtualService default/app",
        "change the weights",
        says="rule #0 would give what is expected, and does not match: headers.x-user is 'anna'",
        headers=(("x-user", "anna"),),
    ),
    "a rule for another port": Broken(
        "rules-say-otherwise",
        (SUBSETS, virtual_service(route(to("v2"), match=[{"port": 8099}]))),
        "",
        "",
        "change the rules",
        says="VirtualService default/app does not decide: none of its http rules is for port 80",
    ),
    "a rule that answers itself": Broken(
        "rules-say-otherwise",
        (SUBSETS, virtual_service({"directResponse": {"status": 503}})),
        "spec.http[0].directResponse",
        "VirtualService default/app",
        "change the rules",
    ),
    "a Sidecar that hides the app": Broken(
        "rule-out-of-reach",
        (
            SUBSETS,
            TO_V2,
            made(
                "Sidecar",
                "narrow",
                "default",
                workloadSelector={"labels": {"app": "testclient"}},
                egress=[{"hosts": ["other/*"]}],
            ),
        ),
        "spec.egress",
        "Sidecar default/narrow",
        "add default/*",
    ),
    "another DestinationRule has the subset": Broken(
        "other-rule-wins",
        (
            destination_rule(subsets=[{"name": "v2", "labels": {"version": "v1"}}], name="a-first"),
            destination_rule("v1", "v2", name="b-second"),
            TO_V2,
        ),
        "spec.subsets",
        "DestinationRule default/a-first",
        "meshdemo delete destinationrule a-first",
    ),
    "a subset with a wrong label": Broken(
        "subset-mislabelled",
        (destination_rule(subsets=[{"name": "v2", "labels": {"version": "v1"}}]), TO_V2),
        "spec.subsets[0].labels",
        "DestinationRule default/app",
        "version: v2",
        says="version: v1",
    ),
    "no such subset": Broken(
        "subset-missing",
        (destination_rule("v1"), TO_V2),
        "spec.http[0].route[0].destination.subset",
        "VirtualService default/app",
        'add the subset "v2"',
        says="503",
    ),
    "no DestinationRule": Broken(
        "subset-missing",
        (TO_V2,),
        "spec.http[0].route[0].destination.subset",
        "VirtualService default/app",
        'add the subset "v2"',
    ),
    "a destination that is not there": Broken(
        "destination-unknown",
        (SUBSETS, virtual_service(route(to("v2", host="ap")))),
        "spec.http[0].route[0].destination.host",
        "VirtualService default/app",
        "app.default.svc.cluster.local",
    ),
    "a port that is not there": Broken(
        "destination-unknown",
        (SUBSETS, virtual_service(route(to("v2", port={"number": 8099})))),
        "spec.http[0].route[0].destination.port",
        "VirtualService default/app",
        "name a port that is there: 80",
        says="has no port 8099",
    ),
    "a typo in the host": Broken(
        "unknown-host",
        (SUBSETS, virtual_service(route(to("v2")), hosts=["aap"])),
        "spec.hosts[0]",
        "VirtualService default/app",
        "name app.default.svc.cluster.local",
    ),
    "a short name in another namespace": Broken(
        "unknown-host",
        (SUBSETS, routed(route(to("v2")), namespace="rules")),
        "spec.hosts[0]",
        "VirtualService rules/app",
        "name app.default.svc.cluster.local",
        says="app.rules.svc.cluster.local",
    ),
    "another VirtualService has the host": Broken(
        "other-rule-wins",
        (
            SUBSETS,
            virtual_service(route(to("v1")), name="a-first"),
            virtual_service(route(to("v2")), name="b-second"),
        ),
        "spec.hosts",
        "VirtualService default/a-first",
        "meshdemo delete virtualservice a-first",
    ),
    "the port is not HTTP": Broken(
        "port-is-not-http",
        (service({**HTTP, "name": "tcp"}, namespace="default"), SUBSETS, TO_V2),
        "spec.ports[0]",
        "Service default/app",
        "name it http",
    ),
    "a rule that is exported away": Broken(
        "rule-out-of-reach",
        (SUBSETS, virtual_service(route(to("v2")), exportTo=["elsewhere"])),
        "spec.exportTo",
        "VirtualService default/app",
        "add default",
    ),
    "a rule for a gateway": Broken(
        "rule-out-of-reach",
        (SUBSETS, virtual_service(route(to("v2")), gateways=["front"])),
        "spec.gateways",
        "VirtualService default/app",
        "add mesh",
    ),
    "a DestinationRule in another namespace": Broken(
        "rule-out-of-reach",
        (
            rule_for(
                "v1",
                "v2",
                namespace="rules",
                host="app.default.svc.cluster.local",
            ),
            TO_V2,
        ),
        "metadata.namespace",
        "DestinationRule rules/app",
        "move it to default",
    ),
    "an earlier match": Broken(
        "earlier-rule-takes-it",
        (
            SUBSETS,
            virtual_service(
                route(to("v1"), match=[{"uri": {"prefix": "/"}}]),
                route(to("v2"), match=[{"uri": {"prefix": "/v2"}}]),
            ),
        ),
        "spec.http[0]",
        "VirtualService default/app",
        "put rule #1 before rule #0",
        path="v2",
    ),
    "a catch-all before it": Broken(
        "earlier-rule-takes-it",
        (
            SUBSETS,
            virtual_service(route(to("v1")), route(to("v2"), match=[{"uri": {"prefix": "/v2"}}])),
        ),
        "spec.http[0]",
        "VirtualService default/app",
        "put rule #1 before rule #0",
        path="v2",
    ),
    "no match": Broken(
        "no-rule-matches",
        (SUBSETS, virtual_service(route(to("v2"), match=[{"uri": {"prefix": "/v2"}}]))),
        "spec.http[0].match",
        "VirtualService default/app",
        "correct the match",
        says="uri",
    ),
    "a fault": Broken(
        "fault-in-force",
        (
            SUBSETS,
            virtual_service(
                route(
                    to("v2"),
                    fault={"abort": {"httpStatus": 418, "percentage": {"value": 100}}},
                )
            ),
        ),
        "spec.http[0].fault.abort",
        "VirtualService default/app",
        "take the fault out",
        says="40 of 40 answers were 418",
    ),
    "a timeout": Broken(
        "timed-out",
        (SUBSETS, virtual_service(route(to("v2"), timeout="0.05s"))),
        "spec.http[0].timeout",
        "VirtualService default/app",
        "allow more time",
        headers=(("x-echo-delay", "0.3"),),
    ),
    "retries of what fails": Broken(
        "retries-used-up",
        (
            SUBSETS,
            virtual_service(route(to("v2"), retries={"attempts": 2, "retryOn": "5xx"})),
        ),
        "spec.http[0].retries",
        "VirtualService default/app",
        "meshdemo logs app-v2-",
        says="40 of 40 requests have the flag URX",
        headers=(("x-echo-status", "500"),),
    ),
    "retries that are used up": Broken(
        "timed-out",
        (
            SUBSETS,
            virtual_service(route(to("v2"), retries={"attempts": 1, "perTryTimeout": "0.05s"})),
        ),
        "spec.http[0].retries",
        "VirtualService default/app",
        "allow more time",
        says="1 retries",
        headers=(("x-echo-delay", "0.3"),),
    ),
    "a full pool": Broken(
        "pool-is-full",
        (
            destination_rule(
                "v1",
                "v2",
                trafficPolicy={
                    "connectionPool": {
                        "http": {"http2MaxRequests": 1},
                    }
                },
            ),
            TO_V2,
        ),
        "spec.trafficPolicy.connectionPool",
        "DestinationRule default/app",
        "raise its limits",
        loaded=True,
    ),
    "ejected pods": Broken(
        "pods-ejected",
        (
            destination_rule(
                "v1",
                "v2",
                trafficPolicy={
                    "outlierDetection": {
                        "consecutive5xxErrors": 1,
                        "interval": "1s",
                        "baseEjectionTime": "60s",
                        "maxEjectionPercent": 100,
                    }
                },
            ),
            TO_V2,
        ),
        "spec.trafficPolicy.outlierDetection",
        "DestinationRule default/app",
        "eject fewer",
        headers=(("x-echo-status", "500"),),
    ),
    "an app that is slower than anybody waits": Broken(
        "given-up",
        (SUBSETS, TO_V2),
        "",
        "",
        "meshdemo logs app-v2",
        says="after 10 s, without an answer 40 of 40 requests",
        headers=(("x-echo-delay", "11"),),
    ),
    "scaled to 0": Broken(
        "no-pods",
        (changed(app("v2", **INJECTED), replicas=0), SUBSETS, TO_V2),
        "spec.replicas",
        "Deployment default/app-v2",
        "kubectl scale deployment app-v2",
    ),
    "other answers, with another status": Broken(
        "answers-from-elsewhere",
        ELSEWHERE,
        "spec.http[0].route",
        "VirtualService default/app",
        "correct the rule",
        headers=(("x-echo-status", "404"),),
    ),
    "other answers": Broken(
        "answers-from-elsewhere",
        ELSEWHERE,
        "spec.http[0].route",
        "VirtualService default/app",
        "correct the rule",
    ),
}
TO_CART = (
    service(HTTP, name="cart", namespace="default", selector={"app": "cart"}),
    virtual_service(route(to(host="cart"))),
    deployment("cart", namespace="default", labels={"version": "v2"}, container=PORT),
)
"""A rule leads to another Service, and is right to: its pods have the version."""
FROM_ELSEWHERE = {
    "the version is looked for where it is not": (TO_CART, "json:pod", (), ["version-unnamed"]),
    "the app fails": (TO_CART, "", (("x-echo-status", "404"),), []),
    "the other app, which has no such version, fails": (
        ELSEWHERE,
        "",
        (("x-echo-status", "500"),),
        ["answers-from-elsewhere"],
    ),
}
RULES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec:
  hosts: [app]
  http:
  - route:
    - destination:
        host: app
        subset: v2
"""
CRASHES = "sh -c 'echo out of coffee >&2; exit 3'"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Start two versions of an app and a client once, for all of these meshes."""
    folder = tmp_path_factory.mktemp("causes")
    engine = LocalEngine(Settings(state_dir=folder / "state", timeout=SECONDS))
    try:
        engine.apply(BASE)
        engine.wait_ready(BASE, SECONDS)
        yield engine
    finally:
        assert [check for check in engine.down() if not check.ok] == []


def measured(mesh: LocalEngine, broken: Broken) -> verify.Measured:
    before = {item.key: item for item in mesh.objects()}
    mesh.apply(broken.objects)
    mesh.wait_ready([item for item in broken.objects if item.makes_pods], SECONDS)
    try:
        question = verify.Question(
            expectation=expectation.parse(broken.expect),
            request=Request(f"http://app/{broken.path}", headers=broken.headers),
            requests=REQUESTS,
            precision=Precision(error_rate=CHANCE),
            source=VersionSource.parse(broken.by) if broken.by else None,
        )
        others = load(mesh.proxy_url(), "http://app/", 4, "0.2") if broken.loaded else nullcontext()
        with others:
            return end_of(verify.measure(mesh, question))
    finally:
        mesh.delete([item for item in broken.objects if item.key not in before])
        mesh.apply([before[item.key] for item in broken.objects if item.key in before])


@pytest.mark.parametrize("case", MESHES)
def test_the_cause_is_named_with_its_place_and_a_fix(mesh: LocalEngine, case: str) -> None:
    broken = MESHES[case]
    found = measured(mesh, broken)
    assert found.verdict.outcome is not Outcome.MET
    assert [cause.name for cause in found.causes] == [broken.name], found
    (cause,) = found.causes
    assert (cause.place.subject, cause.place.field) == (broken.subject, broken.field)
    assert broken.fix in cause.fix
    assert broken.says in " ".join([cause.message, *cause.evidence])
    assert cause.evidence
    assert cause.verified


@pytest.mark.parametrize("case", FROM_ELSEWHERE)
def test_answers_are_from_elsewhere_only_where_that_is_what_is_wrong(
    mesh: LocalEngine, case: str
) -> None:
    objects, by, headers, names = FROM_ELSEWHERE[case]
    found = measured(mesh, Broken("", objects, "", "", "", headers=headers, by=by))
    assert found.verdict.outcome is Outcome.NOT_MET
    assert [cause.name for cause in found.causes] == names


def test_where_pods_fail_or_name_no_version_both_is_said(mesh: LocalEngine) -> None:
    spread = virtual_service(route(to()))
    fails = (("x-echo-status", "500"), ("x-echo-only", "v1"))
    found = measured(mesh, Broken("", (spread,), "", "", "", headers=fails, by="json:pod"))
    (cause,) = found.causes
    assert cause.name == "version-unnamed"
    failed = found.tally.others["HTTP 500"]
    assert 0 < failed < REQUESTS
    assert cause.evidence[0].startswith(
        f"{REQUESTS - failed} of {REQUESTS}: unknown answer 'app-v2-"
    )
    assert "--by" in cause.fix


def test_a_client_without_a_sidecar(mesh: LocalEngine) -> None:
    bare = deployment("testclient", namespace="default", labels={LABEL: "false"})
    broken = Broken(
        "client-without-sidecar",
        (SUBSETS, TO_V2, bare),
        "spec.template",
        "Deployment default/testclient",
        "meshdemo inject",
    )
    found = measured(mesh, broken)
    (cause,) = found.causes
    assert (cause.name, cause.fix) == (broken.name, broken.fix)
    assert (cause.place.subject, cause.place.field) == (broken.subject, broken.field)


def test_the_place_is_a_line_of_the_file_that_was_applied(
    mesh: LocalEngine, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    rules = reading.read([str(file)], namespace="default")
    (cause,) = measured(mesh, Broken("", rules, "", "", "")).causes
    assert cause.name == "subset-missing"
    assert cause.place.file.endswith("rules.yaml")
    assert "subset: v2" in RULES.splitlines()[cause.place.line - 1]


def test_a_host_that_is_called_and_not_there(mesh: LocalEngine) -> None:
    question = verify.Question(
        expectation=expectation.parse("v2=100%"), request=Request("http://ap/"), requests=5
    )
    found = end_of(verify.measure(mesh, question))
    (cause,) = found.causes
    assert cause.name == "unknown-host"
    assert "app" in cause.fix


def test_a_pod_that_crashes_is_named_with_its_last_words(mesh: LocalEngine) -> None:
    (right,) = (item for item in BASE if item.name == "app-v2")
    metadata = {**right.pod_template["metadata"], "annotations": {COMMAND: CRASHES}}
    template = {**right.pod_template, "metadata": metadata}
    container = {**template["spec"]["containers"][0], "image": "example.org/crashes"}
    crashing = right.with_pod_template({**template, "spec": {"containers": [container]}})
    mesh.apply([SUBSETS, TO_V2, crashing])
    try:
        with pytest.raises(EnvironmentFailed):
            mesh.wait_ready([crashing], SECONDS)
        question = verify.Question(
            expectation=expectation.parse("v2=100%"), request=Request("http://app/"), requests=20
        )
        (cause,) = end_of(verify.measure(mesh, question)).causes
    finally:
        mesh.delete([SUBSETS, TO_V2])
        mesh.apply([right])
        mesh.wait_ready([right], SECONDS)
    assert cause.name == "pod-not-ready"
    assert cause.place.subject == "Deployment default/app-v2"
    assert "out of coffee" in " ".join(cause.evidence)
    assert cause.fix.startswith("meshdemo logs app-v2-")


def test_configuration_that_the_sidecar_has_not_taken(mesh: LocalEngine) -> None:
    """Something else than the rules leads it, and its Envoy rejects what came after that."""
    sidecar = mesh._runtime().layout.sidecar(mesh._caller().pod)
    routes = sidecar.folder / config_files.ROUTES
    to_v1 = virtual_service(route(to("v1")))

    def overwrite(text: str) -> None:
        new = routes.with_suffix(".new")
        new.write_text(text)
        new.rename(routes)

    mesh.apply([SUBSETS, to_v1])
    before = routes.read_text()
    mesh.apply([TO_V2])
    try:
        overwrite(before)
        version = json.loads(before)["version_info"]
        while version not in "".join(sidecar.admin.stats(config_files.STATS).values()):
            time.sleep(0.01)
        twice = before.replace('"domains":[', '"domains":["twice","twice",', 1)
        overwrite(twice.replace(version, f"{version}1"))
        question = verify.Question(
            expectation=expectation.parse("v2=100%"), request=Request("http://app/"), requests=20
        )
        found = end_of(verify.measure(mesh, question))
    finally:
        mesh.delete([SUBSETS, TO_V2])
    (cause,) = found.causes
    assert found.tally.versions == {"v1": 20, "v2": 0}
    assert cause.name == "configuration-not-live"
    assert "twice" in " ".join(cause.evidence)


def test_a_sample_that_is_too_small_is_said_to_be_that(mesh: LocalEngine) -> None:
    mesh.apply([SUBSETS, TO_V2])
    try:
        question = verify.Question(
            expectation=expectation.parse("v2=100%"), request=Request("http://app/"), max_requests=9
        )
        found = end_of(verify.measure(mesh, question))
    finally:
        mesh.delete([SUBSETS, TO_V2])
    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert [cause.name for cause in found.causes] == ["sample-cut-short"]
    assert "--max-requests" in found.causes[0].fix


def test_of_a_measurement_that_broke_off_the_evidence_says_why(mesh: LocalEngine) -> None:
    mesh.apply([SUBSETS, TO_V2])
    try:
        question = verify.Question(
            expectation.parse("v2=100%"), Request("http://app/"), requests=50_000, timeout=0.5
        )
        found = end_of(verify.measure(mesh, question))
    finally:
        mesh.delete([SUBSETS, TO_V2])
    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    assert "--timeout" in " ".join(found.verdict.evidence)
    assert not found.causes


def test_what_is_met_has_no_cause(mesh: LocalEngine) -> None:
    right = Broken("", (SUBSETS, TO_V2), "", "", "")
    found = measured(mesh, right)
    assert found.verdict.outcome is Outcome.MET
    assert found.causes == ()
