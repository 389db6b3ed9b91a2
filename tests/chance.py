"""Shares that were refused although they may well be right: verify's own 1 in 100."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.verdict.binomial import Binomial

if TYPE_CHECKING:
    import subprocess

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
