"""The cause that answers themselves prove, whatever else is wrong: none names a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.diagnosis.cause import Cause
from meshdemo.errors import Problem
from meshdemo.language import said
from meshdemo.verdict.version_source import OK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.diagnosis.facts import Facts


def unnamed_versions(facts: Facts) -> Iterator[Cause]:
    """Pods of an expected version answer, as the rules say, and no answer tells that they do."""
    if facts.tally.answered or not facts.unknown or facts.not_live or facts.promise is None:
        return
    wanted = [name for name in facts.promise.versions if name in facts.expectation.versions]
    if not wanted:
        return
    versions = ", ".join(wanted)
    message = said(
        "no answer names a version of the pods that are asked: {versions}", versions=versions
    )
    fix = said(
        "say with --by where an answer names its version, as --by header:NAME or --by json:PATH, "
        "or ask for a path whose answer does"
    )
    answers = sum(reply.status == OK and not reply.error for reply in facts.sample.replies)
    evidence = facts.shown(answers, facts.unknown)
    yield Cause("version-unnamed", Problem(message), evidence, fix)
