"""Reading files of route tests: all problems at once, each with file and line."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import InputError, Problem, in_order
from meshdemo.language import joined, said
from meshdemo.objects import documents, durations
from meshdemo.objects.model import Object
from meshdemo.objects.place import Place, top
from meshdemo.objects.sources import URL
from meshdemo.suite import finding, others, shape
from meshdemo.suite.expectations import expected
from meshdemo.suite.model import (
    DEFAULT_NAMESPACE,
    KIND,
    RouteTest,
    Sent,
    Source,
    StandIn,
    TestFile,
)
from meshdemo.verdict import traffic
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_CASES = 10_000
"""Requests that the lists of one test may stand for."""


def read(paths: Sequence[str], *, rules: Sequence[str] = ()) -> tuple[TestFile, ...]:
    """Read files and folders of route tests; each document is a TestFile.

    ``rules`` stand in for those that the files name. Raises InputError with every problem.
    """
    problems: list[Problem] = []
    found: list[TestFile] = []
    known = others.Rules(rules)
    for file, text in finding.test_files(paths, problems):
        found += parse(text, file, problems, rules=rules, known=known)
    if problems:
        raise InputError("the route tests cannot be used", in_order(problems))
    return tuple(found)


def parse(
    text: str,
    file: str,
    problems: list[Problem],
    *,
    rules: Sequence[str] = (),
    known: others.Rules | None = None,
) -> list[TestFile]:
    """Read the route tests of one text; what is wrong goes to ``problems``.

    ``known`` are the same rules, where they may have been read before.
    """
    known = known or others.Rules(rules)
    wrong: list[Problem] = []
    ours: list[Object] = []
    beside: list[documents.Document] = []
    read: dict[int, others.Written] = {}
    for document in documents.read(text, file, wrong):
        if isinstance(document.data, dict) and document.data.get("kind") == KIND:
            ours.append(Object(document.data, file, document.lines))
        elif others.is_other(document.data):
            if written := others.write(document, file, known, wrong):
                read[len(ours)] = written
                ours.append(written.item)
        else:
            beside.append(document)
    if not ours and not wrong:
        wrong.append(_nothing_in(file, beside))
    found = []
    for number, item in enumerate(ours):
        reader = _Reader(item, tuple(rules), has_rules=bool(beside))
        if made := reader.read():
            if other := read.get(number):
                made = replace(made, known=other.rules, remarks=other.remarks)
            found.append(made)
        wrong += reader.problems
    problems += wrong
    return found


def _nothing_in(file: str, beside: Sequence[documents.Document]) -> Problem:
    """Say that a file has no route tests, and what its documents are that have a kind."""
    hint = f"documents of route tests say kind: {KIND}"
    for document in beside:
        kind = document.data.get("kind") if isinstance(document.data, dict) else None
        if isinstance(kind, str):
            line = document.lines.get(("kind",), 0)
            message = f"no route tests in it: it says kind: {kind}"
            return Problem(message, file=file, line=line, hint=hint)
    return Problem("no route tests in it", file=file, hint=hint)


class _Reader:
    """Reads one document, and keeps what is wrong with it."""

    def __init__(self, item: Object, rules: tuple[str, ...], *, has_rules: bool) -> None:
        self.item, self.rules, self.has_rules = item, rules, has_rules
        self.top = top(item)
        self.problems: list[Problem] = []

    def read(self) -> TestFile | None:
        """Give the file; None where something is wrong with it."""
        self.problems += shape.problems(self.top)
        tests, rules = tuple(self.tests()), tuple(self.rule_files())
        if self.problems:
            return None
        stand_ins = {
            host: tuple(_stand_in(row) for row in place.rows)
            for host, place in self.top["standIns"].entries.items()
        }
        under = self.top["coverage"]["failUnder"]
        return TestFile(
            path=self.item.file,
            name=self.item.name,
            tests=tests,
            rules=rules,
            live=self.is_live,
            namespace=self.item.namespace or DEFAULT_NAMESPACE,
            stand_ins=stand_ins,
            fail_under=None if not under.there else float(str(under.value).rstrip(" %")),
            item=self.item,
        )

    @property
    def is_live(self) -> bool:
        return self.top["live"].value is True and not self.rules

    def rule_files(self) -> Iterator[str]:
        """Find the rules; those that a file names are seen from it."""
        if self.rules:
            yield from self.rules
            return
        named = self.top["rules"]
        if self.is_live:
            if named.there:
                self.refuse(named, "live: true asks the mesh that is up, which has its own rules")
            for name in ("standIns",):
                if self.top[name].there:
                    self.refuse(self.top[name], "live: true asks pods that run already")
            return
        if not named.there and not self.has_rules:
            hint = "as in rules: [rules/], or live: true; or put them into this file"
            self.refuse(self.top, "it says no rules", hint)
        if not named.there:
            yield self.item.file
        yield from self.named_files(named)

    def named_files(self, named: Place) -> Iterator[str]:
        for row in named.rows:
            path = Path(self.item.file).parent / row.text
            if URL.match(row.text):
                yield row.text
            elif path.exists():
                yield str(path)
            else:
                self.refuse(row, f"there is no file or folder {path}")

    def tests(self) -> Iterator[RouteTest]:
        names: dict[str, Place] = {}
        rule = shape.schema()["$defs"]["test"]
        for row in self.top["tests"].rows:
            if any(shape.problems(row, rule)):
                continue  # it was said already
            name = row["name"]
            first = names.setdefault(name.text, name)
            if first is not name:
                line = self.item.line(*first.path)
                self.refuse(name, f"there is a test of this name already, on line {line}")
            sent = tuple(self.sent(row["request"]))
            expect = expected(row["expect"], self.problems)
            line = self.item.line(*row.path)
            yield RouteTest(name.text, sent, expect, row.path, line)

    def sent(self, place: Place) -> Iterator[Sent]:
        """Give the requests that a test sends: each combination of what it lists."""
        urls = self.listed(place, "url", "urls") or [""]
        methods = self.listed(place, "method", "methods") or ["GET"]
        headers = place["headers"]
        maps: Sequence[Mapping[str, str]] = [headers.texts]
        if isinstance(headers.value, list):
            maps = [row.texts for row in headers.rows]
        if len(urls) * len(methods) * len(maps) > MOST_CASES:
            self.refuse(place, f"its lists stand for more than {MOST_CASES:,} requests")
            return
        source = self.source(place["from"])
        for url, method, given in product(urls, methods, maps):
            parts = (
                (method, len(methods) > 1),
                (url, len(urls) > 1),
                (_headers_label(given), len(maps) > 1),
            )
            label = joined(" ", [part for part, several in parts if several])
            request = Request(url, method, tuple(given.items()), wants_headers=True)
            self.check(place, request if url else replace(request, url=traffic.DEFAULT_URL))
            yield Sent(request, source, label, place["body"].text)

    def listed(self, place: Place, one: str, many: str) -> list[str]:
        """Give what is said by a field or by its plural; not by both."""
        if place[one].there and place[many].there:
            self.refuse(place[many], f"{one} is said, too: leave one of them out")
        if place[many].there:
            return [row.text for row in place[many].rows]
        return [place[one].text] if place[one].there else []

    def source(self, place: Place) -> Source | None:
        if not place.there:
            return None
        labels = dict(place["labels"].texts)
        namespace, gateway = place["namespace"].text, place["gateway"].text
        if app := place["app"].text:
            if labels.get("app", app) != app:
                self.refuse(place["labels"]["app"], f"app says {app}")
            labels["app"] = app
        if gateway and (labels or namespace):
            self.refuse(place["gateway"], "a gateway is no pod: leave out the rest, or the gateway")
        if gateway and "/" not in gateway:
            gateway = f"{self.item.namespace or DEFAULT_NAMESPACE}/{gateway}"
        return Source(namespace, tuple(sorted(labels.items())), gateway)

    def check(self, place: Place, request: Request) -> None:
        """Refuse a request that cannot be sent."""
        if self.is_live and place["body"].there:
            self.refuse(place["body"], "with live: true requests have no body")
        plain = replace(request, url=request.url.replace("https://", "http://", 1))
        try:
            traffic.check(plain)
        except InputError as error:
            for problem in error.problems:
                names = (problem.field, f"{problem.field}s")
                where = next((place[name] for name in names if place[name].there), place)
                self.refuse(where, problem.message, problem.hint)

    def refuse(self, place: Place, message: str, hint: str = "") -> None:
        self.problems.append(place.problem(message, hint))


def _headers_label(headers: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in headers.items()) or said("no headers")


def _stand_in(place: Place) -> StandIn:
    version = place["version"].text
    delay = durations.seconds(place["delay"].text) if place["delay"].there else None
    return StandIn(
        labels={**place["labels"].texts, **({"version": version} if version else {})},
        replicas=int(place["replicas"].number) or 1,
        status=int(place["status"].number) or 200,
        delay=float(delay or 0),
        failing=place["failing"].value is True,
    )
