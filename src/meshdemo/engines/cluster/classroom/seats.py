"""Making a class and removing it: namespaces, the rights in them, and tokens that expire.

The cluster itself says which class a namespace belongs to, by a label: nothing else is kept.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.engines.cluster.api.connection import CONFLICT, Denied, Forbidden
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.objects import class_namespaces
from meshdemo.engines.cluster.objects.apply import TRIAL_NAMESPACE
from meshdemo.engines.cluster.objects.removal import DOWN_AGAIN_OR_LONGER, Removal
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.labels import CLASS_LABEL
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

    Rights = Callable[[str], Sequence[Object]]
    """Gives what a student needs in a namespace: a ServiceAccount, its Role, and their binding."""
    Beside = Callable[[str], Sequence[str]]
    """Names the namespaces that lessons need beside a student's own."""

AT_ONCE = 8
"""Namespaces that are under way at a time: more would only wait for each other at the server."""
RBAC = "rbac.authorization.k8s.io"
FOR_DOWN = (("list", "", "namespaces", ""), ("delete", "", "namespaces", ""))
FOR_UP = (
    *FOR_DOWN,
    ("create", "", "namespaces", ""),
    ("patch", "", "namespaces", ""),
    ("patch", "", "serviceaccounts", ""),
    ("create", "", "serviceaccounts", "token"),
    ("patch", RBAC, "roles", ""),
    ("patch", RBAC, "rolebindings", ""),
)
"""What it takes to make a class, and to remove it: verb, group, resource, subresource."""
ADMINISTRATOR = "A class takes an administrator's rights (cluster-admin): ask who runs the cluster."
MOST_SHOWN = 10
SLACK = 60
"""Seconds by which a token may end sooner than was asked for: it took a moment to make them all."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Seat(Struct, frozen=True):
    """What a student gets."""

    name: str
    """Of the student, and of the namespace that is theirs."""
    is_new: bool
    """Whether that namespace is made by this command."""
    beside: tuple[str, ...] = ()
    """The other namespaces of the student."""
    missing: tuple[str, ...] = ()
    """Those of all these that are made by this command."""
    token: str = ""
    """Empty while it is only planned."""
    expires: str = ""
    """When the token ends, as the server says: it may give a shorter time than was asked for."""


@dataclass
class Classroom:
    """One class."""

    kube: Kube
    name: str
    rights: Rights
    beside: Beside
    notify: Notify
    timeout: float
    """Seconds that one step may take."""

    def students(self) -> list[str]:
        """Name those who are there, in their order."""
        spaces = self._namespaces()
        return [_name(space) for space in spaces if not class_namespaces.student_beside(space)]

    def plan(self, students: int) -> tuple[Seat, ...]:
        """Say what is to be made; change nothing. Raises EnvironmentFailed where that cannot be."""
        self._refuse_without(FOR_UP)
        self._try_to_grant()
        names = [f"{self.name}-{number:02}" for number in range(1, students + 1)]
        beside = {name: tuple(self.beside(name)) for name in names}
        whose = dict.fromkeys(names, "")
        whose |= {other: name for name, others in beside.items() for other in others}
        live = {_name(space): space for space in self.kube.list("v1", "Namespace")}
        there = {name: live[name] for name in whose if name in live}
        self._refuse_foreign(there, whose)
        if going := [name for name, space in there.items() if _is_going(space)]:
            raise EnvironmentFailed(
                f"on its way out: namespace {', '.join(going[:MOST_SHOWN])}",
                hint="Wait until it is gone: meshdemo class down does.",
            )
        return tuple(
            Seat(
                name,
                is_new=name not in there,
                beside=beside[name],
                missing=tuple(each for each in (name, *beside[name]) if each not in there),
            )
            for name in names
        )

    def _refuse_foreign(self, there: Mapping[str, Json], whose: Mapping[str, str]) -> None:
        """Refuse namespaces that are not of the class, or beside another student's."""
        foreign = [
            name
            for name, space in there.items()
            if class_namespaces.class_of(space) != self.name
            or class_namespaces.student_beside(space) != whose[name]
        ]
        if foreign:
            shown = ", ".join(foreign[:MOST_SHOWN]) + (" ..." if foreign[MOST_SHOWN:] else "")
            raise EnvironmentFailed(
                f"there is already, and not of the class {self.name}: namespace {shown}",
                hint="Nothing was changed. Give the class another name: --name NAME",
            )

    def up(self, planned: Sequence[Seat], seconds: int) -> tuple[Seat, ...]:
        """Make what is missing and renew the tokens, which last ``seconds``.

        What a student has in their namespaces is left as it is.
        """
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            return tuple(pool.map(partial(self._make, seconds=seconds), planned))

    def remarks(self, seats: Sequence[Seat], seconds: int | None) -> Iterator[str]:
        """Say what will surprise whoever teaches; ``seconds`` that the tokens were to last."""
        if seconds:
            left = (min(_time(seat.expires) for seat in seats) - self.kube.now()).total_seconds()
            if left < seconds - SLACK:
                hours = f"{left / 3600:.1f} h"
                yield f"this cluster gives no token for longer than {hours}: type it again in time"
        if urlsplit(self.kube.server).hostname in LOOPBACK:
            yield (
                f"the API server is {self.kube.server}: the kubeconfigs work on this machine alone"
            )
        if control_plane.control_planes(self.kube) == ():
            yield "Istio is not there yet: meshdemo install --engine cluster"

    def down(self) -> Iterator[Check]:
        """Remove the namespaces of the class with all that is in them, and prove it."""
        self._refuse_without(FOR_DOWN)
        deadline = time.monotonic() + self.timeout
        spaces = self._namespaces()
        by_student: dict[str, list[Json]] = {}
        for space in spaces:
            student = class_namespaces.student_beside(space) or _name(space)
            by_student.setdefault(student, []).append(space)
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(partial(self._remove, deadline=deadline), by_student.items()))
        left: list[Json] = list(spaces)

        def gone() -> bool:
            left[:] = [space for space in left if self._is_there(space)]
            return not left

        try:
            if left:
                waiting.until(gone, "the namespaces to be gone", timeout=_until(deadline))
        except TimedOut:
            said = ", ".join(map(_name, left[:MOST_SHOWN]))
            detail = f"still there: {said}"
        else:
            detail = f"{len(spaces)} removed" if spaces else "there was none"
        name, hint = f"no namespace of the class {self.name} is left", DOWN_AGAIN_OR_LONGER
        yield Check(name, ok=not left, detail=detail, hint=hint, late=True)

    def _namespaces(self) -> list[Json]:
        found = self.kube.list("v1", "Namespace", labels=f"{CLASS_LABEL}={self.name}")
        return sorted(found, key=lambda space: (len(_name(space)), _name(space)))

    def _refuse_without(self, rights: Sequence[tuple[str, str, str, str]]) -> None:
        missing = [
            f"{verb} {resource}{'/' if sub else ''}{sub}"
            for verb, group, resource, sub in rights
            if not self.kube.can_i(verb, resource, group=group, subresource=sub)
        ]
        if missing:
            message = f"you are not allowed to: {', '.join(missing)}"
            raise EnvironmentFailed(message, hint=ADMINISTRATOR)

    def _try_to_grant(self) -> None:
        """See that one may: a server lets nobody give away rights that they have not themselves."""
        try:
            self._grant(TRIAL_NAMESPACE, TRIAL_NAMESPACE, dry_run=True)
        except Forbidden as error:
            raise EnvironmentFailed(error.message, hint=ADMINISTRATOR) from error

    def _make(self, seat: Seat, *, seconds: int) -> Seat:
        name = seat.name
        about = class_namespaces.names_beside(seat.beside) if seat.beside else {}
        for space in seat.missing:
            beside = {"labels": class_namespaces.labels(self.name, student=name)}
            self._create(space, about if space == name else beside)
        if about and not seat.is_new:  # the class may be older than a lesson
            self.kube.patch("v1", "Namespace", name, {"metadata": about})
        account = ""
        for space in (name, *seat.beside):
            account = self._grant(space, name) or account
            # Without its own account of each namespace no pod of theirs could be made.
            waiting.until(
                partial(self.kube.get, "v1", "ServiceAccount", "default", space),
                f"Kubernetes to give namespace {space} its ServiceAccount",
                timeout=self.kube.budget.left,
            )
        path = f"{self.kube.path('v1', 'ServiceAccount', name, account)}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        given = self.kube.request("POST", path, body=request)["status"]
        return replace(seat, token=given["token"], expires=given["expirationTimestamp"])

    def _create(self, name: str, metadata: Json) -> None:
        metadata = {"name": name, "labels": class_namespaces.labels(self.name), **metadata}
        try:
            self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        except Denied as error:
            if error.status != CONFLICT:
                raise
            message = f"somebody else has just made the namespace {name}"
            raise EnvironmentFailed(message, hint="Type the same again.") from error

    def _grant(self, namespace: str, student: str, *, dry_run: bool = False) -> str:
        """Give a student's rights in a namespace, theirs or beside it.

        Give the name of the ServiceAccount, which is in theirs alone.
        """
        account = ""
        labels = class_namespaces.labels(self.name)
        for item in self.rights(namespace):
            if item.kind == "ServiceAccount" and namespace != student:
                continue
            metadata = {**item.metadata, "labels": {**item.labels, **labels}}
            data = {**item.data, "metadata": metadata}
            if subjects := data.get("subjects"):
                data["subjects"] = [{**each, "namespace": student} for each in subjects]
            # They are ours, in a namespace of ours: what somebody has changed is set back.
            self.kube.apply(data, dry_run=dry_run, force=True)
            account = item.name if item.kind == "ServiceAccount" else account
        return account

    def _remove(self, one: tuple[str, Sequence[Json]], *, deadline: float) -> None:
        """Remove the namespaces of one student."""
        student, spaces = one
        self.notify(f"removing namespace {', '.join(map(_name, spaces))}")
        # First what meshdemo made: of a namespace that goes, each pod would take its 30 seconds.
        list(Removal(self.kube, student, self.notify, _until(deadline)).everything())
        for space in spaces:
            self._delete(space)

    def _delete(self, space: Json) -> None:
        metadata = space["metadata"]
        options = {"preconditions": {"uid": metadata["uid"]}}
        try:
            self.kube.delete("v1", "Namespace", metadata["name"], options=options)
        except Denied as error:
            if error.status != CONFLICT:  # else it is another one by now, which is not ours
                raise

    def _is_there(self, space: Json) -> bool:
        live = self.kube.get("v1", "Namespace", space["metadata"]["name"])
        return live is not None and live["metadata"]["uid"] == space["metadata"]["uid"]


def _name(space: Json) -> str:
    return str(space["metadata"]["name"])


def _is_going(space: Json) -> bool:
    return bool(space["metadata"].get("deletionTimestamp"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _until(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
