"""Shares that were refused although they may well be right: verify's own 1 in 100."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.verdict.binomial import Binomial

if TYPE_CHECKING:
    import subprocess

    from meshdemo.suite.results import FileResult

RARE = 1e-6
"""How likely counts must at least be where the shares are the expected ones."""
FAILED = re.compile(
    r"^ +✘ .*\n +expected: shares (.*)\n +got: +(.*) of ([\d,]+) answers", re.MULTILINE
)


def of_route_tests(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether ``meshdemo test`` refused nothing but shares, which may well be right."""
    found = FAILED.findall(done.stdout)
    if done.returncode != 1 or not found or len(found) != done.stdout.count("✘"):
        return False
    return all(are_likely(*each) for each in found)


def failed(result: FileResult) -> dict[str, tuple[str, str]]:
    """Give what was expected and what came, of the cases that are wrong and not by chance."""
    wrong = {each.name: (each.expected, each.got) for each in result.cases if not each.ok}
    return {name: said for name, said in wrong.items() if not _by_chance(*said)}


def _by_chance(expected: str, got: str) -> bool:
    shown = re.fullmatch(r"(.*) of ([\d,]+) answers", got)
    if shown is None or not expected.startswith("shares "):
        return False
    return are_likely(expected.removeprefix("shares "), *shown.groups())


def are_likely(expected: str, got: str, total: str) -> bool:
    """Tell whether shares as a route test prints them may come where the expected ones are real."""
    answers = int(total.replace(",", ""))
    shares = dict(re.findall(r"(\S+) ([\d.]+) %", got))
    return all(
        Binomial(answers, Fraction(share) / 100).p_value(
            round(Fraction(shares.get(name, "0")) / 100 * answers)
        )
        > RARE
        for name, share in re.findall(r"([^,=]+)=([\d.]+)%", expected)
    )
