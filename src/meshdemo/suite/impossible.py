"""What no answer of a mesh could ever be, because nothing in it is called so."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from meshdemo.suite.judging import same_service, short_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import Expect, TestFile
    from meshdemo.suite.private_mesh import PrivateMesh


def problems(file: TestFile, mesh: PrivateMesh | LiveMesh) -> Iterator[Problem]:
    """Find versions that no pod has, and Services that are not there; also where they are refused.

    What is mistyped in ``not:`` would always hold.
    """
    for test in file.tests:
        path = (*test.path, "expect")
        yield from _of(file, mesh, test.expect, path)
        if test.expect.none_of:
            yield from _of(file, mesh, test.expect.none_of, (*path, "not"))


def _of(
    file: TestFile, mesh: PrivateMesh | LiveMesh, expect: Expect, path: FieldPath
) -> Iterator[Problem]:
    shares = expect.shares.versions if expect.shares else ()
    for field, names in (("version", expect.versions), ("shares", shares)):
        for name in names:
            if name not in mesh.versions:
                message = f"no pod has the version {name}"
                yield file.problem(message, *path, field, hint=_hint(name, mesh.versions))
    for field, names in (("service", expect.services), ("mirroredTo", expect.mirrored_to)):
        for name in names:
            if not any(same_service(name, host, file.namespace) for host in mesh.services):
                message = f"no Service is called {name}"
                known = [short_name(host) for host in mesh.services]
                yield file.problem(message, *path, field, hint=_hint(name, known))


def _hint(name: str, known: Iterable[str]) -> str:
    every = list(known)
    close = get_close_matches(name, every, 1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(every)}" if every else "there are none"
