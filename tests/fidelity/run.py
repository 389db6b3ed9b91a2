"""Run the fidelity cases, and fail when one that agreed with Istio no longer does.

    make fidelity ARGS="[-k SUBSTR] [-j JOBS] [--update]"

agreeing.txt beside this file lists the cases that agree; README.md explains the rest.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.fidelity import route_tests

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
LIST = HERE / "agreeing.txt"
CASES = HERE / "cases"
PROGRAM = Path(sys.executable).with_name("meshdemo")


def compare(cases: Path, jobs: int) -> dict[str, dict[str, Any]]:
    """Run compare.py on a folder of cases, and give its results by name of case."""
    file = cases / "results.json"
    argv = [sys.executable, str(HERE / "compare.py"), "--cases", str(cases)]
    argv += ["-j", str(jobs), "--json", str(file)]
    argv += ["--command", f"{shlex.quote(str(PROGRAM))} -q"]
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)
    return {result["case"]: result for result in json.loads(file.read_text())}


def compare_all(cases: Sequence[Path], jobs: int) -> dict[str, dict[str, Any]]:
    """Run the cases, each of them once: first side by side, then one by one those with times."""
    results: dict[str, dict[str, Any]] = {}
    timed = [case for case in cases if route_tests.is_timed(case)]
    for some, at_once in (([case for case in cases if case not in timed], jobs), (timed, 1)):
        if not some:
            continue
        with tempfile.TemporaryDirectory() as folder:
            for case in some:
                for file in (case, case.with_suffix(".expected.json")):
                    Path(folder, file.name).symlink_to(file)
            results |= compare(Path(folder), at_once)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare with recordings of real Istio.")
    parser.add_argument("-k", default="", metavar="SUBSTR", help="only cases with this in the name")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="cases at once (default: 2)")
    parser.add_argument("--update", action="store_true", help=f"write {LIST.name} anew")
    options = parser.parse_args()

    cases = sorted(case for case in CASES.glob("*.yaml") if options.k in case.stem)
    results = compare_all(cases, options.jobs)
    listed = set(LIST.read_text().split())
    agreeing = {name for name, result in results.items() if result["agrees"]}
    if options.update:
        kept = {name for name in listed if options.k not in name}
        LIST.write_text("".join(f"{name}\n" for name in sorted(kept | agreeing)))
    lost = report(results, agreeing, listed if not options.update else agreeing)
    return int(bool(route_tests.main(options.k, options.jobs)) or lost)


def flat(difference: str) -> str:
    """Put a difference on one line, without the path of a file that is gone."""
    return " ".join(re.sub(r"\S+/manifests\.yaml:", "line ", difference).split())


def report(results: dict[str, dict[str, Any]], agreeing: set[str], listed: set[str]) -> int:
    """Print what differs, and give the exit status."""
    lost = sorted((listed & set(results)) - agreeing)
    rest = sorted(set(results) - listed - agreeing)
    for title, names in (("Do not agree, and are not expected to", rest), ("Agreed before", lost)):
        if names:
            print(f"\n{title} ({len(names)}):")
        for name in names:
            print(f"  {name}: {flat(results[name]['difference'])}")
    if new := sorted(agreeing - listed):
        print(f"\nAgree now, add them with `make fidelity ARGS=--update`: {', '.join(new)}")
    print(f"\nfidelity: {len(agreeing)} of {len(results)} cases agree with Istio, {len(lost)} lost")
    return 1 if lost or not results else 0


if __name__ == "__main__":
    sys.exit(main())
