"""Applying objects: server-side, ours only, all of them or none.

Each is tried first (a dry run of the server's), so that one mistake keeps all from being applied.
Nobody else's object is touched: ours bear our label, and a conflict is forced only by who says so.
"""

from __future__ import annotations

import shlex
import uuid
from dataclasses import KW_ONLY, dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from meshdemo.engines.cluster.api import field_paths, missing_kinds, rejections
from meshdemo.engines.cluster.api.connection import CONFLICT, Denied, Forbidden, NoSuchKind
from meshdemo.engines.cluster.api.rejections import Clash, Clashing
from meshdemo.engines.cluster.objects import class_namespaces, managed_fields
from meshdemo.engines.cluster.pods.rollout import UNCHANGING
from meshdemo.engines.cluster.pods.status import is_injected
from meshdemo.engines.protocol import find_nothing
from meshdemo.engines.results import Change
from meshdemo.errors import EnvironmentFailed, InputError, Problem, in_order
from meshdemo.objects import shapes
from meshdemo.objects.kinds import CLUSTER_SCOPED
from meshdemo.objects.labels import ADOPTED, MANAGED_BY, RUN_LABEL
from meshdemo.objects.model import Object, in_apply_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.protocol import Judge

MOST_PROBLEMS = 20
TRIAL_NAMESPACE = "default"
"""Where objects are tried whose own namespace is still to be created."""


@dataclass
class Applier:
    """Applies objects for one run."""

    kube: Kube
    run: str
    judge: Judge = find_nothing
    _: KW_ONLY
    adopt: bool = False
    force: bool = False
    """Set values of ours also where others have set them otherwise."""
    live: dict[tuple[str, str, str, str], Json | None] = field(default_factory=dict)
    """The objects as they were, so far as they were looked at."""
    untried: list[Object] = field(default_factory=list, init=False)
    """What the server could not try, as Istio is still to come."""

    def apply(self, objects: Sequence[Object], *, dry_run: bool) -> tuple[Change, ...]:
        """Try all, then apply all; with ``dry_run`` only the first. Raises InputError."""
        wanted = [
            self._labelled(managed_fields.as_written(item)) for item in self._complete(objects)
        ]
        self._refuse_foreign(wanted)
        missing = {item.name for item in wanted if item.kind == "Namespace" and not self.now(item)}
        # The server takes a single object whole or not at all: that needs no trial.
        if dry_run or len(wanted) > 1:
            changes = self._try(wanted, missing, may_wait=dry_run)
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
        """Add the namespaces that are missing, leave those of a class out; put all in order."""
        objects = [item for item in objects if not self._is_of_our_class(item)]
        given = {item.name for item in objects if item.kind == "Namespace"}
        needed = {item.namespace for item in objects if item.namespace} - given
        spaces = [
            Object({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            for name in sorted(needed)
        ]
        # Only those that are missing: one that is there is not ours to label.
        absent = [item for item in spaces if not self._sees(item)]
        self._refuse_going(spaces)
        return in_apply_order([*absent, *objects])

    def _is_of_our_class(self, item: Object) -> bool:
        """Tell whether a class made this namespace for the student of this run, to use as it is."""
        if item.kind != "Namespace" or not self._sees(item):
            return False
        return class_namespaces.student_beside(self.live.get(item.key)) == self.run

    def _refuse_going(self, spaces: Sequence[Object]) -> None:
        """Refuse to put anything into a namespace that is on its way out."""
        for space in spaces:
            live = self.live.get(space.key) or {}
            if (live.get("metadata") or {}).get("deletionTimestamp"):
                message = f"namespace {space.name} is being deleted"
                raise EnvironmentFailed(message, hint=rejections.GOING)

    def _sees(self, space: Object) -> bool:
        try:
            return self.now(space) is not None
        except Forbidden:  # who may only work in it may not look at it: then it is there
            return True

    def _labelled(self, item: Object) -> Object:
        """Label an object as this run's; one that others made is annotated as adopted instead."""
        before = self.now(item) if item.kind not in CLUSTER_SCOPED or self._sees(item) else None
        if before is not None and not is_ours(before, self.run):
            annotations = {**item.annotations, ADOPTED: "true"}
            return _with_metadata(item, annotations=annotations)
        labels = {MANAGED_BY: "meshdemo", **item.labels, RUN_LABEL: self.run}
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
                f"already exists, and was not made by this run of meshdemo: {', '.join(wrong)}",
                hint="Take another namespace with -n, or let meshdemo change it with --adopt; "
                "an adopted object is not deleted by meshdemo down.",
            )

    def _try(
        self, objects: Sequence[Object], missing: set[str], *, may_wait: bool
    ) -> tuple[Change, ...]:
        """Say what would change. ``may_wait``: what comes with Istio may be tried after that."""
        problems: list[Problem] = []
        clashes: list[Clash] = []
        changes = []
        for item in objects:
            if may_wait and missing_kinds.comes_with_istio(self.kube, item):
                self.untried.append(item)
                problems += self.judge([item])
                changes.append(Change("created", item.kind, item.namespace, item.name))
                continue
            try:
                after, wrong = self._tried(self._trial(item, missing), item)
            except Clashing as error:
                clashes += error.clashes
                continue
            problems += rejections.in_our_words(wrong, self.judge([item]) if wrong else ())
            if after is None:
                continue
            before = self.live.get(item.key)
            same = before is not None and _content(before) == _content(after)
            action = "created" if before is None else "unchanged" if same else "configured"
            changes.append(Change(action, item.kind, item.namespace, item.name))
        if problems:
            raise InputError("the objects are refused, and none was applied", in_order(problems))
        if clashes:
            raise Clashing(clashes)
        return tuple(changes)

    def _trial(self, item: Object, missing: set[str]) -> Object:
        """Give what is to be tried in an object's place."""
        # The server tries nothing in a namespace that is not there; what an object may say does not
        # depend on it.
        if item.namespace in missing:
            return _elsewhere(item, TRIAL_NAMESPACE)
        before = self.live.get(item.key)
        if before and item.kind in UNCHANGING and is_injected(Object(before).pod_template):
            # Its sidecar is still to come, and without it the server could not take it.
            return item if is_injected(item.pod_template) else _elsewhere(item, item.namespace)
        return item

    def _tried(self, trial: Object, item: Object) -> tuple[Json | None, list[Problem]]:
        """Give what would become of an object, or all that is wrong with it.

        The server names one unknown field at a time: the next is found without it.
        """
        problems: list[Problem] = []
        for _ in range(MOST_PROBLEMS):
            try:
                after = self._send(trial, dry_run=True)
            except NoSuchKind as error:
                if missing_kinds.comes_with_istio(self.kube, item):
                    raise rejections.failure(item, error) from error
                return None, [missing_kinds.problem(self.kube, item)]
            except Denied as error:
                problems += rejections.problems(item, error, self._deletion(item))
                named = [
                    field_paths.read(name) for name, _ in rejections.FIELD.findall(error.message)
                ]
                rest = trial.with_data(field_paths.without(trial.data, named))
                if error.causes or rest == trial:
                    break
                trial = rest
            else:
                return (None if problems else after), problems
        return None, problems

    def _send(self, item: Object, *, dry_run: bool = False) -> Json:
        """Apply an object as it is, or with the live values of fields where they mean the same."""
        try:
            return self.kube.apply(item.data, dry_run=dry_run)
        except Denied as error:
            if error.status != CONFLICT or not error.causes:
                raise
            data, clashes = self._agreed(item, error)
        if clashes and not self.force:
            raise Clashing(clashes)
        return self.kube.apply(data, dry_run=dry_run, force=bool(clashes))

    def _agreed(self, item: Object, error: Denied) -> tuple[Json, list[Clash]]:
        """Give an object without the conflicts that are none, and those that are.

        The server compares what was written: a value without its defaults, or a quantity in other
        units, is another one to it. What it makes of ours shows in an object of another name.
        """
        before = self.now(item) or {}
        try:
            ours = self.kube.apply(_elsewhere(item, item.namespace).data, dry_run=True)
        except Denied:
            ours = {}
        data, clashes = item.data, []
        for cause in error.causes:
            path = field_paths.read(str(cause.get("field", "")))
            theirs = field_paths.value(before, path)
            if theirs is None or field_paths.value(ours, path) != theirs:
                clashes.append(Clash.of(item, cause, theirs, field_paths.value(item.data, path)))
            else:
                data = field_paths.replaced(data, path, theirs)
        return data, clashes

    def _deletion(self, item: Object) -> str:
        """Give the command that removes an object, so that it can be made anew."""
        words = ["kubectl", "delete", item.kind.lower(), item.name]
        words += ["-n", item.namespace] if item.namespace else []
        words += [] if self.kube.in_cluster else ["--context", self.kube.context]
        return shlex.join(words)

    def _apply(self, item: Object) -> Change:
        before = self.live.get(item.key)
        try:
            after = self._send(item)
        except Denied as error:
            # A real apply stops at the first problem; a trial finds the others, too.
            _, problems = self._tried(item, item)
            if problems := rejections.in_our_words(problems, self.judge([item])):
                raise InputError(f"{item.title} is refused", in_order(problems)) from error
            raise rejections.failure(item, error) from error
        version = after["metadata"]["resourceVersion"]
        if before is None:
            action = "created"
        else:
            same = before["metadata"]["resourceVersion"] == version
            action = "unchanged" if same else "configured"
        self.live[item.key] = after
        return Change(action, item.kind, item.namespace, item.name)


def refuse_misshapen(
    objects: Sequence[Object], try_out: Callable[[Sequence[Object]], object]
) -> None:
    """Refuse objects that cannot even be prepared for the server, with what it says of the rest."""
    problems = {item.key: list(shapes.problems(item)) for item in objects}
    if not any(problems.values()):
        return
    every = list(chain(*problems.values()))
    try:
        try_out([item for item in objects if not problems[item.key]])
    except InputError as error:
        every += error.problems
    raise InputError("the objects are refused, and none was applied", every)


def is_ours(live: Json, run: str) -> bool:
    """Tell whether this run created an object, so that it may also delete it."""
    return _labels(live).get(RUN_LABEL) == run


def owner(live: Json) -> str:
    """Say whose an object is that this run did not create, as far as it shows."""
    if run := _labels(live).get(RUN_LABEL):
        return f"of the run in namespace {run}"
    names = managed_fields.managers(live)
    return f"managed by {', '.join(names)}" if names else "manager unknown"


def _is_adopted(live: Json) -> bool:
    return ADOPTED in ((live.get("metadata") or {}).get("annotations") or {})


def _labels(live: Json) -> dict[str, str]:
    return (live.get("metadata") or {}).get("labels") or {}


def _with_metadata(item: Object, **changed: object) -> Object:
    return item.with_data({**item.data, "metadata": {**item.metadata, **changed}})


def _elsewhere(item: Object, namespace: str) -> Object:
    """Give the object a name to be tried by, where it meets nothing."""
    # At most 49 characters: a CronJob's name may have 52, fewer than any other kind's.
    name = f"{item.name[:40].rstrip('.-')}-{uuid.uuid4().hex[:8]}"
    return _with_metadata(item, name=name, namespace=namespace)


def _content(live: Json) -> Json:
    metadata = {
        name: value
        for name, value in live["metadata"].items()
        if name not in ("managedFields", "resourceVersion", "generation")
    }
    return {**live, "metadata": metadata, "status": None}
