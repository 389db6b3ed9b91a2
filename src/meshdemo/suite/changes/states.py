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
HINT = f"A state is a path, a revision or live, {EXAMPLE}."


class State(Struct, frozen=True):
    """Rules, and what the user calls them."""

    name: str
    objects: tuple[Object, ...]
    left_out: tuple[str, ...] = ()
    """What of it nobody compares: kinds that are not known here, files that are templates."""


def read(
    old: str, new: str, namespace: str, live: Callable[[], Sequence[Object]]
) -> tuple[State, State]:
    """Read both states. Raises InputError with all that is wrong, or that there are no rules.

    ``live`` gives what is applied now. A revision is ``REV:PATH`` as git takes it: the path is seen
    from the top of the repository, or from the current folder if it begins with ``./``. One of the
    states may be without rules: all of them come, or go.
    """
    states = _read(old, new, namespace, live), _read(new, old, namespace, live)
    if not any(state.objects for state in states):
        names = " or ".join(dict.fromkeys(name_of(said) for said in (old, new)))
        raise InputError(
            f"there are no rules in {names}", hint=f"Name files or folders, {EXAMPLE}."
        )
    return states


def _read(said: str, other: str, namespace: str, live: Callable[[], Sequence[Object]]) -> State:
    if said == LIVE:
        return State(said, tuple(live()))
    if _is_revision(said):
        texts = list(_revision(said))
        if not texts and not _is_there(said) and not _is_only_there(other, said):
            raise InputError(f"there is no {said}", hint=HINT)
        found = repository.of_texts(texts, namespace)
    elif not _is_file(said) and _is_only_there(other, said):
        return State(said, ())
    else:
        found = repository.read([said], namespace)
    if found.problems:
        raise InputError(f"{name_of(said)} cannot be used", in_order(found.problems))
    objects = tuple({item.key: item for item in found.objects}.values())
    return State(said, objects, (*sorted(found.other_kinds), *found.templates, *found.patches))


def _is_revision(said: str) -> bool:
    return not _is_file(said) and ":" in said


def _is_file(said: str) -> bool:
    return said == STDIN or URL.match(said) is not None or Path(said).exists()


def _is_only_there(said: str, missing: str) -> bool:
    """Tell whether a state is that of a path that another one has not: of a new or deleted file.

    Of the two one is in a revision; what is missing in both was misspelt.
    """
    if LIVE in (said, missing) or not (_is_revision(said) or _is_revision(missing)):
        return False
    return _is_there(said) and _path(said) == _path(missing)


def _is_there(said: str) -> bool:
    if not _is_revision(said):
        return _is_file(said)
    revision, path = _parts(said)
    return bool(_git(said, "ls-tree", "--name-only", "--full-tree", revision, "--", path))


def _path(said: str) -> str:
    """Give a path as seen from the top of the repository."""
    if _is_revision(said):
        return _parts(said)[1]
    top = _git(said, "rev-parse", "--show-toplevel").strip()
    return Path(os.path.relpath(Path(said).resolve(), top)).as_posix()


def _parts(said: str) -> tuple[str, str]:
    """Give a revision, and the path in it as seen from the top of the repository."""
    revision, _, path = said.partition(":")
    _git(said, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if path.startswith("."):
        prefix = _git(said, "rev-parse", "--show-prefix").strip()
        path = posixpath.join(prefix, path)
    return revision, posixpath.normpath(path or ".")


def _revision(said: str) -> Iterator[tuple[str, str]]:
    """Give the texts of the files that a revision has below a path."""
    revision, path = _parts(said)
    names = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision, "--", path)
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
        raise InputError(message, hint=HINT)
    return done.stdout
