"""Shares that were refused although they may well be right: verify's own 1 in 100."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

from meshdemo.errors import ExitCode
from meshdemo.verdict.binomial import Binomial

if TYPE_CHECKING:
    import subprocess

    from meshdemo.suite.results import FileResult

RARE = 1e-6
"""How likely counts must at least be where the shares are the expected ones."""
SHARES = re.compile(
    r"^(?:E| +✘ .*\n)? *expected: shares (.*)\nE? *got: +(.*) of ([\d,]+) answers", re.MULTILINE
)
FAILED = re.compile(r"^FAILED |^ERROR ", re.MULTILINE)
"""What begins a line of pytest's summary."""

NOT_RULED_OUT = "neither the expected shares nor shares that are off"
SHARE = re.compile(r"([\d,]+) of ([\d,]+) answers?, .*? where ([\d.]+) % is")


def of_verdict(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether a split was refused, or left open, that may well be right.

    It happens to one of a hundred, which is too often for a test: here one of a million decides.
    """
    shares = SHARE.findall(done.stdout)
    likely = [
        _is_likely(_number(count), _number(total), Fraction(share) / 100)
        for count, total, share in shares
        if 0 < Fraction(share) < 100
    ]
    open_still = done.returncode == ExitCode.INCONCLUSIVE and NOT_RULED_OUT in done.stdout
    undecided = done.returncode == ExitCode.NOT_MET or open_still
    return undecided and len(likely) == len(shares) > 0 and all(likely)


def of_route_tests(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether ``meshdemo test``, or pytest, refused nothing but shares that may be right."""
    found = SHARES.findall(done.stdout)
    refused = len(FAILED.findall(done.stdout)) or done.stdout.count("✘")
    if done.returncode != 1 or not found or len(found) != refused:
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
    answers = _number(total)
    shares = dict(re.findall(r"(\S+) ([\d.]+) %", got))
    return all(
        _is_likely(
            round(Fraction(shares.get(name, "0")) / 100 * answers), answers, Fraction(share) / 100
        )
        for name, share in re.findall(r"([^,=]+)=([\d.]+)%", expected)
    )


def _is_likely(count: int, total: int, share: Fraction) -> bool:
    return Binomial(total, share).p_value(count) > RARE


def _number(text: str) -> int:
    """Read a number as it is printed."""
    return int(text.replace(",", ""))
