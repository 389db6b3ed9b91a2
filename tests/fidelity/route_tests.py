"""The recorded cases as route tests: what of them ``meshdemo test`` can carry must agree.

    python -m tests.fidelity.route_tests [-k SUBSTR]    # or make fidelity, which runs them as well

A case becomes one file: its manifests, and a RouteTest with a test for each step. Left out are
cases whose client has no sidecar, what one answer after another tells (waits, requests at a time,
counters, hashes, pools), for a route test sends each request by itself, and pods that are not
there, for they are made up.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from tests import chance

from meshdemo.errors import InputError
from meshdemo.suite import reading, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]

CASES = Path(__file__).parent / "cases"
DEPENDENT = ("consistentHash", "outlierDetection", "connectionPool", "warmup", "localityLbSetting")
"""Policies by which one request decides what becomes of the next."""
INJECTED = "sidecar.istio.io/inject"
AT_ONCE = 0.25
"""Seconds by which an answer may be off, and above which it counts as slow; as in compare.py."""
SLOWEST = 60
MADE_UP = (
    "service-entry-dns-subset-without-endpoints",
    "service-entry-subset-without-endpoints",
    "subset-without-pods",
    "unknown-destination-host",
)
"""Cases about pods or Services that are not there: ``meshdemo test`` makes them up."""


def left_out(case: Json) -> str:
    """Say why a case cannot be carried; empty if it can."""
    if any({"wait", "parallel"} & step.keys() for step in case.get("requests", ())):
        return "its steps are about time, or requests beside each other"
    for word in DEPENDENT:
        if word in case["manifests"]:
            return f"{word}: one request decides what becomes of the next"
    if case["name"] in MADE_UP:
        return "what it lacks is made up"
    if "rejected_for" not in case and not _is_injected(case):
        return "its client has no sidecar"
    return ""


def _is_injected(case: Json) -> bool:
    for item in yaml.load_all(case["manifests"], yaml.CSafeLoader):
        if (
            item
            and item["kind"] in ("Deployment", "Pod")
            and item["metadata"]["name"] == "testclient"
        ):
            template = item["spec"].get("template", item)
            labels: Json = template["metadata"].get("labels") or {}
            return bool(labels.get(INJECTED) == "true")
    return False


def tests_of(case: Json, answers: Iterable[Json]) -> Iterator[Json]:
    """Write the steps of a case as tests, as far as they can be."""
    for number, (step, answer) in enumerate(zip(case["requests"], answers, strict=True), 1):
        sent = json.loads(json.dumps(step["send"]).replace("{n}", "1"))
        request = {**sent, "headers": {k: str(v) for k, v in (sent.get("headers") or {}).items()}}
        request["from"] = {"app": "testclient"}
        for fact, expect in enumerate(_expected(answer), 1):
            yield {"name": f"step {number}.{fact}", "request": request, "expect": expect}


def _expected(answer: Json) -> Iterator[Json]:
    one: Json = {}
    for name, value in answer.items():
        what, _, which = name.partition(" of ")
        if what == "share" and which in ("version", "status"):
            total = sum(value.values())
            shares = {v: f"{share}%" for v, share in _shares(value, total).items()}
            if "None" not in value and not (which == "status" and "200" in value):
                yield {"shares": shares}
            elif which == "status":
                yield {"shares": {k: v for k, v in shares.items() if k != "200"}}
        elif what == "values" and which == "version" and "None" not in value:
            one["version"] = value
            yield from ({"not": {"shares": {v: "0%"}}} for v in value if len(value) > 1)
        elif what == "values" and which == "status" and all(v.isdigit() for v in value):
            one["status"] = [int(v) for v in value]
        elif " of " not in name:
            _add(one, name, value)
    if one:
        yield one


def _shares(counts: dict[str, int], total: int) -> dict[str, int]:
    """Give the shares that were probably meant: a recording is a sample as well."""
    meant = {name: _share(count, total) for name, count in counts.items()}
    if sum(meant.values()) == 100:
        return meant
    # As thirds: whole percents, and what is left to those that lose most by it.
    whole = {name: 100 * count // total for name, count in counts.items()}
    by_loss = sorted(counts, key=lambda name: 100 * counts[name] % total, reverse=True)
    more = by_loss[: 100 - sum(whole.values())]
    return {name: share + (name in more) for name, share in whole.items()}


def _share(count: int, total: int) -> int:
    """Give the share that was probably meant of one outcome."""
    rough = 5 * round(20 * count / total)
    room = 300 * math.sqrt(rough / 100 * (1 - rough / 100) / total)
    exact = 100 * count / total
    return rough if 0 < rough < 100 and abs(exact - rough) <= room else round(exact)


def _add(one: Json, name: str, value: Any) -> None:
    """Add what one answer says, where a route test has a word for it."""
    side, _, header = name.partition(".")
    if name in ("version", "service", "path") and value is not None:
        one[name] = value
    elif name == "host" and value is not None:
        one.setdefault("requestHeaders", {})["host"] = value
    elif name == "body":
        one["body"] = value
    elif name == "status" and isinstance(value, int):
        one["status"] = value
    elif name == "elapsed":
        one["seconds"] = [max(0, value - AT_ONCE), value + AT_ONCE]
    elif name == "slow":
        one["seconds"] = [AT_ONCE, SLOWEST] if value else [0, AT_ONCE]
    elif side in ("request", "response") and header:
        one.setdefault(f"{side}Headers", {})[header] = value


def write(path: Path, folder: Path) -> tuple[Json, Path | None]:
    """Write a case as a file of route tests; None where nothing of it can be carried."""
    case: Json = yaml.load(path.read_text(), yaml.CSafeLoader)
    if left_out(case):
        return case, None
    tests = [{"name": "accepted", "expect": {"status": 200}}]
    if "rejected_for" not in case:
        recorded = json.loads(path.with_suffix(".expected.json").read_text())
        tests = list(tests_of(case, recorded["answers"]))
    else:
        tests[0]["request"] = {"url": "http://app/"}
    if not tests:
        return case, None
    head = {"apiVersion": "meshdemo.dev/v1", "kind": "RouteTest", "metadata": {"name": path.stem}}
    file = folder / f"{path.stem}.meshtest.yaml"
    file.write_text(
        f"{yaml.safe_dump({**head, 'tests': tests}, sort_keys=False)}---\n{case['manifests']}"
    )
    return case, file


def difference(path: Path) -> str | None:
    """Say where the route tests of a case do not agree; empty if they do, None if none are made."""
    with tempfile.TemporaryDirectory() as folder:
        case, file = write(path, Path(folder))
        if file is None:
            return None
        try:
            (read,) = reading.read([str(file)])
            result = running.run(read)
        except InputError as error:
            said = " ".join(map(str, [error.message, *error.problems]))
            missing = [w for w in case.get("rejected_for", [said]) if w.lower() not in said.lower()]
            if "rejected_for" not in case:
                return f"refused: {said}"
            return f"refused, but {missing} is not said: {said}" if missing else ""
        if "rejected_for" in case:
            return "accepted, but Istio rejects it"
        failed = chance.failed(result)
        return "; ".join(
            f"{name}: expected {said[0]}, got {said[1]}" for name, said in failed.items()
        )


def is_timed(case: Path) -> bool:
    """Tell whether a case compares times; such a one suffers when others run beside it."""
    steps = yaml.load(case.read_text(), yaml.CSafeLoader).get("requests") or ()
    facts = [fact for step in steps for fact in step["compare"]]
    return any(fact == "elapsed" or fact.endswith("slow") for fact in facts)


def main(word: str = "", jobs: int = 2) -> int:
    """Run all of them, print what differs, and give how many do."""
    paths = sorted(path for path in CASES.glob("*.yaml") if word in path.stem)
    quick = [path for path in paths if not is_timed(path)]
    with ProcessPoolExecutor(jobs) as pool:
        found = dict(zip(quick, pool.map(difference, quick), strict=True))
    found |= {path: difference(path) for path in paths if path not in found}
    carried = {path: said for path, said in found.items() if said is not None}
    differing = {path: said for path, said in carried.items() if said}
    for path, said in differing.items():
        print(f"  {path.stem}: {said}")
    agreeing = len(carried) - len(differing)
    print(f"route tests: {agreeing} of {len(carried)} cases agree, of {len(paths)} recorded")
    return len(differing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the recorded cases as route tests.")
    parser.add_argument("-k", default="", metavar="SUBSTR", help="only cases with this in the name")
    sys.exit(bool(main(parser.parse_args().k)))
