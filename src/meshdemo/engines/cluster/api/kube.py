"""The cluster's objects: found, read, applied, deleted.

Objects go in and come out as plain data, as JSON has them: they are what manifests hold, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from msgspec import Struct

from meshdemo.engines.cluster.api.connection import (
    NOT_FOUND,
    Connection,
    Denied,
    Forbidden,
    Json,
    NoSuchKind,
    NotFound,
    Unauthenticated,
    Unreachable,
)

__all__ = [
    "Denied",
    "Forbidden",
    "Json",
    "Kube",
    "NotFound",
    "Resource",
    "Unauthenticated",
    "Unreachable",
]

MANAGER = "meshdemo"
"""Our field manager: whose fields are ours in a server-side apply."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class Resource(Struct, frozen=True):
    """One kind that the server has, and where its objects are found."""

    base: str
    """The path of its group and version, as in ``/apis/apps/v1``."""
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str = "", name: str = "") -> str:
        """Give the path of one object, or of all; without a namespace of all namespaces."""
        parts = [self.base]
        parts += ["namespaces", quote(namespace)] if namespace and self.namespaced else []
        return "/".join([*parts, self.plural, *([quote(name)] if name else [])])


@dataclass
class Kube(Connection):
    """One cluster."""

    _resources: dict[str, list[Resource]] = field(default_factory=dict)

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Find a kind; None if this server does not have it. Kinds come and go with Istio."""
        was_known = api_version in self._resources
        found = next((r for r in self.resources(api_version) if r.kind == kind), None)
        # Istio may have been installed since the group was asked for.
        if found is None and was_known:
            del self._resources[api_version]
            found = next((r for r in self.resources(api_version) if r.kind == kind), None)
        return found

    def versions(self, group: str) -> list[str]:
        """List the versions of a group, as in ``apps/v1``; none if the server does not have it."""
        if not group:
            return ["v1"]
        try:
            answer = self.request("GET", f"/apis/{group}")
        except NotFound:
            return []
        return [version["groupVersion"] for version in answer.get("versions") or ()]

    def resources(self, api_version: str) -> list[Resource]:
        """List the kinds of one group and version; none if the server does not have it."""
        if api_version not in self._resources:
            base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                answer = self.request("GET", base)
            except NotFound:
                return []
            self._resources[api_version] = [
                Resource(base, r["kind"], r["name"], r["namespaced"], frozenset(r["verbs"]))
                for r in answer.get("resources") or ()
                if "/" not in r["name"]
            ]
        return self._resources[api_version]

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """Give the path of an object. Raises NoSuchKind if this server does not have its kind."""
        found = self.resource(api_version, kind)
        if found is None:
            message = f"this cluster has no kind {kind} in {api_version}"
            hint = "Is Istio installed? meshdemo install" if "istio.io/" in api_version else ""
            raise NoSuchKind(message, NOT_FOUND, {}, hint=hint)
        return found.path(namespace, name)

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Json | None:
        """Give an object; None if there is none, or no such kind."""
        try:
            return self.request("GET", self.path(api_version, kind, namespace, name))
        except NotFound:
            return None

    def list(
        self, api_version: str, kind: str, namespace: str = "", *, labels: str = ""
    ) -> list[Json]:
        """Give the objects of a namespace, or of all; none if there is no such kind."""
        query = {"labelSelector": labels} if labels else {}
        try:
            answer = self.request("GET", self.path(api_version, kind, namespace), query)
        except NotFound:
            return []
        items = answer.get("items") or []
        # In a list the items have neither: it says once for all of them what they are.
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def create(self, data: Json, *, dry_run: bool = False) -> Json:
        """Create an object."""
        metadata = data.get("metadata") or {}
        path = self.path(data["apiVersion"], data["kind"], metadata.get("namespace", ""))
        return self.request("POST", path, _options(dry_run=dry_run), data)

    def patch(
        self, api_version: str, kind: str, name: str, body: Json, namespace: str = ""
    ) -> Json:
        """Change an object by a merge patch."""
        path = self.path(api_version, kind, namespace, name)
        return self.request("PATCH", path, _options(), body, MERGE)

    def apply(self, data: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply an object server-side; with ``force`` also where another manager's values go."""
        metadata = data["metadata"]
        path = self.path(
            data["apiVersion"], data["kind"], metadata.get("namespace", ""), metadata["name"]
        )
        # A server's own default is to warn of unknown fields and to drop them.
        query = {**_options(dry_run=dry_run), "fieldValidation": "Strict"}
        query |= {"force": "true"} if force else {}
        return self.request("PATCH", path, query, data, APPLY)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str = "",
        *,
        options: Json | None = None,
    ) -> bool:
        """Delete an object; tell whether there was one."""
        try:
            path = self.path(api_version, kind, namespace, name)
            self.request("DELETE", path, body={"apiVersion": "v1", "kind": "DeleteOptions",
                                               **(options or {})})  # fmt: skip
        except NotFound:
            return False
        return True

    def version(self) -> Json:
        """Say which Kubernetes it is: major, minor, gitVersion, platform."""
        return self.request("GET", "/version")

    def can_i(
        self,
        verb: str,
        resource: str,
        *,
        group: str = "",
        namespace: str = "",
        subresource: str = "",
    ) -> bool:
        """Ask whether we may do something; without a namespace: in all of them."""
        attributes = {
            "verb": verb,
            "resource": resource,
            "group": group,
            "namespace": namespace,
            "subresource": subresource,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = self.request("POST", path, body=review)
        return bool((answer.get("status") or {}).get("allowed"))


def _options(*, dry_run: bool = False) -> dict[str, str]:
    return {"fieldManager": MANAGER, **({"dryRun": "All"} if dry_run else {})}
