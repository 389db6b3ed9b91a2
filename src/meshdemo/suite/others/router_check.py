"""``tests`` of Envoy's router_check_tool: what they say of Envoy's routes, said of answers.

Source: Envoy's test/tools/router_check/validation.proto and its docs "Route table check tool". What
is validated as ``""`` must not be there. The names of Istio's clusters say service and subset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshdemo.objects.shapes import mismatch
from meshdemo.rules import hosts
from meshdemo.suite.others.converted import Converted
from meshdemo.verdict.traffic import Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshdemo.errors import Problem
    from meshdemo.objects.place import Place
    from meshdemo.suite.others.taking import KnownRules

Json = dict[str, Any]

NAME = "router_check_tool"
INPUT = {
    "authority": str,
    "path": str,
    "method": str,
    "internal": bool,
    "ssl": bool,
    "random_value": int,
    "runtime": str,
    "additional_request_headers": list,
    "additional_headers": list,
    "additional_response_headers": list,
    "dynamic_metadata": list,
}
VALIDATED = {
    "cluster_name": str,
    "virtual_cluster_name": str,
    "virtual_host_name": str,
    "host_rewrite": str,
    "path_rewrite": str,
    "path_redirect": str,
    "code_redirect": int,
    "request_header_matches": list,
    "response_header_matches": list,
    "header_fields": list,
    "custom_header_fields": list,
}
NOT_SEEN = ("virtual_cluster_name", "virtual_host_name")
"""What has a name in Envoy alone."""
NOT_SENT = ("internal", "runtime", "additional_response_headers", "dynamic_metadata")
SWITCHES = ("present_match", "invert_match", "ignore_case", "treat_missing_header_as_empty")
CLUSTER = re.compile(r"outbound\|(\d+)\|([^|]*)\|(.+)")
WORDS = {str: "text", bool: "a boolean", int: "a whole number", list: "a list"}


def is_mine(data: Mapping[str, Any]) -> bool:
    """Tell whether a document is one of its files."""
    tests = data.get("tests")
    return isinstance(tests, list) and any(
        isinstance(each, dict) and {"input", "validate"} & each.keys() for each in tests
    )


def convert(document: Place, known: KnownRules, problems: list[Problem]) -> Converted:
    """Write all tests of a document; what is wrong with them goes to ``problems``."""
    found = Converted(known)
    for row in document["tests"].rows:
        before = len(problems)
        problems += _shape_problems(row)
        if len(problems) == before:
            _Test(row, found).convert()
    return found


def _shape_problems(test: Place) -> Iterator[Problem]:
    for part, known in (("input", INPUT), ("validate", VALIDATED)):
        if isinstance(test[part].value, dict):
            for place in test[part].entries.values():
                yield from _field_problems(place, known)
        else:
            yield test[part].problem(*mismatch("a mapping", test[part].value))
    for name in ("authority", "path"):
        if isinstance(test["input"].value, dict) and not test["input"][name].text:
            yield test["input"][name].problem("it is missing: no request is without it")
    if not test["validate"].value and isinstance(test["validate"].value, dict):
        yield test["validate"].problem("it validates nothing")


def _field_problems(place: Place, known: Mapping[str, type]) -> Iterator[Problem]:
    name = str(place.path[-1])
    if name not in known:
        yield place.problem("there is no such field", f"there are {', '.join(known)}")
    elif not isinstance(place.value, known[name]):
        yield place.problem(*mismatch(WORDS[known[name]], place.value))
    elif known[name] is list and name not in NOT_SENT:
        for row in place.rows:
            yield from _row_problems(row)


def _row_problems(row: Place) -> Iterator[Problem]:
    """Judge one header, or one condition on a header: all of it is text but for switches."""
    if not isinstance(row.value, dict):
        yield row.problem(*mismatch("a mapping", row.value))
    for name, place in row.entries.items():
        if isinstance(place.value, dict):
            yield from _row_problems(place)
        elif name not in SWITCHES and not place.is_text:
            yield place.problem(*mismatch("text", place.value))


@dataclass
class _Test:
    """One test."""

    place: Place
    found: Converted

    def convert(self) -> None:
        name = self.place["test_name"].text or f"test {self.place.path[-1]}"
        validate = self.place["validate"]
        for unseen in (*(validate[n] for n in NOT_SEEN), *(self.input[n] for n in NOT_SENT)):
            if unseen.there and unseen.value is not False:
                what = "is not seen in an answer" if unseen.path[-1] in NOT_SEEN else "is not sent"
                self.found.remark(unseen, f"{unseen.path[-1]} {what}, so it does not count")
        of_one = self.cluster() | self.rewritten() | self.redirected()
        for key, value in self.header_matches().items():
            of_one[key] = of_one.get(key, {}) | value
        refused = self.nothing()
        if of_one or refused:
            expect = of_one | ({"not": refused} if refused else {})
            self.found.add(self.place, name, self.request(), expect)
        for shares in self.of_split():
            self.found.add(self.place, name, self.request(), {"not": {"shares": shares}})

    @property
    def input(self) -> Place:
        return self.place["input"]

    @property
    def url(self) -> str:
        scheme = "https" if self.input["ssl"].value is True else "http"
        return f"{scheme}://{self.input['authority'].text}{self.input['path'].text}"

    @property
    def headers(self) -> dict[str, str]:
        rows = (
            *self.input["additional_request_headers"].rows,
            *self.input["additional_headers"].rows,
        )
        return {row["key"].text: row["value"].text for row in rows if row["key"].text}

    def request(self) -> Json:
        found: Json = {"url": self.url}
        if (method := self.input["method"].text or "GET") != "GET":
            found["method"] = method
        return found | ({"headers": self.headers} if self.headers else {})

    def destination(self) -> tuple[str, Json] | None:
        """Give the host and the destination that the cluster's name says."""
        place = self.place["validate"]["cluster_name"]
        named = CLUSTER.fullmatch(place.text)
        if named is None:
            if place.text:
                message = f"{place.text} is not the name of one of Istio's clusters"
                self.found.remark(place, message, "as in outbound|80|v2|app.shop.svc.cluster.local")
            return None
        _, subset, host = named.groups()
        return host, {"host": host, **({"subset": subset} if subset else {})}

    def is_split(self) -> bool:
        """Tell whether chance chooses the cluster, which random_value does there."""
        method = self.input["method"].text or "GET"
        plain = self.url.replace("https://", "http://", 1)
        taken = self.found.known.taken(Request(plain, method, tuple(self.headers.items())))
        routes = taken.http.get("route") or () if taken else ()
        return sum(1 for each in routes if len(routes) > 1 and each.get("weight")) > 1

    def cluster(self) -> Json:
        found = self.destination()
        if found is None or self.is_split():
            return {}
        host, destination = found
        self.found.named(destination, self.found.known.namespace)
        outcomes = self.found.known.outcomes(destination, self.found.known.namespace)
        if not destination.get("subset"):
            return {"service": host}
        version = list(outcomes) if len(outcomes) > 1 else next(iter(outcomes))
        return {"service": host, "version": version}

    def of_split(self) -> Iterator[Json]:
        """Of several destinations one is only sometimes called: that it never is must be wrong."""
        found = self.destination()
        if found is None or not self.is_split():
            return
        host, destination = found
        message = "random_value is not sent: tested is that this destination gets some answers"
        self.found.remark(self.place["validate"]["cluster_name"], message)
        space = hosts.namespace_of(host) or self.found.known.namespace
        self.found.told_apart(destination, space)
        yield dict.fromkeys(self.found.known.outcomes(destination, space), "0%")

    def rewritten(self) -> Json:
        validate = self.place["validate"]
        found: Json = {}
        if path := validate["path_rewrite"].text:
            found["path"] = path
        if host := validate["host_rewrite"].text:
            found["requestHeaders"] = {"host": host}
        return found

    def redirected(self) -> Json:
        validate = self.place["validate"]
        found: Json = {}
        if location := validate["path_redirect"].text:
            found["location"] = location
        elif validate["path_redirect"].there:
            found["responseHeaders"] = {"location": None}
        if code := validate["code_redirect"].number:
            found["status"] = int(code)
        return found

    def nothing(self) -> Json:
        """Say that no pod answers, which is what nothing for a cluster or a rewrite means."""
        validate = self.place["validate"]
        empty = [validate[n] for n in ("cluster_name", "host_rewrite", "path_rewrite")]
        if not any(each.is_text and not each.text for each in empty):
            return {}
        return {"service": sorted(self.found.known.destinations())}

    def header_matches(self) -> Json:
        validate = self.place["validate"]
        found: dict[str, Json] = {}
        for name, side in (
            ("request_header_matches", "requestHeaders"),
            ("response_header_matches", "responseHeaders"),
        ):
            for row in validate[name].rows:
                key, wanted = row["name"].text, self.matched(row)
                if key.startswith(":"):
                    self.found.remark(row, f"{key} is not seen as a header, so it does not count")
                elif wanted != {}:
                    found.setdefault(side, {})[key] = wanted
        for name in ("header_fields", "custom_header_fields"):
            for row in validate[name].rows:
                if not row["key"].text.startswith(":"):
                    found.setdefault("requestHeaders", {})[row["key"].text] = row["value"].text
        return found

    def matched(self, row: Place) -> Any:  # noqa: ANN401, PLR0911 - as in YAML; a case each
        """Write a HeaderMatcher as what a header must be; {} where that cannot be said."""
        match = row["string_match"].value or {
            kind: row[f"{kind}_match"].value for kind in ("exact", "prefix", "suffix", "contains")
        }
        regex = (row["safe_regex_match"].value or match.get("safe_regex") or {}).get("regex")
        inverted = row["invert_match"].value is True
        if row["present_match"].there:
            is_there = (row["present_match"].value is True) != inverted
            return {"regex": ".*"} if is_there else None
        if inverted or match.get("ignore_case"):
            self.found.remark(row, "this way to match a header is not known here")
            return {}
        if match.get("exact") is not None:
            return match["exact"]
        if match.get("prefix"):
            return {"prefix": match["prefix"]}
        if match.get("suffix"):
            return {"regex": f".*{re.escape(match['suffix'])}"}
        if match.get("contains"):
            return {"regex": f".*{re.escape(match['contains'])}.*"}
        return {"regex": regex or ".*"}
