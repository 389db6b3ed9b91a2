"""The states that are compared: files and folders, a git revision of them, or what is applied."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import InputError, in_order
from meshdemo.objects import repository
from meshdemo.objects.sources import STDIN, SUFFIXES, URL, name_of
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshdemo.objects.model import Object

LIVE = "live"
GIT_SECONDS = 60.0
"""How long git may take to list or show what is in a revision."""
EXAMPLE = "as in rules/, HEAD~1:rules/ or live"


class State(Struct, frozen=True):
    """Rules, and what the user calls them."""

    name: str
    objects: tuple[Object, ...]


def read(said: str, namespace: str, live: Callable[[], Sequence[Object]]) -> State:
    """Read a state. Raises InputError with all that is wrong, or that there is none.

    ``live`` gives what is applied now. A revision is ``REV:PATH`` as git takes it: the path is seen
    from the top of the repository, or from the current folder if it begins with ``./``.
    """
    if said == LIVE:
        return State(said, tuple(live()))
    if said == STDIN or URL.match(said) or Path(said).exists() or ":" not in said:
        found = repository.read([said], namespace)
    else:
        found = repository.of_texts(_revision(said), namespace)
    if found.problems:
        raise InputError(f"{name_of(said)} cannot be used", in_order(found.problems))
    if not found.objects:
        raise InputError(
            f"there are no rules in {name_of(said)}", hint=f"Name files or folders, {EXAMPLE}."
        )
    return State(said, tuple({item.key: item for item in found.objects}.values()))


def _revision(said: str) -> Iterator[tuple[str, str]]:
    """Give the texts of the files that a revision has below a path."""
    revision, _, path = said.partition(":")
    _git(said, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if path.startswith("."):
        prefix = _git(said, "rev-parse", "--show-prefix").strip()
        path = posixpath.normpath(posixpath.join(prefix, path))
    below = path.rstrip("/") or "."
    names = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision, "--", below)
    for name in filter(None, _git(said, *names).split("\0")):
        parts = {*name.split("/")}
        hidden = any(part.startswith(".") for part in parts) or parts & repository.NOT_SEARCHED
        if name.endswith(SUFFIXES) and not hidden:
            yield f"{revision}:{name}", _git(said, "show", f"{revision}:{name}")


def _git(said: str, *argv: str) -> str:
    """Run git in the current folder. Raises InputError if it refuses."""
    environment = {**os.environ, "LC_ALL": "C"}
    done = shell.run(["git", *argv], timeout=GIT_SECONDS, env=environment, check=False)
    if done.code:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.code}"]
        message = f"git does not know {said}: {lines[0].removeprefix('fatal: ')}"
        raise InputError(message, hint=f"A state is a path, a revision or live, {EXAMPLE}.")
    return done.stdout
