"""Every engine, each test with a mesh of its own that is gone afterwards.

The cluster engine is tested where ``MESHDEMO_E2E_CONTEXT`` names the context of a cluster with
Istio in it: nobody's cluster is tested by a guess.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.paths import MANIFESTS

from meshdemo.engines.local.engine import LocalEngine
from meshdemo.engines.protocol import say_nothing
from meshdemo.objects import reading
from meshdemo.settings import Settings
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.events import Story
    from meshdemo.walkthrough.verify import Measured

LOCAL, CLUSTER = "local", "cluster"
CONTEXT = os.environ.get("MESHDEMO_E2E_CONTEXT", "")
KUBECONFIG = os.environ.get("KUBECONFIG")  # read before the tests' environment is cleaned
ENGINES = (LOCAL, CLUSTER) if CONTEXT else (LOCAL,)
SECONDS = 60
CLUSTER_SECONDS = 120
"""A pod starts in five seconds there, three in one, and the machine may be busy."""


def changed(item: Object, **spec: Any) -> Object:
    return item.with_data({**item.data, "spec": {**item.spec, **spec}})


def run_of(engine: LocalEngine) -> str:
    run = engine.store.run()
    assert run
    return run.run


def end_of(story: Story[Measured]) -> Measured:
    """Let a story happen, and give what it comes to."""
    while True:
        try:
            next(story)
        except StopIteration as end:
            found: Measured = end.value
            return found


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", timeout=SECONDS)


@pytest.fixture
def local(settings: Settings) -> Iterator[LocalEngine]:
    """Give the local engine itself, for what it promises beyond the protocol."""
    made = LocalEngine(settings)
    yield made
    wrong = [check for check in made.down() if not check.ok]
    assert not wrong


@pytest.fixture(scope="session")
def cluster_namespace() -> Iterator[str]:
    """Make a namespace that all tests use: to make and remove one takes six seconds."""
    from meshdemo.engines.cluster.api.kube import Kube  # noqa: PLC0415 - only where there is a cluster

    kube = Kube.open(Settings(kubeconfig=KUBECONFIG, context=CONTEXT))
    name = f"contract-{uuid.uuid4().hex[:8]}"
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    kube.delete("v1", "Namespace", name)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Engine]:
    made = _open(request, settings)
    yield made
    wrong = [check for check in made.down(everything=request.param == LOCAL) if not check.ok]
    assert not wrong


def _open(request: pytest.FixtureRequest, settings: Settings) -> Engine:
    if request.param == LOCAL:
        return LocalEngine(settings, say_nothing)
    from meshdemo.engines.cluster import ClusterEngine  # noqa: PLC0415 - as above

    chosen = replace(
        settings,
        kubeconfig=KUBECONFIG,
        context=CONTEXT,
        namespace=request.getfixturevalue("cluster_namespace"),
        timeout=CLUSTER_SECONDS,
    )
    return ClusterEngine(chosen, say_nothing)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests on a cluster the time that pods take there."""
    for item in items:
        if "[cluster" in item.name:
            item.add_marker(pytest.mark.timeout(4 * CLUSTER_SECONDS))


@pytest.fixture
def walkthrough(engine: Engine) -> dict[str, tuple[Object, ...]]:
    """Give the article's objects by the names of their files."""
    space = engine.where.namespace
    return {p.stem: reading.read([str(p)], namespace=space) for p in MANIFESTS.glob("*.yaml")}


@pytest.fixture
def workloads(engine: Engine, walkthrough: dict[str, tuple[Object, ...]]) -> tuple[Object, ...]:
    found = (*walkthrough["app-istio"], *walkthrough["test-client"])
    return found if engine.where.engine == LOCAL else tuple(map(_soon_ended, found))


def _soon_ended(item: Object) -> Object:
    """Give its pods a second to end: the app ignores SIGTERM, and would take all of 30."""
    if item.kind != "Deployment":
        return item
    template = item.pod_template
    pod = {**template["spec"], "terminationGracePeriodSeconds": 1}
    return item.with_data(
        {**item.data, "spec": {**item.spec, "template": {**template, "spec": pod}}}
    )


@pytest.fixture
def rules(walkthrough: dict[str, tuple[Object, ...]]) -> tuple[Object, ...]:
    return (*walkthrough["app-destinationrule"], *walkthrough["app-default-vs-v2"])


@pytest.fixture
def up(
    engine: Engine, workloads: tuple[Object, ...], rules: tuple[Object, ...]
) -> Callable[[], None]:
    """Make the walkthrough's objects true, with sidecars."""

    def apply() -> None:
        objects = engine.inject([*workloads, *rules])
        engine.apply(objects)
        engine.wait_ready(objects, SECONDS)

    return apply


@pytest.fixture
def deploy(engine: Engine) -> Callable[..., None]:
    """Apply objects and wait until they are true."""

    def apply(*objects: Object) -> None:
        engine.apply(objects)
        engine.wait_ready(objects, CLUSTER_SECONDS)

    return apply


@pytest.fixture
def client(workloads: tuple[Object, ...], deploy: Callable[..., None]) -> tuple[Object, ...]:
    """Run a mesh of one pod without a sidecar, the test client, which is quick to make."""
    client = tuple(item for item in workloads if item.name == "testclient")
    deploy(*client)
    return client


@pytest.fixture
def answers(engine: Engine) -> Callable[..., Counter[str]]:
    """Send requests, and count what came back: a body, or a status that is not 200."""

    def count(number: int = 100, url: str = "http://app/env/version") -> Counter[str]:
        replies = engine.send(Request(url), number, SECONDS)
        return Counter(
            r.error or (r.body if r.status == 200 else f"HTTP {r.status}") for r in replies
        )

    return count
