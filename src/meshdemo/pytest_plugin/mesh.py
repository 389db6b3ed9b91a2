"""The fixture ``mesh``: rules are applied to it, and answer real requests."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace
from urllib3 import HTTPHeaderDict

from meshdemo.errors import InputError, MeshdemoError, UsageError, in_order
from meshdemo.objects import reading, repository
from meshdemo.pytest_plugin.words import error_text, failure_text
from meshdemo.suite.model import DEFAULT_NAMESPACE, Expect, RouteTest, Sent, TestFile
from meshdemo.suite.preparing import Case
from meshdemo.suite.private_mesh import PrivateMesh
from meshdemo.suite.running import Runner
from meshdemo.verdict import expectation, traffic
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from typing_extensions import Self

    from meshdemo.errors import Problem
    from meshdemo.objects.model import Object
    from meshdemo.suite.answers import Answer

HTTP = 80
AS_TEXT = "the YAML"
"""What problems call what a test gives as text."""


_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


class Refused(Exception):
    """What a test asks of the mesh makes no sense, or cannot be had; the text says all of it."""


def _in_words(method: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Have pytest show what is wrong, with all problems, at the line of the test that asks."""

    @wraps(method)
    def call(*arguments: _Given.args, **named: _Given.kwargs) -> _Result:
        __tracebackhide__ = True
        try:
            return method(*arguments, **named)
        except MeshdemoError as error:
            raise Refused(error_text(error)) from None

    return call


class Response:
    """What came back of a request."""

    def __init__(self, answer: Answer) -> None:
        reply = answer.reply
        self.status: int = reply.status or 0
        """0 where there was no answer: then ``error`` says why."""
        self.version: str = answer.version
        """The label ``version`` of the pod that answered; empty where none did, or it has none."""
        self.headers: Mapping[str, str] = HTTPHeaderDict(reply.headers)
        """By names in any case."""
        self.text: str = reply.body
        self.error: str = reply.error
        self.seconds: float = answer.seconds

    def json(self) -> Any:  # noqa: ANN401 - JSON is any data
        """Read the body; a stand-in says there what it was asked: method, path, host, headers."""
        return json.loads(self.text)

    def __repr__(self) -> str:
        version = f" by version {self.version}" if self.version else ""
        return f"<{self.error or self.status}{version}>"


class Mesh:
    """A mesh of real Envoys with stand-ins for all pods; it starts with the first request.

    It lives as long as the session (with pytest-xdist: one in each worker), and what is applied
    stays, as in a cluster. ``with mesh.apply(...):`` puts back what was before.
    """

    def __init__(self) -> None:
        self._objects: dict[tuple[str, ...], Object] = {}
        self._ports = {HTTP}
        self._mesh: PrivateMesh | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @_in_words
    def apply(self, *sources: str | PathLike[str]) -> Applied:
        """Put objects into the mesh: of files, of folders with all below them, or of YAML as text.

        One that has the kind, namespace and name of another takes its place. Raises Refused with
        every problem, and then nothing is applied.
        """
        before = dict(self._objects)
        problems: list[Problem] = []
        for source in sources:
            for item in _objects(source, problems):
                self._objects[item.key] = item
        if not problems:
            problems += PrivateMesh(self._objects.values()).admission.problems
        if problems:
            self._objects = before
            raise InputError("the rules are refused", in_order(problems))
        if _data(self._objects) != _data(before):
            self._stop()
        return Applied(self, before)

    @_in_words
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET request from a client in the mesh; from a gateway if all rules are of one."""
        request = _request(url, headers)
        return Response(self._running(request).ask(request))

    @_in_words
    def verify(
        self,
        shares: str,
        url: str = "",
        headers: Mapping[str, str] | None = None,
        margin: float = 5,
    ) -> None:
        """See that answers have these shares, as ``v2=10%``, within ``margin`` points.

        As many requests are sent as it takes. Without a URL it is the only host of the rules.
        Raises AssertionError with the cause where they have not, or where it stays open.
        """
        __tracebackhide__ = True
        wanted = Expect(shares=expectation.parse([shares]), margin=Fraction(str(margin)) / 100)
        request = _request(url or self._only_host(), headers)
        mesh = self._running(request)
        source = mesh.source_of(request, None)
        sent = Sent(request, source)
        case = Case(RouteTest(f"verify {shares}", (sent,), wanted), sent, source)
        result = Runner(TestFile("", "mesh", (case.test,)), mesh, (case,)).one(case)
        if not result.ok:
            raise AssertionError(failure_text(result))

    def restore(self, objects: dict[tuple[str, ...], Object]) -> None:
        """Have these objects again, and no others."""
        if _data(self._objects) != _data(objects):
            self._stop()
        self._objects = objects

    def _only_host(self) -> str:
        known = PrivateMesh(self._objects.values()).hosts
        if len(known) != 1 or "*" in known[0]:
            named = ", ".join(known) or "none"
            raise UsageError("say which URL", hint=f"the rules are for these hosts: {named}")
        return f"http://{known[0]}/"

    def _running(self, request: Request) -> PrivateMesh:
        """Give the mesh. One that does not know the request's port yet is made anew."""
        if not self._objects:
            raise UsageError("there are no rules in the mesh", hint='mesh.apply("rules/") does')
        port = urlsplit(request.url).port or HTTP
        if port not in self._ports:
            self._ports.add(port)
            self._stop()
        if self._mesh is None:
            mesh = PrivateMesh(self._objects.values(), ports=self._ports)
            mesh.__enter__()  # it ends with the session, or when other rules are applied
            self._mesh = mesh
        return self._mesh

    def _stop(self) -> None:
        if self._mesh is not None:
            mesh, self._mesh = self._mesh, None
            mesh.__exit__(None, None, None)


class Applied:
    """What apply() has changed; as a context manager it puts back what was before."""

    def __init__(self, mesh: Mesh, before: dict[tuple[str, ...], Object]) -> None:
        self._mesh, self._before = mesh, before

    def __enter__(self) -> Mesh:
        return self._mesh

    def __exit__(self, *_: object) -> None:
        self._mesh.restore(self._before)


def _data(objects: Mapping[tuple[str, ...], Object]) -> list[Any]:
    """Give what objects say, wherever they were written."""
    return [item.data for item in objects.values()]


def _objects(source: str | PathLike[str], problems: list[Problem]) -> list[Object]:
    """Read what is meant by a path, or by a text: that has lines, or a colon and a space."""
    if isinstance(source, str) and ("\n" in source or ": " in source):
        found: list[Object] = reading.parse(source, AS_TEXT, problems)
        return reading.settled(found, DEFAULT_NAMESPACE, problems)
    repo = repository.read([str(Path(source))], DEFAULT_NAMESPACE)
    problems += repo.problems
    if not repo.objects and not repo.problems:
        raise InputError(f"there are no rules in {source}")
    return repo.objects


def _request(url: str, headers: Mapping[str, str] | None) -> Request:
    request = Request(url, headers=tuple((headers or {}).items()), wants_headers=True)
    traffic.check(replace(request, url=url.replace("https://", "http://", 1)))
    return request
