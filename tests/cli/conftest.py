"""An engine that only pretends, and a way to run command lines on it in this process."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from itertools import cycle, islice, takewhile
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from tests.printed import hold

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.options import Injection
from meshdemo.engines.results import (
    Applied,
    Change,
    Check,
    Container,
    MeshStatus,
    Observed,
    Pod,
    Sync,
    Where,
)
from meshdemo.engines.test_client import Sender
from meshdemo.errors import EnvironmentFailed
from meshdemo.report.progress import Progress
from meshdemo.verdict.traffic import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from threading import Event

    from meshdemo.engines.access_log import Account
    from meshdemo.engines.choice import Choice
    from meshdemo.engines.options import MeshOptions
    from meshdemo.engines.protocol import Engine, Notify
    from meshdemo.engines.upstreams import Ejected
    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.verdict.traffic import Request

LABEL = "sidecar.istio.io/inject"


@dataclass
class FakeEngine:
    """Keeps objects in memory; pods are ready at once and answer as the rules say."""

    where: Where = field(default_factory=lambda: Where("local", "", "default"))
    applied: dict[tuple[str, ...], Object] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=lambda: [Check("Envoy runs", ok=True)])
    left: list[Check] = field(default_factory=lambda: [Check("no process is left", ok=True)])
    replies: Callable[[int], Iterator[Reply]] | None = None
    fails: dict[str, BaseException] = field(default_factory=dict)
    finds_odd: bool = True
    """Whether its analyzer finds something odd about every object."""
    broken_pod: str = ""
    slow_pod: str = ""
    foreign: dict[str, str] = field(default_factory=dict)
    """Objects that are not ours, and whose they are."""
    root_namespace: str = "istio-system"
    selector: str = ""
    exit_status: int = 0
    warns: Applied = field(default_factory=Applied)
    taken_revision: str = ""
    around: MeshStatus = field(default_factory=MeshStatus)
    account: Account | None = None
    """What the client's sidecar says of a request."""
    unseen: bool = False
    """Whether it saw no request at all."""
    calls: list[str] = field(default_factory=list)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fails:
            raise self.fails[name]

    @property
    def sender(self) -> Sender:
        return Sender(self.where.namespace, self.selector)

    def check(self) -> Iterator[Check]:
        self._called("check")
        yield from self.checks

    def install(self, options: MeshOptions) -> Iterator[Check]:
        self._called("install")
        self.options = options
        yield from self.checks

    def inject(
        self,
        objects: Sequence[Object],
        injection: Injection = Injection.KUBE_INJECT,
        revision: str = "",
    ) -> tuple[Object, ...]:
        self.asked_revision = revision
        self._called("inject")
        value = {Injection.KUBE_INJECT: "true", Injection.NONE: "false"}.get(injection)
        return tuple(_label(item, value) if value else item for item in objects)

    def revision(self) -> str:
        return self.taken_revision

    def apply(self, objects: Sequence[Object], *, dry_run: bool = False) -> Applied:
        self._called("dry run" if dry_run else "apply")
        changes = []
        for item in objects:
            old = self.applied.get(item.key)
            kept = old and LABEL in _labels(old) and LABEL not in _labels(item)
            new = _label(item, _labels(old)[LABEL]) if old and kept else item
            same = "unchanged" if old and old.data == new.data else "configured"
            action = same if old else "created"
            changes.append(Change(action, item.kind, item.namespace, item.name))
            if not dry_run:
                self.applied[item.key] = new
        return Applied(tuple(changes), self.warns.warnings, self.warns.notes)

    def analyze(self, objects: Sequence[Object]) -> tuple[Problem, ...]:
        self._called("analyze")
        odd = objects if self.finds_odd else ()
        return tuple(item.problem("it is odd", code="IST0999") for item in odd)

    def delete(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        self._called("delete")
        changes = []
        for item in objects:
            whose = self.foreign.get(item.name, "")
            if item.key not in self.applied:
                continue
            if not whose:
                del self.applied[item.key]
            action = "kept" if whose else "deleted"
            changes.append(Change(action, item.kind, item.namespace, item.name, whose))
        return tuple(changes)

    def wait_ready(self, objects: Sequence[Object], timeout: float) -> None:
        self._called("wait rules" if any(o.kind == "VirtualService" for o in objects) else "wait")
        self.timeout = timeout

    def objects(self, towards: str = "") -> tuple[Object, ...]:  # noqa: ARG002 - it has them all
        return tuple(
            item
            for item in self.applied.values()
            if item.kind != "Deployment" or item.name not in self.foreign
        )

    def pods(self, towards: str = "") -> tuple[Pod, ...]:  # noqa: ARG002 - they are all here
        self._called("pods")
        return tuple(self._pod(o) for o in self.applied.values() if o.kind == "Deployment")

    def mesh_status(self) -> MeshStatus:
        return self.around

    def send(
        self, request: Request, count: int, timeout: float, enough: Event | None = None
    ) -> Iterator[Reply]:
        self._called("send")
        self.request, self.send_timeout = request, timeout
        of_mesh = cycle(Reply(200, version) for version in self._versions())
        replies = self.replies(count) if self.replies else islice(of_mesh, count)
        yield from takewhile(lambda _: not (enough and enough.is_set()), replies)

    def observe(self, request: Request, timeout: float) -> Observed:
        reply = next(self.send(request, 1, timeout))
        hidden = "" if self.account else "nobody saw it"
        return Observed(reply, 0.002, self.account, hidden, self.unseen)

    def files(self) -> dict[tuple[str, str, str, str], str]:
        return {item.key: item.file for item in self.applied.values() if item.file}

    def ejected(self) -> tuple[Ejected, ...]:
        self._called("ejected")
        return ()

    def sync(self) -> Sync:
        self._called("sync")
        return Sync()

    def exec(self, argv: Sequence[str]) -> int:
        self._called(f"exec {' '.join(argv)}".strip())
        return self.exit_status

    def logs(
        self,
        pod: str,
        container: str,
        *,
        follow: bool = False,
        tail: int = -1,
        access: bool = False,
    ) -> Iterator[str]:
        self._called("logs")
        what = "access log" if access else container
        yield f"{what} of {pod.split('-abc', maxsplit=1)[0]} {follow} {tail}"

    def proxy_url(self) -> str:
        return "http://127.0.0.1:15001"

    def images(self, options: MeshOptions) -> tuple[str, ...]:
        self.options = options
        return ("example/proxy:1",)

    def down(self, *, everything: bool = False, force: bool = False) -> Iterator[Check]:
        self._called("down --all" if everything else "down")
        self.forced = force
        self.applied.clear()
        yield from self.left

    def _pod(self, item: Object) -> Pod:
        template = item.pod_template
        image = template["spec"]["containers"][0]["image"]
        name = template["spec"]["containers"][0]["name"]
        injected = _labels(item).get(LABEL) == "true"
        broken, slow = item.name == self.broken_pod, item.name == self.slow_pod
        reason = "CrashLoopBackOff" if broken else ""
        ready = not (broken or slow)
        containers = [Container(name, image, ready, restarts=int(broken), reason=reason)]
        if injected:
            containers.append(Container("istio-proxy", "envoy", ready=True, sidecar=True))
            containers.append(Container("istio-init", "envoy", ready=True, init=True))
        return Pod(
            name=f"{item.name}-abc",
            namespace=item.namespace,
            labels=_labels(item),
            containers=tuple(containers),
            injected=injected,
            phase="Running",
            message="it crashed" if broken else "it starts" if slow else "",
            addresses=("127.0.0.1:1",),
            workload_kind="Deployment",
            workload=item.name,
        )

    def _versions(self) -> list[str]:
        rules = [o for o in self.applied.values() if o.kind == "VirtualService"]
        client = self.applied.get(("apps", "Deployment", self.where.namespace, "testclient"))
        if client is None:
            raise EnvironmentFailed("no test client")
        if not rules or _labels(client).get(LABEL) != "true":
            return ["v1", "v2"]
        route = rules[0].spec["http"][0]["route"]
        found = [
            way["destination"]["subset"] for way in route for _ in range(way.get("weight", 100))
        ]
        return Random(1).sample(found, len(found))  # noqa: S311 - chance, not secrets


def _labels(item: Object) -> dict[str, str]:
    labels: dict[str, str] = (item.pod_template.get("metadata") or {}).get("labels") or {}
    return labels


def _label(item: Object, value: str) -> Object:
    if item.kind != "Deployment":
        return item
    template = item.pod_template
    metadata = {**template["metadata"], "labels": {**_labels(item), LABEL: value}}
    spec = {**item.spec, "template": {**template, "metadata": metadata}}
    return item.with_data({**item.data, "spec": spec})


@dataclass
class Ended:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Cli:
    """Runs command lines, each as the program would, on one fake engine."""

    state: Path
    engine: FakeEngine = field(default_factory=FakeEngine)
    choice: Choice | None = None

    def __call__(self, *argv: str) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        run = Invocation(open_engine=self.open, progress=Progress.on(out, err))
        code = main(["--state-dir", str(self.state), *argv], invocation=run)
        return Ended(code, hold(out.getvalue(), argv), err.getvalue())

    def open(self, choice: Choice, notify: Notify) -> Engine:
        self.choice, self.notify = choice, notify
        self.engine.selector = choice.settings.sender
        if choice.settings.namespace:
            self.engine.where = Where(choice.engine, "", choice.settings.namespace)
        return self.engine


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "state")


@pytest.fixture
def deployed(cli: Cli) -> Cli:
    assert cli("deploy").code == 0
    cli.engine.calls.clear()
    return cli


@pytest.fixture
def meshed(cli: Cli) -> Cli:
    """The end state of ``up``: injected pods, all traffic to v2."""
    assert cli("up", "--no-verify").code == 0
    cli.engine.calls.clear()
    return cli
