"""One test case of istio-config-validator, said of answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from meshdemo.objects import durations
from meshdemo.rules import hosts, rewrites
from meshdemo.rules.own_answers import MOVED
from meshdemo.suite.others import mock
from meshdemo.suite.others.converted import redirected
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meshdemo.objects.place import Place
    from meshdemo.suite.others.converted import Converted
    from meshdemo.suite.others.taking import Taken

Json = dict[str, Any]

NAME = "istio-config-validator"
EXPECTED = ("route", "redirect", "rewrite", "fault", "headers", "delegate")
SEEN_BY_PODS = ("service", "version", "path", "requestHeaders")
"""What is expected of a request that comes to a pod."""
DELAY_ROOM = 1.0
"""Seconds that an answer may take beyond the delay that is expected."""


@dataclass
class TestCase:
    """One test case, where it stands."""

    __test__: ClassVar[bool] = False  # pytest takes it for no class of tests

    place: Place
    found: Converted
    said: set[str] = field(default_factory=set)

    @property
    def wanted(self) -> bool:
        return self.place["wantMatch"].value is True

    @property
    def name(self) -> str:
        return self.place["description"].text or f"test case {self.place.path[-1]}"

    def convert(self) -> None:
        """Write the tests of the case: requests that shall get the same are one test."""
        alike: dict[str, tuple[Json, list[str], list[str]]] = {}
        given = [each for each in EXPECTED if each in self.place]
        if not given:
            self.remark(self.place, "it expects nothing, so it is left out")
        for uri, authority, method in self.requests():
            url = f"http://{authority}{uri if uri.startswith('/') else f'/{uri}'}"
            request = Request(url, method, tuple(self.headers.items()))
            taken = self.found.known.taken(request)
            for why in mock.differences(self.found.known.virtual_services, request, taken):
                if why not in self.said:
                    self.said.add(why)
                    self.remark(self.place, f"{NAME} finds another rule for {url}: {why}")
            for expect in self.expected(request, taken) if given else ():
                _, urls, methods = alike.setdefault(repr(expect), (expect, [], []))
                urls += [] if url in urls else [url]
                methods += [] if method in methods else [method]
        for expect, urls, methods in alike.values():
            kind = ": shares" if "shares" in (expect.get("not") or expect) else ""
            name = self.name + (kind if len(alike) > 1 else "")
            self.found.add(self.place, name, self.request(urls, methods), expect)

    def own_answer(self) -> str:
        """Say why no pod gets the request, if the case wants it so."""
        if self.place["redirect"].there:
            return "what is redirected"
        return (
            "what is aborted" if _percentage(self.place["fault"]["abort"].value or {}) == 1 else ""
        )

    def versions(self, taken: Taken | None) -> set[str]:
        """Give the versions that the destinations answer as."""
        space = self.namespace(taken)
        places = [row["destination"].value or {} for row in self.place["route"].rows]
        return {name for each in places for name in self.found.known.outcomes(each, space)}

    def requests(self) -> Iterator[tuple[str, str, str]]:
        request = self.place["request"]
        lists = (
            [row.text for row in request[name].rows] for name in ("uri", "authority", "method")
        )
        uris, authorities, methods = lists
        yield from product(uris, authorities, methods)

    @property
    def headers(self) -> dict[str, str]:
        return self.place["request"]["headers"].texts

    def request(self, urls: Sequence[str], methods: Sequence[str]) -> Json:
        found: Json = {"url": urls[0]} if len(urls) == 1 else {"urls": list(urls)}
        if len(methods) > 1:
            found["methods"] = list(methods)
        elif methods[0] != "GET":
            found["method"] = methods[0]
        return found | ({"headers": self.headers} if self.headers else {})

    def expected(self, request: Request, taken: Taken | None) -> Iterator[Json]:
        """Give what is expected of one answer, and what of many."""
        of_one: Json = {}
        for each in (self.redirect, self.rewrite, self.headers_seen, self.fault, self.delegate):
            of_one |= each(request, taken)
        counted = [*self.route(taken, of_one), *self.aborts()]
        if self.wanted and (answer := self.own_answer()):
            counted = [shares for shares in counted if not shares.keys() & self.versions(taken)]
            if seen := [name for name in SEEN_BY_PODS if of_one.pop(name, None)]:
                self.remark(
                    self.place, f"{', '.join(seen)} is not seen: {answer} never comes to a pod"
                )
        if of_one:
            yield of_one if self.wanted else {"not": of_one}
        for shares in counted:
            yield {"shares": shares} if self.wanted else {"not": {"shares": shares}}

    def route(self, taken: Taken | None, of_one: Json) -> Iterator[Json]:
        """Say who answers. Of one destination that is wanted, every answer can tell."""
        places = self.place["route"].rows
        space = self.namespace(taken)
        weights = {
            number: place["weight"].number if len(places) > 1 else 100
            for number, place in enumerate(places)
        }
        total = sum(weights.values())
        weighted = [
            (
                place["destination"].value or {},
                Fraction(str(weights[number])) / Fraction(str(total)),
            )
            for number, place in enumerate(places)
            if total and weights[number]
        ]
        for place in places:
            self.unseen(place)
        if self.wanted and len(weighted) == 1:
            ((destination, _),) = weighted
            self.found.named(destination, space)
            of_one["service"] = hosts.full_name(str(destination.get("host")), space)
            outcomes = self.found.known.outcomes(destination, space)
            if destination.get("subset"):
                of_one["version"] = list(outcomes) if len(outcomes) > 1 else next(iter(outcomes))
        elif weighted:
            yield self.found.shares(weighted, space, self.place["route"])
        elif places:
            self.remark(self.place["route"], "its weights are 0, so nothing is tested")

    def unseen(self, place: Place) -> None:
        if place["headers"].there:
            message = "headers of one destination are not tested; write them as requestHeaders"
            self.remark(place["headers"], message)

    def namespace(self, taken: Taken | None) -> str:
        """Say where short names of destinations live: beside the rule that takes the request."""
        return taken.rule.namespace if taken else self.meant_namespace

    @property
    def meant_namespace(self) -> str:
        """Give the namespace of the rules for the host, where none of them takes the request."""
        named = {row.text for row in self.place["request"]["authority"].rows}
        for item in self.found.known.virtual_services:
            if named & set(item.spec.get("hosts") or ()):
                return item.namespace
        return self.found.known.namespace

    def redirect(self, request: Request, taken: Taken | None) -> Json:
        redirect = self.place["redirect"].value
        if redirect is None:
            return {}
        status = redirect.get("redirectCode") or MOVED
        real = (taken.http.get("redirect") or {}) if taken else {}
        location = redirected(redirect, request.url, taken.match if taken else None)
        if self.wanted:
            return {"status": status, "location": location}
        # Of what a rule says either may differ, and of the answer both may not.
        code_differs = real and (real.get("redirectCode") or MOVED) != status
        return {"status": status} if code_differs else {"location": location}

    def rewrite(self, request: Request, taken: Taken | None) -> Json:
        rewrite = self.place["rewrite"].value
        if rewrite is None:
            return {}
        found: Json = {}
        _, _, after = request.url.partition("//")
        sent, mark, query = after[after.index("/") :].partition("?")
        if rewrite.get("uri") or rewrite.get("uriRegexRewrite"):
            match = taken.match if taken else {"uri": {"exact": sent}}
            path = rewrites.path({"rewrite": rewrite}, match, sent)
            if path is None:
                where = self.place["rewrite"]["uriRegexRewrite"]
                self.remark(where, "only Envoy itself can tell what this regex makes of the path")
            else:
                found["path"] = path + mark + query
        if authority := rewrite.get("authority"):
            found["requestHeaders"] = {"host": authority}
        return found

    def headers_seen(self, _request: Request, _taken: Taken | None) -> Json:
        headers = self.place["headers"]
        found: Json = {}
        for side, name in (("request", "requestHeaders"), ("response", "responseHeaders")):
            seen: Json = dict.fromkeys(row.text for row in headers[side]["remove"].rows)
            for verb in ("set", "add"):
                for key, value in headers[side][verb].texts.items():
                    seen[key] = self.header_value(headers[side][verb][key], value, verb)
            seen = {key: value for key, value in seen.items() if value != {}}
            if seen:
                found[name] = seen
        return found

    def header_value(self, place: Place, value: str, verb: str) -> Any:  # noqa: ANN401 - as in YAML
        if "%" in value.replace("%%", ""):
            self.remark(place, "its value is Envoy's to make, so it is not tested")
            return {}
        value = value.replace("%%", "%")
        # What is added stands beside what was there.
        return value if verb == "set" else {"regex": f"(.*, ?)?{re.escape(value)}"}

    def fault(self, _request: Request, _taken: Taken | None) -> Json:
        fault = self.place["fault"]
        abort, delay = fault["abort"].value or {}, fault["delay"].value or {}
        found: Json = {}
        if abort and _percentage(abort) == 1:
            found["status"] = abort.get("httpStatus")
        if delay:
            length = durations.seconds(str(delay.get("fixedDelay")))
            if _percentage(delay) == 1 and length is not None:
                found["seconds"] = [float(length), float(length) + DELAY_ROOM]
            else:
                self.remark(fault["delay"], "a delay of some requests is not counted")
        return found

    def aborts(self) -> Iterator[Json]:
        abort = self.place["fault"]["abort"]
        share = _percentage(abort.value or {})
        if abort.there and not share:
            self.remark(abort, "without a percentage Istio aborts nothing, so nothing is tested")
        elif abort.there and share < 1:
            yield {str(abort["httpStatus"].value): f"{float(share * 100):g}%"}

    def delegate(self, _request: Request, taken: Taken | None) -> Json:
        """Say by whose destinations a delegate is known; of an answer nothing else is."""
        delegate = self.place["delegate"]
        if not delegate.there or "route" in self.place:
            return {}
        space = delegate["namespace"].text or self.namespace(taken)
        named = (space, delegate["name"].text)
        known = self.found.known.virtual_services
        own = next((o for o in known if (o.namespace, o.name) == named), None)
        if own is None and self.wanted:
            said = "/".join(named)
            why = f"there is no VirtualService {said} in these rules, so no request gets there"
            self.remark(delegate, f"{why}: {NAME} agrees all the same, and nothing is tested")
            return {}
        rules = own.spec.get("http") or () if own else ()
        routes = [each for http in rules for each in http.get("route") or ()]
        services = {
            hosts.full_name(str((each.get("destination") or {}).get("host", "")), space): None
            for each in routes
        }
        if not services:
            self.remark(delegate, "no destination tells this delegate, so nothing is tested")
            return {}
        return {"service": list(services) if len(services) > 1 else next(iter(services))}

    def remark(self, place: Place, message: str) -> None:
        self.found.remark(place, message)


def _percentage(part: Mapping[str, Any]) -> Fraction:
    """Give the share of requests that a fault is for, as a fraction of 1."""
    value = (part.get("percentage") or {}).get("value")
    return Fraction(str(value)) / 100 if isinstance(value, int | float) else Fraction(0)
