"""Applying and deleting against an API server on loopback that answers as a real one did."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from meshdemo import manifests
from meshdemo.engines import say_nothing
from meshdemo.engines.cluster.applying import Applier
from meshdemo.engines.cluster.kube import Forbidden, Kube
from meshdemo.engines.cluster.removal import Removal
from meshdemo.errors import EnvironmentFailed, InputError
from meshdemo.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KINDS = {
    "name": "services",
    "kind": "Service",
    "namespaced": True,
    "verbs": ["get", "list", "delete", "patch"],
}
SPACES = {**KINDS, "name": "namespaces", "kind": "Namespace", "namespaced": False}
OURS = {"meshdemo.dev/run": "shop"}
UNKNOWN = "failed to create typed patch object (shop/app; /v1, Kind=Service): .spec.{}: {}"


class Api(BaseHTTPRequestHandler):
    """Keeps objects by their paths; refuses each field of ``spec`` that is called bad."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, dict[str, Any]]
    requests: list[tuple[str, str, dict[str, list[str]], Any]]

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data, query = json.loads(body or b"null"), parse_qs(url.query)
        self.requests.append((self.command, url.path, query, data))
        self.answer(*getattr(self, f"on_{self.command.lower()}")(url.path, query, data))

    do_GET = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def on_get(self, path: str, *_: Any) -> tuple[int, Any]:
        if path == "/apis":
            return 200, {"groups": []}
        if path == "/api/v1":
            return 200, {"resources": [KINDS, SPACES]}
        if self.headers.get("Authorization") == "Bearer nobody":
            return self.failure(403, f"nobody cannot list {path}")
        if path.endswith(("services", "namespaces", "pods")):
            return 200, {"items": [o for p, o in self.objects.items() if p.startswith(path)]}
        return (200, self.objects[path]) if path in self.objects else self.failure(404)

    def on_patch(self, path: str, query: dict[str, list[str]], data: Any) -> tuple[int, Any]:
        if bad := [name for name in data.get("spec") or {} if name.startswith("bad")]:
            return self.failure(500, UNKNOWN.format(bad[0], "field not declared in schema"))
        before = self.objects.get(path)
        if before and before.get("conflict"):
            cause = {"field": ".spec.type", "message": 'conflict with "helm" using v1'}
            return self.failure(409, "conflict", causes=[cause])
        metadata = {**data["metadata"], "uid": "u1", "resourceVersion": "1"}
        after = {**data, "metadata": metadata}
        if "dryRun" not in query:
            self.objects[path] = after
        return 200, after

    def on_delete(self, path: str, _: Any, data: Any) -> tuple[int, Any]:
        found = self.objects.get(path)
        if not found:
            return self.failure(404)
        if data["preconditions"]["uid"] != found["metadata"]["uid"]:
            return self.failure(409, "the UID in the precondition does not match")
        return 200, self.objects.pop(path)

    @staticmethod
    def failure(code: int, message: str = "not found", **details: Any) -> tuple[int, Any]:
        return code, {"kind": "Status", "code": code, "message": message, "details": details}

    def answer(self, code: int, data: Any) -> None:
        body = json.dumps(data).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[type[Api], Kube]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Api,), {}))
    handler: Any = server.RequestHandlerClass
    handler.objects = {"/api/v1/namespaces/shop": live("Namespace", "shop", {})}
    handler.requests = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = {
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }  # fmt: skip
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    kube = Kube.open(Settings(kubeconfig=str(file)))
    yield handler, kube
    kube.api.rest_client.pool_manager.clear()
    server.shutdown()
    thread.join()
    server.server_close()


def live(kind: str, name: str, labels: dict[str, str], **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": "u1", "resourceVersion": "1"}
    managed = [{"manager": "kubectl", "operation": "Update", "time": "1"}]
    whole = {**metadata, "labels": labels, "managedFields": managed}
    return {"apiVersion": "v1", "kind": kind, "metadata": whole, **more}


def service(name: str = "app", **spec: Any) -> manifests.Object:
    metadata = {"name": name, "namespace": "shop"}
    data = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    return manifests.Object(data, "app.yaml")


PATH = "/api/v1/namespaces/shop/services/app"


def changes(handler: type[Api]) -> list[str]:
    """Give the paths that were really changed."""
    return [
        p for method, p, query, _ in handler.requests if method != "GET" and "dryRun" not in query
    ]


def test_what_is_created_bears_our_labels_and_nothing_is_forced(
    api: tuple[type[Api], Kube],
) -> None:
    handler, kube = api
    (change,) = Applier(kube, "shop").apply([service(type="ClusterIP")], dry_run=False)
    assert (change.action, change.name) == ("created", "app")
    labels = handler.objects[PATH]["metadata"]["labels"]
    assert labels == {**OURS, "app.kubernetes.io/managed-by": "meshdemo"}
    _, _, query, _ = handler.requests[-1]
    assert query == {"fieldManager": ["meshdemo"], "fieldValidation": ["Strict"]}


def test_somebody_elses_object_is_refused_with_its_manager_and_the_ways_out(
    api: tuple[type[Api], Kube],
) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", {})
    with pytest.raises(EnvironmentFailed, match=r"Service shop/app \(managed by kubectl\)") as no:
        Applier(kube, "shop").apply([service(), service("other")], dry_run=False)
    assert "-n" in no.value.hint
    assert "--adopt" in no.value.hint
    assert not changes(handler)


def test_an_adopted_object_is_not_ours_and_outlives_down(api: tuple[type[Api], Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", {})
    Applier(kube, "shop", adopt=True).apply([service()], dry_run=False)
    assert "meshdemo.dev/adopted" in handler.objects[PATH]["metadata"]["annotations"]
    Applier(kube, "shop").apply([service()], dry_run=False)  # once is enough
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service()])
    assert (change.action, change.reason) == ("kept", "manager unknown (adopted)")
    assert PATH in handler.objects


@pytest.mark.parametrize(
    ("labels", "whose"),
    [({}, "managed by kubectl"), ({"meshdemo.dev/run": "other"}, "of the run in namespace other")],
    ids=["kubectl's", "another run's"],
)
def test_what_is_not_ours_is_kept_and_its_owner_is_said(
    api: tuple[type[Api], Kube], labels: dict[str, str], whose: str
) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", labels)
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service(), service("gone")])
    assert (change.action, change.reason) == ("kept", whose)
    assert PATH in handler.objects


def test_a_field_that_somebody_else_manages_is_named(api: tuple[type[Api], Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", OURS, conflict=True)
    with pytest.raises(EnvironmentFailed, match=r"helm manages .spec.type"):
        Applier(kube, "shop").apply([service(type="NodePort")], dry_run=False)


def test_every_unknown_field_of_every_object_is_told_and_nothing_changed(
    api: tuple[type[Api], Kube],
) -> None:
    handler, kube = api
    wrong = [service(bad1=1, bad2=2), service("other", bad3=3), service("good")]
    with pytest.raises(InputError) as refusal:
        Applier(kube, "shop").apply(wrong, dry_run=False)
    fields = [problem.field for problem in refusal.value.problems]
    assert fields == ["spec.bad1", "spec.bad2", "spec.bad3"]
    assert not changes(handler)


def test_a_missing_namespace_is_created_and_its_objects_are_tried_elsewhere(
    api: tuple[type[Api], Kube],
) -> None:
    handler, kube = api
    del handler.objects["/api/v1/namespaces/shop"]
    found = Applier(kube, "shop").apply([service(), service("other")], dry_run=False)
    assert [change.kind for change in found] == ["Namespace", "Service", "Service"]
    trials = [p for m, p, query, _ in handler.requests if m == "PATCH" and "dryRun" in query]
    assert all("/namespaces/shop/" not in path for path in trials)
    assert handler.objects["/api/v1/namespaces/shop"]["metadata"]["labels"]["meshdemo.dev/run"]


def test_only_the_very_object_that_was_seen_is_deleted(api: tuple[type[Api], Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", OURS)
    (change,) = Removal(kube, "shop", say_nothing, 5).delete([service()])
    assert change.action == "deleted"
    assert handler.requests[-1][3]["preconditions"] == {"uid": "u1"}


def test_who_may_not_look_is_not_told_that_nothing_is_left(api: tuple[type[Api], Kube]) -> None:
    handler, kube = api
    handler.objects[PATH] = live("Service", "app", OURS)
    kube.api.configuration.api_key["authorization"] = "Bearer nobody"
    with pytest.raises(Forbidden, match="cannot list"):
        list(Removal(kube, "shop", say_nothing, 5).everything())


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = {
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {}}],
        "current-context": "c",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    kube = Kube.open(Settings(kubeconfig=str(file)))
    with pytest.raises(EnvironmentFailed, match=r"127\.0\.0\.1:9"):
        kube.version()
