"""What the API server has against an object, in our words. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshdemo.engines.cluster import fieldpaths
from meshdemo.engines.cluster.connection import Denied, NoSuchKind, NotFound
from meshdemo.errors import EnvironmentFailed, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.kube import Json
    from meshdemo.manifests import Object

BAD_REQUEST, INVALID, SERVER_ERROR = 400, 422, 500
ISTIO = "istio.io/"
"""Part of the API versions of Istio: where their kinds are missing, it is Istio that is missing."""
WEBHOOK_DOWN = "failed calling webhook"
"""What the server says where a webhook did not answer: then the object need not be wrong."""
FIELD = re.compile(r"(?:^\s*|: )\.([\w.\[\]\"=,:/-]+): (.+)$", re.MULTILINE)
"""One mistake in the server's message about an object that does not fit its schema."""
UNCHANGEABLE = re.compile(r"field is immutable|updates may not change fields|updates to .* fields")


def problems(item: Object, error: Denied, deletion: str) -> list[Problem]:
    """Say what the server has against an object. What is no fault of the input is raised."""
    if isinstance(error, NoSuchKind) and ISTIO not in str(item.data["apiVersion"]):
        return [item.problem(error.message, "kind")]
    if error.status not in (BAD_REQUEST, INVALID, SERVER_ERROR) or WEBHOOK_DOWN in error.message:
        raise failure(item, error) from error
    if error.causes:
        return [_problem(item, cause, error, deletion) for cause in error.causes]
    found = [
        item.problem(match[2], *fieldpaths.read(match[1]))
        for match in FIELD.finditer(error.message)
    ]
    if not found and error.status == SERVER_ERROR:
        raise failure(item, error) from error
    return found or [item.problem(error.message)]


def _problem(item: Object, cause: Json, error: Denied, deletion: str) -> Problem:
    said, path = str(cause.get("message", error.message)), fieldpaths.read(cause.get("field", ""))
    if UNCHANGEABLE.search(said):  # the server adds the whole of it, in Go's words
        message, hint = "it cannot be changed once it is there", f"Make it anew after: {deletion}"
        return item.problem(message, *path, hint=hint)
    return item.problem(said, *path)


def failure(item: Object, error: Denied) -> EnvironmentFailed:
    """Say that an object was not taken, for a reason that is not in it."""
    if isinstance(error, NotFound):
        return EnvironmentFailed(f"{item.title}: {error.message}", hint=error.hint)
    return EnvironmentFailed(
        f"{item.title} was not taken: {error.message}", hint=way_out(error.message) or error.hint
    )


def conflict(item: Object, causes: Sequence[Json], deletion: str) -> EnvironmentFailed:
    """Say who else manages which fields; ``deletion`` is the command for a new start."""
    fields = ", ".join(str(cause.get("field")) for cause in causes)
    said = [re.search(r'"([^"]+)"', str(cause.get("message"))) for cause in causes]
    owners = {match[1] for match in said if match}
    return EnvironmentFailed(
        f"{item.title}: {', '.join(sorted(owners)) or 'somebody else'} manages {fields}",
        hint="meshdemo never forces its own values. Leave these fields out of your file, or let it "
        f"make the object anew after: {deletion}",
    )


def way_out(message: str) -> str:
    """Say what to do where a cluster refuses an object, or a workload its pods."""
    text = message.lower()
    if "is being terminated" in text:
        return "The namespace is being deleted: wait until it is gone, or take another with -n."
    if "exceeded quota" in text:
        return "The namespace's quota is used up: kubectl describe quota"
    if "podsecurity" in text:
        return (
            "The namespace enforces Pod Security, and istio-init needs NET_ADMIN: take another "
            "namespace with -n, or install Istio's CNI plug-in."
        )
    if WEBHOOK_DOWN in text:
        return "Is istiod running? meshdemo doctor tells."
    if "admission webhook" in text:
        return "A webhook refuses it: correct what it names, or ask who runs the cluster."
    return ""
