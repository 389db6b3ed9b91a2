"""What a file of route tests says. Pure data: ``reading`` makes it, ``running`` answers it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object
    from meshdemo.objects.repository import Repository
    from meshdemo.verdict.expectation import Expectation
    from meshdemo.verdict.traffic import Request

API_VERSION, KIND = "meshdemo.dev/v1", "RouteTest"
SUFFIX = ".meshtest.yaml"
DEFAULT_NAMESPACE = "default"
MARGIN = Fraction(5, 100)
"""How far off a share must be to matter if nothing is said: 5 points."""
HIDDEN_SHARE = 0.01
"""The same for one of 0 or 100 %: 1 point."""


class Text(Struct, frozen=True):
    """What a text must be; of exact, prefix and regex one is meant, as in Istio's StringMatch."""

    value: str
    kind: str = "exact"

    def holds(self, found: str) -> bool:
        """Tell whether a text is so. A regex must match all of it."""
        if self.kind == "prefix":
            return found.startswith(self.value)
        if self.kind == "regex":
            return re.fullmatch(self.value, found, re.DOTALL) is not None
        return found == self.value

    def __str__(self) -> str:
        return self.value if self.kind == "exact" else f"{self.kind} {self.value}"


class Header(Struct, frozen=True):
    """What a header must be: one of these, or with none of them not there."""

    name: str
    values: tuple[Text, ...]

    def holds(self, found: str | None) -> bool:
        """Tell whether the value of a header is so; None is a header that is not there."""
        if found is None or not self.values:
            return found is None and not self.values
        return any(value.holds(found) for value in self.values)


class Source(Struct, frozen=True):
    """Where a request comes from: a pod with labels, or a gateway."""

    namespace: str = ""
    """Empty for the file's own."""
    labels: tuple[tuple[str, str], ...] = ()
    """Sorted; a pod's label ``app`` among them."""
    gateway: str = ""
    """NAMESPACE/NAME; empty for a pod."""

    def __str__(self) -> str:
        if self.gateway:
            return f"gateway {self.gateway}"
        said = ",".join(f"{name}={value}" for name, value in self.labels)
        return " ".join(filter(None, (said, f"in {self.namespace}" if self.namespace else "")))


class Sent(Struct, frozen=True):
    """One request of a test."""

    request: Request
    """Without a URL where none is said: the only host that the rules are for."""
    source: Source | None = None
    """None where nothing is said: a pod of the file's namespace, or the host's only gateway."""
    label: str = ""
    """What tells it from the others of its test; empty where there are none."""
    body: str = ""


class Expect(Struct, frozen=True):
    """What must come back. What is empty was not said; of several values one must hold."""

    versions: tuple[str, ...] = ()
    shares: Expectation | None = None
    margin: Fraction | None = None
    """How far off a share must be to matter; None where nothing is said."""
    pods: int = 0
    """How many pods answer, whichever these are; 0 where nothing is said."""
    statuses: tuple[int, ...] = ()
    locations: tuple[Text, ...] = ()
    services: tuple[str, ...] = ()
    """Services, by the names that rules call them by."""
    paths: tuple[Text, ...] = ()
    """Path and query as the app sees them."""
    request_headers: tuple[Header, ...] = ()
    """As the app sees them."""
    response_headers: tuple[Header, ...] = ()
    seconds: tuple[tuple[float, float], ...] = ()
    """How long the answer takes, at least and at most."""
    mirrored_to: tuple[str, ...] = ()
    """Services that get a copy: each of them."""
    bodies: tuple[Text, ...] = ()
    none_of: Expect | None = None
    """What must not come back: nothing of it may hold."""

    @property
    def is_share(self) -> bool:
        """Tell whether answers are counted to see whether it holds."""
        return self.shares is not None or (self.none_of is not None and self.none_of.is_share)


class RouteTest(Struct, frozen=True):
    """One test: requests, each of which must be answered as expected."""

    name: str
    sent: tuple[Sent, ...]
    """More than one where lists were written: each combination."""
    expect: Expect
    path: FieldPath = ()
    """Where it stands in its file's document."""
    line: int = 0


class StandIn(Struct, frozen=True):
    """Pods that are alike, behind a host of ``standIns``."""

    labels: Mapping[str, str] = field(default_factory=dict)
    """Beside those that the Service selects by; ``version`` among them."""
    replicas: int = 1
    status: int = 200
    delay: float = 0.0
    """Seconds."""
    failing: bool = False
    """Whether they refuse connections."""

    @property
    def version(self) -> str:
        return self.labels.get("version", "")


class TestFile(Struct, frozen=True):
    """One document of route tests."""

    __test__: ClassVar[bool] = False  # pytest takes it for no class of tests

    path: str
    """The file, as the user named it or as it was found."""
    name: str
    tests: tuple[RouteTest, ...]
    rules: tuple[str, ...] = ()
    """Files and folders, seen from the current folder."""
    live: bool = False
    """Whether the mesh that is up is meant, in place of ``rules``."""
    namespace: str = DEFAULT_NAMESPACE
    stand_ins: Mapping[str, tuple[StandIn, ...]] = field(default_factory=dict)
    """By the host as rules write it."""
    fail_under: float | None = None
    """The least coverage, in per cent."""
    item: Object | None = None
    """The document, which knows the line of each field; None where none of ours was read."""
    known: Repository | None = None
    """Of files of others: the rules, which were read to understand the tests."""
    remarks: tuple[Problem, ...] = ()
    """Of files of others: where the tests say less than those did, or something else."""

    @property
    def is_of_others(self) -> bool:
        """Tell whether it was read from a file that is no RouteTest."""
        return self.known is not None

    def problem(self, message: str, *path: str | int, hint: str = "") -> Problem:
        """Say what is wrong with a field of the file."""
        from meshdemo.errors import Problem  # noqa: PLC0415 - for files of others alone

        if self.item:
            return self.item.problem(message, *path, hint=hint)
        return Problem(message, file=self.path, hint=hint)
