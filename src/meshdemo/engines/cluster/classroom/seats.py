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

from meshdemo.engines.cluster.api.connection import CONFLICT, Denied, Forbidden
from meshdemo.engines.cluster.istio import control_plane
from meshdemo.engines.cluster.objects.apply import TRIAL_NAMESPACE
from meshdemo.engines.cluster.objects.removal import DOWN_AGAIN_OR_LONGER, Removal
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.objects.labels import CLASS_LABEL, MANAGED_BY
from meshdemo.system import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.engines.cluster.api.kube import Json, Kube
    from meshdemo.engines.protocol import Notify
    from meshdemo.objects.model import Object

    Rights = Callable[[str], Sequence[Object]]
    """Gives what a student needs in a namespace: a ServiceAccount, its Role, and their binding."""

AT_ONCE = 8
"""Namespaces that are under way at a time: more would only wait for each other at the server."""
RBAC = "rbac.authorization.k8s.io"
FOR_DOWN = (("list", "", "namespaces", ""), ("delete", "", "namespaces", ""))
FOR_UP = (
    *FOR_DOWN,
    ("create", "", "namespaces", ""),
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
    """Of the student and of the namespace."""
    is_new: bool
    """Whether the namespace is made by this command."""
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
    notify: Notify
    timeout: float
    """Seconds that one step may take."""

    def students(self) -> list[str]:
        """Name those who are there, in their order."""
        return [space["metadata"]["name"] for space in self._namespaces()]

    def plan(self, students: int) -> tuple[Seat, ...]:
        """Say what is to be made; change nothing. Raises EnvironmentFailed where that cannot be."""
        self._refuse_without(FOR_UP)
        self._try_to_grant()
        wanted = [f"{self.name}-{number:02}" for number in range(1, students + 1)]
        there = [n for n in self.kube.list("v1", "Namespace") if n["metadata"]["name"] in wanted]
        foreign = [n["metadata"]["name"] for n in there if not self._is_ours(n)]
        if foreign:
            shown = ", ".join(foreign[:MOST_SHOWN]) + (" ..." if foreign[MOST_SHOWN:] else "")
            raise EnvironmentFailed(
                f"there is already, and not of the class {self.name}: namespace {shown}",
                hint="Nothing was changed. Give the class another name: --name NAME",
            )
        if going := [n["metadata"]["name"] for n in there if _is_going(n)]:
            raise EnvironmentFailed(
                f"on its way out: namespace {', '.join(going[:MOST_SHOWN])}",
                hint="Wait until it is gone: meshdemo class down does.",
            )
        ours = {space["metadata"]["name"] for space in there}
        return tuple(Seat(name, name not in ours) for name in wanted)

    def up(self, planned: Sequence[Seat], seconds: int) -> tuple[Seat, ...]:
        """Make what is missing and renew the tokens, which last ``seconds``.

        What a student has in the namespace is left as it is.
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
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(partial(self._remove, deadline=deadline), spaces))
        left: list[Json] = list(spaces)

        def gone() -> bool:
            left[:] = [space for space in left if self._is_there(space)]
            return not left

        try:
            if left:
                waiting.until(gone, "the namespaces to be gone", timeout=_until(deadline))
        except TimedOut:
            said = ", ".join(space["metadata"]["name"] for space in left[:MOST_SHOWN])
            detail = f"still there: {said}"
        else:
            detail = f"{len(spaces)} removed" if spaces else "there was none"
        name, hint = f"no namespace of the class {self.name} is left", DOWN_AGAIN_OR_LONGER
        yield Check(name, ok=not left, detail=detail, hint=hint, late=True)

    def _namespaces(self) -> list[Json]:
        found = self.kube.list("v1", "Namespace", labels=f"{CLASS_LABEL}={self.name}")
        return sorted(found, key=lambda n: (len(n["metadata"]["name"]), n["metadata"]["name"]))

    def _is_ours(self, space: Json) -> bool:
        return (space["metadata"].get("labels") or {}).get(CLASS_LABEL) == self.name

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
            self._grant(TRIAL_NAMESPACE, dry_run=True)
        except Forbidden as error:
            raise EnvironmentFailed(error.message, hint=ADMINISTRATOR) from error

    def _labels(self) -> dict[str, str]:
        return {MANAGED_BY: "meshdemo", CLASS_LABEL: self.name}

    def _make(self, seat: Seat, *, seconds: int) -> Seat:
        name = seat.name
        if seat.is_new:
            metadata = {"name": name, "labels": self._labels()}
            try:
                self.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            except Denied as error:
                if error.status != CONFLICT:
                    raise
                message = f"somebody else has just made the namespace {name}"
                raise EnvironmentFailed(message, hint="Type the same again.") from error
        account = self._grant(name)
        # Without its own account of each namespace no pod of theirs could be made.
        waiting.until(
            lambda: self.kube.get("v1", "ServiceAccount", "default", name),
            f"Kubernetes to give namespace {name} its ServiceAccount",
            timeout=self.kube.budget.left,
        )
        path = f"{self.kube.path('v1', 'ServiceAccount', name, account)}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        given = self.kube.request("POST", path, body=request)["status"]
        return Seat(name, seat.is_new, given["token"], given["expirationTimestamp"])

    def _grant(self, namespace: str, *, dry_run: bool = False) -> str:
        """Give a student's rights in a namespace; give the name of the ServiceAccount."""
        account = ""
        for item in self.rights(namespace):
            metadata = {**item.metadata, "labels": {**item.labels, **self._labels()}}
            data = {**item.data, "metadata": metadata}
            # They are ours, in a namespace of ours: what somebody has changed is set back.
            self.kube.apply(data, dry_run=dry_run, force=True)
            account = item.name if item.kind == "ServiceAccount" else account
        return account

    def _remove(self, space: Json, *, deadline: float) -> None:
        name = space["metadata"]["name"]
        self.notify(f"removing namespace {name}")
        # First what meshdemo made: of a namespace that goes, each pod would take its 30 seconds.
        list(Removal(self.kube, name, self.notify, _until(deadline)).everything())
        options = {"preconditions": {"uid": space["metadata"]["uid"]}}
        try:
            self.kube.delete("v1", "Namespace", name, options=options)
        except Denied as error:
            if error.status != CONFLICT:  # else it is another one by now, which is not ours
                raise

    def _is_there(self, space: Json) -> bool:
        live = self.kube.get("v1", "Namespace", space["metadata"]["name"])
        return live is not None and live["metadata"]["uid"] == space["metadata"]["uid"]


def _is_going(space: Json) -> bool:
    return bool(space["metadata"].get("deletionTimestamp"))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _until(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
