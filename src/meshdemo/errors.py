"""Every error that meshdemo raises on purpose, and the exit code that each one means.

    MeshdemoError                 never raised itself
    ├── UsageError            2   options that contradict each other
    ├── InputError            2   bad input: manifests or an expectation, all problems together
    ├── EnvironmentFailed     3   a prerequisite is missing, or something outside of us failed
    ├── Inconclusive          4   a sample was not complete, so it proves nothing
    │   ├── TimedOut          4   what was waited for did not happen in time
    │   └── BrokenOff         4   a measurement ended before all requests had their replies
    ├── Interrupted         130   Ctrl-C
    └── Terminated          143   SIGTERM

An expectation that is not met is a result, not an error: it is exit code 1 and comes from a
verdict only. Whatever else escapes is a bug of ours: exit code 70.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ExitCode(IntEnum):
    """What the exit status of ``meshdemo`` says (a contract with scripts and CI)."""

    OK = 0
    NOT_MET = 1
    BAD_INPUT = 2
    ENVIRONMENT = 3
    INCONCLUSIVE = 4
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


LONGEST_TEXT = 400
"""Characters of what is said about one place; more of them are of the input, and left out."""


class Problem(Struct, frozen=True):
    """One thing that is wrong with (or worth a word about) one place of the input."""

    message: str
    file: str = ""
    line: int = 0
    subject: str = ""
    """The object it is about, as in ``VirtualService default/app``."""
    field: str = ""
    """The path of the field, as in ``spec.http[0].route``."""
    hint: str = ""
    """What to do about it."""
    code: str = ""
    """Istio's code for the finding where it has one, as in ``IST0101``."""

    @property
    def place(self) -> str:
        """Where it is: the file, with the line where that is known; empty without a file."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file

    @property
    def parts(self) -> tuple[str, ...]:
        """Where it is, what it is about, and what it is, as far as that is known."""
        about = " ".join(part for part in (self.subject, self.field) if part)
        return tuple(shown(part) for part in (self.place, about, self.message) if part)

    def __str__(self) -> str:
        text = ": ".join(self.parts)
        text = f"{text} [{self.code}]" if self.code else text
        return f"{text}; {shown(self.hint)}" if self.hint else text


def shown(text: str) -> str:
    """Write a text that may hold anything of the input on one line that a terminal can show."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT // 2]} ... {text[-LONGEST_TEXT // 2 :]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Put problems as they stand in the files, each of them once."""
    unique = dict.fromkeys(problems)
    files = {problem.file: None for problem in unique}
    order = {file: number for number, file in enumerate(files)}
    return tuple(sorted(unique, key=lambda problem: (order[problem.file], problem.line)))


class MeshdemoError(Exception):
    """What failed and why, and in ``hint`` what to do next."""

    exit_code = ExitCode.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MeshdemoError):
    """The command line asks for something that makes no sense."""

    exit_code = ExitCode.BAD_INPUT


class InputError(MeshdemoError):
    """The input was refused whole; ``problems`` holds everything found in it."""

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, message: str, problems: Sequence[Problem] = (), *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class EnvironmentFailed(MeshdemoError):
    """Something that meshdemo needs is missing or does not work."""

    exit_code = ExitCode.ENVIRONMENT


class Inconclusive(MeshdemoError):
    """No statement is possible."""

    exit_code = ExitCode.INCONCLUSIVE


class TimedOut(Inconclusive):
    """What was waited for did not happen within the time allowed."""


class NothingAnswers(TimedOut):
    """The rules are live, and workloads that were just started do not answer yet."""


class BrokenOff(Inconclusive):
    """A measurement ended early, and the message says why; the replies until then are real."""


class Interrupted(MeshdemoError):
    """Somebody pressed Ctrl-C."""

    exit_code = ExitCode.INTERRUPTED


class Terminated(MeshdemoError):
    """Somebody sent SIGTERM."""

    exit_code = ExitCode.TERMINATED


class Sigterm(BaseException):
    """SIGTERM on its way out; like KeyboardInterrupt, no ``except Exception`` holds it up."""


_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Make room on that disk."),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "Allow more open files: ulimit -n 1024"),
    errno.EAGAIN: "Allow more processes (ulimit -u says how many), or end some.",
    errno.ENOMEM: "End something that takes memory.",
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "See that you have the rights for it."
    ),
    errno.EFBIG: "Allow larger files: ulimit -f says how large they may be.",
    **dict.fromkeys((errno.EISDIR, errno.ENOTEMPTY), "Remove what stands in its place."),
    errno.ENOTDIR: "A file stands in the place of a folder on that way.",
    errno.ELOOP: "Put the file itself in the place of the symbolic link.",
    errno.ENAMETOOLONG: "Name a place with a shorter path.",
}


def advice(error: OSError) -> str:
    """Say what a person can do about what the system refused; empty where nobody knows."""
    return _ADVICE.get(error.errno or 0, "")
