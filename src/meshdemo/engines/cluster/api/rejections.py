"""What the API server has against an object, in our words. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.engines.cluster.api import field_paths
from meshdemo.engines.cluster.api.connection import Denied, NotFound
from meshdemo.errors import EnvironmentFailed, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.engines.cluster.api.kube import Json
    from meshdemo.objects.model import Object

LONGEST_VALUE = 40
"""Characters of a value that is shown in a sentence."""
BAD_REQUEST, INVALID, SERVER_ERROR = 400, 422, 500
GOING = "Wait until it is gone, or take another with -n: kubectl get namespaces"
"""What to do where a namespace is being deleted."""
WEBHOOK_DOWN = "failed calling webhook"
"""What the server says where a webhook did not answer: then the object need not be wrong."""
FIELD = re.compile(r"(?:^\s*|: )\.([\w.\[\]\"=,:/-]+): (.+)$", re.MULTILINE)
"""One mistake in the server's message about an object that does not fit its schema."""
DENIED = re.compile(r'^admission webhook "[^"]*istio\.io" denied the request: (.*)$', re.DOTALL)
"""What the server says where istiod has judged an object: one mistake, or a list of them."""
INVALID_CONFIGURATION = "configuration is invalid: "
SEVERAL = "errors occurred:"
NO_FIELD = "<nil>"
"""The field that the server names for what a whole schema says; the message has the path."""
UNNAMED_FIELD = re.compile(r'^Invalid value: \S*: "([\w.\[\]-]+)" (must .*)$', re.DOTALL)
NOT_CHECKED = "some validation rules were not checked"
"""A word of the server's that is about its own checks, and stands beside what is really wrong."""
GOT = re.compile(r", got &.*$", re.DOTALL)
"""The end of a message that shows a value in Go's words."""
UNCHANGEABLE = re.compile(r"field is immutable|updates may not change fields|updates to .* fields")


class Clash(Struct, frozen=True):
    """A field of an object that others have set, to another value than is asked for."""

    title: str
    field: str
    owner: str
    theirs: object
    ours: object
    file: str = ""
    """The user's file in which it stands; empty if it is in none."""

    @classmethod
    def of(cls, item: Object, cause: Json, theirs: object, ours: object) -> Clash:
        """Read the field and its owner out of one cause of a 409 (FieldManagerConflict)."""
        said = re.search(r'"([^"]+)"', str(cause.get("message")))
        field = str(cause.get("field")).removeprefix(".")
        return cls(item.title, field, said[1] if said else "others", theirs, ours, item.file)

    def __str__(self) -> str:
        values = f"{_shown(self.theirs)}, and {_shown(self.ours)} is asked for"
        return f"{self.title} {self.field}: set by {self.owner} ({values})"


class Clashing(EnvironmentFailed):
    """Others have set fields to other values."""

    def __init__(self, clashes: Sequence[Clash]) -> None:
        self.clashes = tuple(clashes)
        listed = "\n".join(f"  {clash}" for clash in clashes)
        leave = "leave these fields out of your file, or " if any(c.file for c in clashes) else ""
        super().__init__(
            f"others have set fields to other values, and nothing was applied:\n{listed}",
            hint=f"To keep theirs, {leave}do without this command. To set yours all the same: "
            "--force-conflicts",
        )


def problems(item: Object, error: Denied, deletion: str) -> list[Problem]:
    """Say what the server has against an object. What is not the fault of the input is raised."""
    if error.status not in (BAD_REQUEST, INVALID, SERVER_ERROR) or WEBHOOK_DOWN in error.message:
        raise failure(item, error) from error
    if error.causes:
        found = [_problem(item, cause, error, deletion) for cause in error.causes]
        return [p for p in found if NOT_CHECKED not in p.message] or found
    found = [
        item.problem(GOT.sub("", match[2]), *field_paths.read(match[1]))
        for match in FIELD.finditer(error.message)
    ]
    if not found and error.status == SERVER_ERROR:
        raise failure(item, error) from error
    return found or [item.problem(said) for said in _sentences(error.message)]


def in_our_words(theirs: Sequence[Problem], ours: Sequence[Problem]) -> list[Problem]:
    """Prefer what our own tables say of an object that the server refused: it has the place.

    What the server names besides is kept; of what it names no field, ours is taken for it.
    """
    if not theirs or not ours:
        return list(theirs)
    fields = [problem.field for problem in ours]
    kept = [p for p in theirs if p.field and not any(_is_around(p.field, f) for f in fields)]
    return [*ours, *kept]


def _is_around(one: str, other: str) -> bool:
    """Tell whether one field is, or contains, the other."""
    short, long = sorted((field_paths.read(one), field_paths.read(other)), key=len)
    return long[: len(short)] == short


def _sentences(message: str) -> list[str]:
    """Take apart what istiod has against an object; what others say is one sentence."""
    if not (denied := DENIED.match(message.strip())):
        return [message]
    said = denied[1].removeprefix(INVALID_CONFIGURATION)
    parts = said.partition(SEVERAL)[2].split("\n\t* ") if SEVERAL in said else [said]
    return [f"Istio refuses it: {part.strip()}" for part in parts if part.strip()]


def _problem(item: Object, cause: Json, error: Denied, deletion: str) -> Problem:
    said, name = str(cause.get("message", error.message)), str(cause.get("field", ""))
    if name == NO_FIELD:
        found = UNNAMED_FIELD.match(said)
        name, said = (found[1], found[2]) if found else ("", said)
    path = field_paths.read(name)
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


def way_out(message: str) -> str:
    """Say what to do where a cluster refuses an object, or a workload its pods."""
    text = message.lower()
    if "is being terminated" in text:
        return GOING
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


def _shown(value: object) -> str:
    """Write a value as it may stand in a sentence."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else "another value"
