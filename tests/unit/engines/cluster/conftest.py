"""Scripted programs and an API server in memory, for what the cluster engine says to both."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from meshdemo.engines.cluster.api.kube import Denied, Forbidden, Kube, Resource
from meshdemo.engines.cluster.api.time_budget import Budget
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from socketserver import BaseServer

    Serve = Callable[[BaseServer], AbstractContextManager[None]]
    Dial = Callable[[int], Kube]

HERE = Path(__file__).parent / "istioctl"
WIDE = {
    "Namespace",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
}
POLL = 0.02
"""Seconds until a server sees that it is to end; its own half a second is most of a test."""
RELEASES = {path.name.partition("-")[0]: path for path in sorted(HERE.glob("*.yaml"))}


@dataclass(frozen=True)
class Scripted:
    """An istioctl that answers from a file."""

    path: Path

    @property
    def calls(self) -> list[dict[str, Any]]:
        log = self.path.parent / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def last(self) -> list[str]:
        argv: list[str] = self.calls[-1]["argv"]
        return argv

    def says(self, *entries: dict[str, Any]) -> None:
        """Let it answer so, before all else."""
        script = self.path.parent / "script.json"
        script.write_text(json.dumps([*entries, *json.loads(script.read_text())]))


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Scripted]:
    """Make the istioctl of a release, as in ``scripted("1.10")``."""

    def make(release: str = "1.32", folder: str = "bin") -> Scripted:
        place = tmp_path / folder
        place.mkdir(parents=True)
        entries = yaml.safe_load(RELEASES[release].read_text(encoding="utf-8"))
        for entry in entries:
            for stream in ("stdout", "stderr"):
                file = HERE / release / entry.get(stream, "none")
                if "\n" not in entry.get(stream, "\n"):
                    entry[stream] = file.read_text(encoding="utf-8")
        (place / "script.json").write_text(json.dumps(entries))
        program = place / "istioctl"
        program.write_text(f"#!{sys.executable} -I\n{(HERE / 'play.py').read_text()}")
        program.chmod(0o755)
        return Scripted(program)

    return make


@dataclass
class FakeKube:
    """An API server in memory, with the two webhooks of a healthy Istio, if it has an istiod."""

    objects: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    """Kinds that one may not see; ``create`` stands for creating any."""
    only: str = ""
    """The namespace in which alone one may list; empty for all."""
    may_not: set[tuple[str, str]] = field(default_factory=set)
    """Verb and resource/subresource that one may not use."""
    time: datetime = datetime(2020, 1, 1, tzinfo=timezone.utc)
    """What its clock says: it is far from ours."""
    server: str = "https://127.0.0.1:1"
    context: str = "test"
    namespace: str = "default"
    kubeconfig: str | None = None
    in_cluster: bool = False
    budget: Budget = field(default_factory=lambda: Budget(300))
    minor: str = "34"
    injects: bool = True
    validates: bool = True
    proxy: str = "docker.io/istio/proxyv2:1.32.0"

    def put(self, *items: dict[str, Any]) -> FakeKube:
        for item in items:
            metadata = item["metadata"]
            self.objects[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
        return self

    def now(self) -> datetime:
        return self.time

    def version(self) -> dict[str, Any]:
        return {"major": "1", "minor": self.minor, "gitVersion": f"v1.{self.minor}.4"}

    def resource(self, _version: str, kind: str) -> Resource | None:
        return Resource("/apis", kind, kind.lower() + "s", namespaced=True, verbs=frozenset())

    def path(self, _version: str, kind: str, namespace: str = "") -> str:
        return f"/apis/{namespace}/{kind}"

    def stream(self, path: str, *_: object, **__: object) -> Any:
        """Let nobody watch."""
        raise Forbidden(f"one may not watch {path}", 403, {})

    def get(
        self, _version: str, kind: str, name: str, namespace: str = ""
    ) -> dict[str, Any] | None:
        self._may_see(kind)
        return self.objects.get((kind, namespace, name))

    def list(
        self, _version: str, kind: str, namespace: str = "", *, labels: str = ""
    ) -> list[dict[str, Any]]:
        self._may_see(kind)
        if self.only and namespace != self.only:
            raise Forbidden(f"one may not list {kind} in {namespace or 'all namespaces'}", 403, {})
        return [
            item
            for (its, place, _), item in self.objects.items()
            if its == kind and namespace in ("", place) and _selected(item, labels)
        ]

    def create(self, data: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        if data["kind"] == "SelfSubjectReview":
            return {**data, "status": {"userInfo": {"username": "ada"}}}
        self._may_see("create")
        if data["kind"] == "VirtualService" and self.validates:
            message = 'admission webhook "validation.istio.io" denied the request'
            raise Denied(message, 400, {})
        if (
            data["kind"] == "Pod"
            and self.injects
            and self._is_labelled(data["metadata"]["namespace"])
        ):
            proxy = {"name": "istio-proxy", "image": self.proxy}
            data = {**data, "spec": {**data["spec"], "initContainers": [proxy]}}
        if not dry_run:
            self.put(data)
        return data

    def apply(
        self, data: dict[str, Any], *, dry_run: bool = False, force: bool = False
    ) -> dict[str, Any]:
        assert not force or dry_run, "what others have set is overwritten"
        if not dry_run:
            self.put(data)
        return {**data, "metadata": {**data["metadata"], "resourceVersion": "1"}}

    def patch(
        self, _version: str, kind: str, name: str, body: dict[str, Any], namespace: str = ""
    ) -> dict[str, Any]:
        item = self.objects[kind, namespace, name]
        item["data"] = {**item["data"], **body["data"]}
        return item

    def request(self, _method: str, _path: str) -> dict[str, Any]:
        """Say which groups there are besides the first: none."""
        return {}

    def resources(self, _version: str) -> Sequence[Resource]:
        verbs = frozenset({"list", "delete"})
        return [
            Resource("/api/v1", kind, kind.lower() + "s", kind not in WIDE, verbs)
            for kind in sorted({kind for kind, _, _ in self.objects} | self.forbidden)
        ]

    def delete(
        self,
        _version: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        options: dict[str, Any] | None = None,
    ) -> bool:
        asked = ((options or {}).get("preconditions") or {}).get("uid")
        found = self.objects.get((kind, namespace, name))
        if found and asked and asked != found["metadata"].get("uid"):
            raise Denied("the UID in the precondition does not match", 409, {})
        return self.objects.pop((kind, namespace, name), None) is not None

    def can_i(self, verb: str, resource: str, *, subresource: str = "", **_: str) -> bool:
        name = f"{resource}/{subresource}" if subresource else resource
        return (verb, name) not in self.may_not

    def _is_labelled(self, namespace: str) -> bool:
        space = self.objects.get(("Namespace", "", namespace), {"metadata": {}})
        labels = space["metadata"].get("labels") or {}
        own = labels.get("istio-injection", "enabled")
        return bool(own == "enabled" and labels.get("istio.io/rev", "default") == "default")

    def _may_see(self, kind: str) -> None:
        if kind in self.forbidden:
            raise Forbidden(f"one may not list {kind}", 403, {})


def _selected(item: dict[str, Any], labels: str) -> bool:
    own = item["metadata"].get("labels") or {}
    if " in " in labels:
        name, _, values = labels.partition(" in ")
        return own.get(name) in [value.strip() for value in values.strip("()").split(",")]
    wanted = [part.partition("=") for part in labels.split(",") if part]
    return all(name in own and (not eq or own[name] == value) for name, eq, value in wanted)


def istiod(version: str = "1.32.0", replicas: int = 1, available: int = 1) -> dict[str, Any]:
    container = {"name": "discovery", "image": f"docker.io/istio/pilot:{version}"}
    return {
        "kind": "Deployment",
        "metadata": {
            "name": "istiod",
            "namespace": "istio-system",
            "generation": 1,
            "labels": {"app": "istiod", "istio.io/rev": "default"},
        },
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        "status": {
            "observedGeneration": 1,
            "updatedReplicas": available,
            "availableReplicas": available,
        },
    }


def control_plane(version: str = "1.32.0") -> list[dict[str, Any]]:
    """What a healthy Istio has in the cluster."""
    service = {"namespace": "istio-system", "name": "istiod"}
    hook = {"name": "hook", "clientConfig": {"service": service, "caBundle": "Zm9v"}}
    established = {"conditions": [{"type": "Established", "status": "True"}]}
    return [
        istiod(version),
        {"kind": "Namespace", "metadata": {"name": "istio-system"}},
        *(
            {
                "kind": kind,
                "metadata": {
                    "name": "istio",
                    "labels": {"app": "sidecar-injector", "istio.io/rev": "default"},
                },
                "webhooks": [hook],
            }
            for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
        ),
        *(
            {
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.networking.istio.io"},
                "status": established,
            }
            for plural in ("destinationrules", "virtualservices")
        ),
    ]


@pytest.fixture
def serve() -> Serve:
    """Let a server answer during the block."""

    @contextmanager
    def answering(server: BaseServer) -> Iterator[None]:
        thread = threading.Thread(target=server.serve_forever, args=(POLL,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return answering


@pytest.fixture
def dial(tmp_path: Path) -> Iterator[Dial]:
    """Reach the API server at a port of loopback, as somebody without credentials."""
    opened: list[Kube] = []

    def dialled(port: int) -> Kube:
        config = {
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "u", "user": {}}],
            "current-context": "c",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(config))
        opened.append(Kube.open(Settings(kubeconfig=str(file))))
        return opened[-1]

    yield dialled
    for kube in opened:
        kube.api.rest_client.pool_manager.clear()


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def meshed() -> FakeKube:
    return FakeKube().put(*control_plane())


@pytest.fixture
def samples() -> Path:
    """What the istioctl of 1.32 really said."""
    return HERE / "1.32"
