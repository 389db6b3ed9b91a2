"""Applying objects: server-side, ours only, all of them or none.

Each is tried first (a dry run of the server's), so that one mistake keeps all from being applied.
Nobody else's object is touched: ours bear our label, and a conflict is never forced.
"""

from __future__ import annotations

import copy
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshdemo.engines import Change
from meshdemo.engines.cluster import written
from meshdemo.engines.cluster.connection import CONFLICT, Denied, Forbidden, NotFound
from meshdemo.errors import EnvironmentFailed, InputError, Problem
from meshdemo.manifests import CLUSTER_SCOPED, Object, in_apply_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshdemo.engines.cluster.kube import Json, Kube

RUN = "meshdemo.dev/run"
"""Our label: the namespace of the run that created an object."""
ADOPTED = "meshdemo.dev/adopted"
"""Annotation on an object of somebody else's that the user let us change; `down` keeps it."""
MANAGED_BY = "app.kubernetes.io/managed-by"
BAD_REQUEST, INVALID, SERVER_ERROR = 400, 422, 500
FIELD = re.compile(r"(?:^\s*|: )\.([\w.\[\]\"=,:/-]+): (.+)$", re.MULTILINE)
"""One mistake in the server's message about an object that does not fit its schema."""
MOST_PROBLEMS = 20
TRIAL_NAMESPACE = "default"
"""Where objects are tried whose own namespace is still to be created."""


@dataclass
class Applier:
    """Applies objects for one run."""

    kube: Kube
    run: str
    adopt: bool = False
    live: dict[tuple[str, str, str, str], Json | None] = field(default_factory=dict)
    """The objects as they were, so far as they were looked at."""

    def apply(self, objects: Sequence[Object], *, dry_run: bool) -> tuple[Change, ...]:
        """Try all, then apply all; with ``dry_run`` only the first. Raises InputError."""
        wanted = [self._labelled(written.as_written(item)) for item in self._complete(objects)]
        self._refuse_foreign(wanted)
        missing = {item.name for item in wanted if item.kind == "Namespace" and not self.now(item)}
        # The server takes a single object whole or not at all: that needs no trial.
        if dry_run or len(wanted) > 1:
            changes = self._try(wanted, missing)
            if dry_run:
                return changes
        return tuple(self._apply(item) for item in wanted)

    def now(self, item: Object) -> Json | None:
        """Give the object as it was when it was first asked for."""
        if item.key not in self.live:
            self.live[item.key] = self.kube.get(
                str(item.data["apiVersion"]), item.kind, item.name, item.namespace
            )
        return self.live[item.key]

    def _complete(self, objects: Sequence[Object]) -> list[Object]:
        """Add the namespaces that are missing; put all in order."""
        given = {item.name for item in objects if item.kind == "Namespace"}
        needed = {item.namespace for item in objects if item.namespace} - given
        spaces = [_namespace(name) for name in sorted(needed)]
        absent = [item for item in spaces if not self._sees(item)]
        return in_apply_order([*absent, *objects])

    def _sees(self, space: Object) -> bool:
        try:
            return self.now(space) is not None
        except Forbidden:  # who may only work in it may not look at it: then it is there
            return True

    def _labelled(self, item: Object) -> Object:
        """Mark it as ours, or as adopted."""
        before = self.now(item) if item.kind not in CLUSTER_SCOPED or self._sees(item) else None
        if before is not None and not is_ours(before, self.run):
            annotations = {**item.annotations, ADOPTED: "true"}
            return _with_metadata(item, annotations=annotations)
        labels = {MANAGED_BY: "meshdemo", **item.labels, RUN: self.run}
        return _with_metadata(item, labels=labels)

    def _refuse_foreign(self, objects: Iterable[Object]) -> None:
        wrong = []
        for item in objects:
            before = self.live.get(item.key)
            if before is None or is_ours(before, self.run) or self.adopt or _is_adopted(before):
                continue
            wrong.append(f"{item.title} ({owner(before)})")
        if wrong:
            raise EnvironmentFailed(
                f"there already, and not made by this run of meshdemo: {', '.join(wrong)}",
                hint="Take another namespace with -n, or let meshdemo change it with --adopt; "
                "an adopted object is not deleted by meshdemo down.",
            )

    def _try(self, objects: Sequence[Object], missing: set[str]) -> tuple[Change, ...]:
        problems: list[Problem] = []
        changes = []
        for item in objects:
            trial = _elsewhere(item) if item.namespace in missing else item
            after, wrong = self._tried(trial, item)
            problems += wrong
            if after is None:
                continue
            before = self.live.get(item.key)
            same = before is not None and _content(before) == _content(after)
            action = "created" if before is None else "unchanged" if same else "configured"
            changes.append(Change(action, item.kind, item.namespace, item.name))
        if problems:
            raise InputError("the objects are refused, and nothing was changed", problems)
        return tuple(changes)

    def _tried(self, trial: Object, item: Object) -> tuple[Json | None, list[Problem]]:
        """Give what would become of an object, or all that is wrong with it.

        The server names one unknown field at a time: the next is found without it.
        """
        problems: list[Problem] = []
        for _ in range(MOST_PROBLEMS):
            try:
                after = self.kube.apply(trial.data, dry_run=True)
            except Denied as error:
                problems += _problems(item, error)
                rest = trial.with_data(without(trial.data, FIELD.findall(error.message)))
                if error.causes or rest == trial:
                    break
                trial = rest
            else:
                return (None if problems else after), problems
        return None, problems

    def _apply(self, item: Object) -> Change:
        before = self.live.get(item.key)
        try:
            after = self.kube.apply(item.data)
        except Denied as error:
            _, problems = self._tried(item, item)
            if problems:
                raise InputError(f"{item.title} is refused", problems) from error
            raise _failure(item, error) from error
        version = after["metadata"]["resourceVersion"]
        if before is None:
            action = "created"
        else:
            same = before["metadata"]["resourceVersion"] == version
            action = "unchanged" if same else "configured"
        self.live[item.key] = after
        return Change(action, item.kind, item.namespace, item.name)


def without(data: Json, found: Sequence[tuple[str, str]]) -> Json:
    """Give an object without the fields that a message of the server's names first."""
    rest: Json = copy.deepcopy(data)
    for text, _ in found:
        *way, last = _path(text)
        place: Any = rest
        for part in way:
            place = _step(place, part)
        if isinstance(place, dict):
            place.pop(str(last), None)
    return rest


def _step(place: Any, part: str | int) -> Any:  # noqa: ANN401 - any part of an object
    """Go down one part of a field's path; a list's item may be named by one of its keys."""
    if isinstance(place, dict):
        return place.get(str(part))
    if isinstance(place, list) and isinstance(part, int):
        return place[part] if part < len(place) else None
    if isinstance(place, list):
        key, _, value = str(part).partition("=")
        wanted = value.strip('"')
        return next((i for i in place if isinstance(i, dict) and str(i.get(key)) == wanted), None)
    return None


def is_ours(live: Json, run: str) -> bool:
    """Tell whether this run created an object, so that it may also delete it."""
    return _labels(live).get(RUN) == run


def owner(live: Json) -> str:
    """Say whose an object is that this run did not create, as far as it shows."""
    if run := _labels(live).get(RUN):
        return f"of the run in namespace {run}"
    names = written.managers(live)
    return f"managed by {', '.join(names)}" if names else "manager unknown"


def _is_adopted(live: Json) -> bool:
    return ADOPTED in ((live.get("metadata") or {}).get("annotations") or {})


def _labels(live: Json) -> dict[str, str]:
    return (live.get("metadata") or {}).get("labels") or {}


def _namespace(name: str) -> Object:
    return Object({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def _with_metadata(item: Object, **changed: object) -> Object:
    return item.with_data({**item.data, "metadata": {**item.metadata, **changed}})


def _elsewhere(item: Object) -> Object:
    """Give the object a name and a namespace to be tried in, where it meets nothing."""
    name = f"{item.name[:40].rstrip('.-')}-{uuid.uuid4().hex[:8]}"
    return _with_metadata(item, name=name, namespace=TRIAL_NAMESPACE)


def _content(live: Json) -> Json:
    metadata = {
        name: value
        for name, value in live["metadata"].items()
        if name not in ("managedFields", "resourceVersion", "generation")
    }
    return {**live, "metadata": metadata, "status": None}


def _problems(item: Object, error: Denied) -> list[Problem]:
    """Say what the server has against an object. What is no fault of the input is raised."""
    if error.status not in (BAD_REQUEST, INVALID, SERVER_ERROR) or _is_webhook_down(error):
        raise _failure(item, error) from error
    if error.causes:
        return [
            item.problem(str(cause.get("message", error.message)), *_path(cause.get("field", "")))
            for cause in error.causes
        ]
    found = [item.problem(match[2], *_path(match[1])) for match in FIELD.finditer(error.message)]
    if not found and error.status == SERVER_ERROR:
        raise _failure(item, error) from error
    return found or [item.problem(error.message)]


def _failure(item: Object, error: Denied) -> EnvironmentFailed:
    if error.status == CONFLICT:
        fields = ", ".join(str(c.get("field")) for c in error.causes) or error.message
        said = [re.search(r'"([^"]+)"', str(cause.get("message"))) for cause in error.causes]
        owners = {match[1] for match in said if match}
        return EnvironmentFailed(
            f"{item.title}: {', '.join(sorted(owners)) or 'somebody else'} manages {fields}",
            hint="meshdemo never forces its own values: give the field up there, or take -n.",
        )
    if isinstance(error, NotFound):
        return EnvironmentFailed(f"{item.title}: {error.message}", hint=error.hint)
    return EnvironmentFailed(f"{item.title} was not taken: {error.message}", hint=_hint(error))


def _hint(error: Denied) -> str:
    text = error.message.lower()
    if "exceeded quota" in text:
        return "The namespace's quota is used up: kubectl describe quota"
    if "podsecurity" in text:
        return "The namespace enforces Pod Security; take another with -n."
    if _is_webhook_down(error):
        return "Is istiod running? meshdemo doctor tells."
    return error.hint


def _is_webhook_down(error: Denied) -> bool:
    return "failed calling webhook" in error.message


def _path(text: str) -> tuple[str | int, ...]:
    """Read a field's path: ``spec.http[0].route``, or ``spec.containers[name="app"].image``."""
    parts: list[str | int] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[([^\]]*)\]", text):
        parts.append(int(index) if index.isdecimal() else name or index)
    return tuple(parts)
