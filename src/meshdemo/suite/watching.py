"""``--watch``: route tests are run again when they, or their rules, have changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from meshdemo.errors import InputError
from meshdemo.objects.sources import STDIN, SUFFIXES, URL
from meshdemo.suite import preparing, reading, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshdemo.suite.model import TestFile
    from meshdemo.suite.results import FileResult

STEP_MILLISECONDS = 30
"""So long nothing must change any more: an editor writes a file in several steps."""
LONGEST_MILLISECONDS = 400
"""So long a change waits for others at most."""
MOMENT_MILLISECONDS = 100
"""How long it takes to say that nothing has changed."""


def rounds(
    paths: Sequence[str], rules: Sequence[str], timeout: float
) -> Iterator[list[FileResult] | InputError]:
    """Run all tests, and then, as often as something changes, those that it concerns.

    A file that cannot be used ends nothing: it is given as the error. The iterator has no end; it
    raises KeyboardInterrupt for a signal.
    """
    changed: set[str] | None = None  # all of it
    roots = list(paths)
    watched: list[str] = []
    coming: Iterator[set[str]] = iter(())
    while True:
        try:
            files = reading.read(paths, rules=rules)
            roots = _roots(paths, files)
            if roots != watched:
                watched, coming = roots, changes(roots)
                next(coming)  # from now on no change is missed
            concerned = [file for file in files if _depends(file, changed)]
            prepared = preparing.prepare_all(concerned)
            if concerned:
                yield [running.run_prepared(each, timeout=timeout) for each in prepared]
            wrong = False
        except InputError as error:
            yield error
            wrong = True
        if roots != watched:
            watched, coming = roots, changes(roots)
        found: set[str] = set()
        while not found:
            found = next(coming)
        # What was wrong may have kept others from being run.
        changed = None if wrong else found


def changes(roots: Sequence[str], suffixes: tuple[str, ...] = SUFFIXES) -> Iterator[set[str]]:
    """Give the files that have changed: what does while nobody asks, too, once it was asked.

    Where nothing changes for a moment the set is empty.
    """
    from watchfiles import watch  # noqa: PLC0415 - only who watches pays for it

    there = [each for each in roots if os.path.exists(each)]  # noqa: PTH110 - any text may be named
    for found in watch(
        *there,
        watch_filter=lambda _, path: path.endswith(suffixes),
        debounce=LONGEST_MILLISECONDS,
        step=STEP_MILLISECONDS,
        rust_timeout=MOMENT_MILLISECONDS,
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        yield {path for _, path in found}


def _roots(paths: Sequence[str], files: Sequence[TestFile]) -> list[str]:
    """Give what is to be watched: tests, and rules that stand elsewhere."""
    rules = (rule for file in files for rule in file.rules)
    named = (each for each in (*paths, *rules) if each != STDIN and not URL.match(each))
    return list(dict.fromkeys(named))


def _depends(file: TestFile, changed: set[str] | None) -> bool:
    """Tell whether a change concerns a file of tests: it is its own, or one of its rules."""
    if changed is None:
        return True
    own = os.path.realpath(file.path)
    rules = [os.path.realpath(rule) for rule in file.rules]
    for path in map(os.path.realpath, changed):
        if path == own or any(path == rule or path.startswith(f"{rule}{os.sep}") for rule in rules):
            return True
    return False
