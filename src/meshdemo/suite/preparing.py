"""What is checked of route tests before a request is sent: their rules, and that they can be met.

prepare(file) -> Prepared     rules read, and a mesh of them that can be started
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from meshdemo.errors import InputError, Problem, in_order
from meshdemo.objects import repository
from meshdemo.objects.sources import name_of
from meshdemo.rules import hosts
from meshdemo.suite import impossible
from meshdemo.suite.model import Source
from meshdemo.suite.private_mesh import PrivateMesh

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshdemo.objects.repository import Repository
    from meshdemo.suite.live_mesh import LiveMesh
    from meshdemo.suite.model import RouteTest, Sent, TestFile


class Case(Struct, frozen=True):
    """One request to send, and where from."""

    test: RouteTest
    sent: Sent
    source: Source


class Prepared(Struct, frozen=True):
    """A file whose mesh can be started."""

    file: TestFile
    mesh: PrivateMesh | LiveMesh
    cases: tuple[Case, ...]
    rules: Repository | None = None
    """None for a mesh that is up."""


def objects_of(file: TestFile) -> Repository:
    """Read the rules of a file. Raises InputError with every problem."""
    found = repository.read(file.rules, file.namespace)
    if not found.objects and not found.problems:
        where = ", ".join(map(name_of, file.rules))
        found.problems.append(file.problem(f"there are no rules in {where}", "rules"))
    if found.problems:
        raise InputError("the rules cannot be used", in_order(found.problems))
    return found


def prepare(file: TestFile, found: Repository | None = None, *, starts: bool = True) -> Prepared:
    """Read the rules of a file, and check all that can be checked before a request is sent.

    ``found`` are its rules where they were read before. With ``starts`` every client that is named
    is started with the mesh, else when it is needed. Raises InputError with every problem: of
    the rules, and of tests that nothing could meet.
    """
    found = found or objects_of(file)
    ports = (urlsplit(sent.request.url).port or 0 for test in file.tests for sent in test.sent)
    mesh = PrivateMesh(
        found.objects, namespace=file.namespace, stand_ins=file.stand_ins, ports=ports
    )
    problems: list[Problem] = list(mesh.admission.problems)
    cases = _cases(file, mesh, problems)
    if not mesh.admission.problems:
        problems += impossible.problems(file, mesh)
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    mesh.need(case.source for case in cases if starts)
    return Prepared(file, mesh, tuple(cases), found)


def prepare_live(file: TestFile, mesh: LiveMesh) -> Prepared:
    """Check a file against the mesh that is up. Raises InputError with every problem.

    Raises EnvironmentFailed where there is none, or nobody in it who could send.
    """
    mesh.look_where(sent.request for test in file.tests for sent in test.sent)
    mesh.sender(Source(mesh.namespace))
    problems: list[Problem] = []
    cases = _cases(file, mesh, problems)
    problems += impossible.problems(file, mesh)
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    return Prepared(file, mesh, tuple(cases))


def _cases(file: TestFile, mesh: PrivateMesh | LiveMesh, problems: list[Problem]) -> list[Case]:
    """Say what is sent, and from where; what is not clear goes to ``problems``."""
    cases: list[Case] = []
    for test in file.tests:
        for sent in test.sent:
            try:
                meant = _addressed(sent, mesh)
                source = mesh.source_of(meant.request, meant.source)
                cases.append(Case(test, replace(meant, source=source), source))
            except InputError as error:
                path = (*test.path, "request")
                problems.append(file.problem(error.message, *path, hint=error.hint))
    return cases


def prepare_all(files: Iterable[TestFile], known: Repository | None = None) -> list[Prepared]:
    """Prepare files; what is wrong with any of them is said at once.

    ``known`` are the rules of all of them, where they were read before.
    """
    found: list[Prepared] = []
    problems: list[Problem] = []
    read: dict[tuple[object, ...], Repository] = {}  # standard input can be read only once
    for file in files:
        try:
            key = file.rules, file.namespace
            if key not in read:
                read[key] = known or file.known or objects_of(file)
            found.append(prepare(file, read[key]))
        except InputError as error:
            problems += error.problems or [file.problem(error.message, hint=error.hint)]
    if problems:
        raise InputError("the route tests cannot be run", in_order(problems))
    return found


def _addressed(sent: Sent, mesh: PrivateMesh | LiveMesh) -> Sent:
    """Give a request with the URL that is meant where none is said. Raises InputError."""
    if sent.request.url:
        return sent
    known = [host for host in mesh.hosts if not hosts.is_wildcard(host)]
    if len(known) != 1:
        named = ", ".join(known) or "none by name"
        raise InputError("it says no url", hint=f"the rules are for several hosts: {named}")
    return replace(sent, request=replace(sent.request, url=f"http://{known[0]}/"))
