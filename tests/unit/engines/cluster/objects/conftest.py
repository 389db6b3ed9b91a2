"""An API server on loopback that answers as a real one did."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.engines.cluster.conftest import Dial, Serve

    from meshdemo.engines.cluster.api.kube import Kube


def kind(name: str, plural: str, *, namespaced: bool = True) -> dict[str, Any]:
    verbs = ["get", "list", "delete", "patch"]
    return {"name": plural, "kind": name, "namespaced": namespaced, "verbs": verbs}


KINDS = {
    "/api/v1": [
        kind("Service", "services"),
        kind("Pod", "pods"),
        kind("ServiceAccount", "serviceaccounts"),
        kind("Namespace", "namespaces", namespaced=False),
    ],
    "/apis/networking.istio.io/v1": [kind("VirtualService", "virtualservices")],
    "/apis/batch/v1": [kind("Job", "jobs"), kind("Wide", "wides", namespaced=False)],
}
GROUPS = {
    "/apis": {"groups": [{"preferredVersion": {"groupVersion": "batch/v1"}}]},
    "/apis/batch": {"versions": [{"groupVersion": "batch/v1"}]},
    "/apis/networking.istio.io": {"versions": [{"groupVersion": "networking.istio.io/v1"}]},
}
PLURALS = tuple(f"/{each['name']}" for kinds in KINDS.values() for each in kinds)
UNKNOWN = "failed to create typed patch object (shop/app; /v1, Kind=Service): .spec.{}: {}"


class Api(BaseHTTPRequestHandler):
    """Keeps objects by their paths; refuses each field of ``spec`` that is called bad."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    objects: dict[str, dict[str, Any]]
    leaving: dict[str, dict[str, Any]]
    requests: list[tuple[str, str, dict[str, list[str]], Any]]
    forbidden: tuple[str, ...] = ()
    unavailable: tuple[str, ...] = ()
    """Starts of paths that an extension's server should answer, which is down."""
    made_anew = ""
    """The path of an object that somebody replaces just before it is deleted."""
    meanwhile: tuple[Callable[[], None], ...] = ()
    """What somebody else does as soon as an object is deleted."""
    immutable = False
    lingering = 0
    """How often an object is still seen after it was deleted: its pods have to end first."""
    istio = False
    """Whether it has Istio's kinds."""

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        data, query = json.loads(body or b"null"), parse_qs(url.query)
        self.requests.append((self.command, url.path, query, data))
        self.answer(*getattr(self, f"on_{self.command.lower()}")(url.path, query, data))

    do_GET = do_PATCH = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def on_get(self, path: str, query: dict[str, list[str]], _: Any) -> tuple[int, Any]:
        if self.unavailable and path.startswith(self.unavailable):
            return self.failure(503, "service unavailable")
        if path.startswith("/apis/networking.istio.io") and not self.istio:
            return self.failure(404)
        if path in (*GROUPS, *KINDS):
            return 200, GROUPS.get(path) or {"resources": KINDS[path]}
        nobody = self.headers.get("Authorization") == "Bearer nobody"
        if nobody or path.startswith(self.forbidden):
            return self.failure(403, f"you cannot list {path}")
        if path.endswith(PLURALS):
            return 200, {"items": list(self.listed(path, query))}
        found = self.objects.get(path) or self.last_seen(path)
        return (200, found) if found else self.failure(404)

    def last_seen(self, path: str) -> dict[str, Any] | None:
        """Give an object that was deleted, as long as it lingers."""
        if path in self.leaving and self.lingering:
            type(self).lingering -= 1
            return self.leaving[path]
        return None

    def listed(self, path: str, query: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
        """Give what is under a path, of one namespace or of all, with the label that is asked."""
        base, _, plural = path.rpartition("/")
        name, _, value = query.get("labelSelector", ["="])[0].partition("=")
        for place, item in self.objects.items():
            labels = item["metadata"].get("labels") or {}
            here = place.startswith(f"{base}/") and place.split("/")[-2] == plural
            if here and (not name or labels.get(name) == value):
                yield item

    def on_patch(self, path: str, query: dict[str, list[str]], data: Any) -> tuple[int, Any]:
        if bad := [name for name in data.get("spec") or {} if name.startswith("bad")]:
            return self.failure(500, UNKNOWN.format(bad[0], "field not declared in schema"))
        if self.immutable:
            said = "Invalid value: {...}: field is immutable"
            cause = {"field": "spec.template", "message": said}
            return self.failure(422, "invalid", causes=[cause])
        before = self.objects.get(path)
        if before and before.get("conflict") and "force" not in query:
            causes = [
                {"field": f".spec.{name}", "message": 'conflict with "helm" using v1'}
                for name, value in data["spec"].items()
                if value != before["spec"].get(name)
            ]
            if causes:
                return self.failure(409, "conflict", causes=causes)
        if "ref" in data.get("spec", {}):  # as the server does with a fieldRef
            data["spec"]["ref"] = {"apiVersion": "v1", **data["spec"]["ref"]}
        metadata = {**data["metadata"], "uid": "u1", "resourceVersion": "1"}
        after = {**data, "metadata": metadata}
        if "dryRun" not in query:
            self.objects[path] = after
        return 200, after

    def on_delete(self, path: str, _: Any, data: Any) -> tuple[int, Any]:
        found = self.objects.get(path)
        if not found:
            return self.failure(404)
        if path == self.made_anew:
            found["metadata"]["uid"] = "u2"
        if data["preconditions"]["uid"] != found["metadata"]["uid"]:
            return self.failure(409, "the UID in the precondition does not match")
        for act in self.meanwhile:
            act()
        for place, item in list(self.objects.items()):
            owners = item["metadata"].get("ownerReferences") or ()
            which = found["metadata"]["name"], found["metadata"]["uid"]
            if which in [(owner["name"], owner["uid"]) for owner in owners]:
                del self.objects[place]
        self.leaving[path] = self.objects.pop(path)
        return 200, self.leaving[path]

    @staticmethod
    def live(kind: str, name: str, labels: dict[str, str], **more: Any) -> dict[str, Any]:
        """Give an object as somebody once created it with kubectl."""
        metadata = {"name": name, "namespace": "shop", "uid": "u1", "resourceVersion": "1"}
        managed = [{"manager": "kubectl", "operation": "Update", "time": "1"}]
        whole = {**metadata, "labels": labels, "managedFields": managed}
        return {"apiVersion": "v1", "kind": kind, "metadata": whole, **more}

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
def api(serve: Serve, dial: Dial) -> Iterator[tuple[type[Api], Kube]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Api,), {}))
    handler: Any = server.RequestHandlerClass
    handler.objects = {"/api/v1/namespaces/shop": handler.live("Namespace", "shop", {})}
    handler.requests, handler.leaving = [], {}
    with serve(server):
        yield handler, dial(server.server_port)
