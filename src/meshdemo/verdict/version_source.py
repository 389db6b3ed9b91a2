"""Where an answer says which version gave it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import UsageError
from meshdemo.verdict.traffic import TOKEN, VERSION_NAME

if TYPE_CHECKING:
    from meshdemo.verdict.traffic import Reply

OK = 200
FIELD = "version"
_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,4})\]")
_PATH = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[\d{1,4}\])*")


class VersionSource(Struct, frozen=True):
    """The body or its JSON field ``version``; or what else is said."""

    header: str = ""
    path: tuple[str | int, ...] = ()
    """Of a field within a JSON body."""
    only_body: bool = False
    first_word: bool = False
    """Not the whole body, but where it is no JSON its first word."""

    @classmethod
    def parse(cls, text: str) -> VersionSource:
        """Read ``header:NAME``, ``json:PATH`` as in ``json:pod.labels[0]``, or ``body``."""
        kind, _, name = text.partition(":")
        if kind == "header" and TOKEN.fullmatch(name):
            return cls(header=name)
        if kind == "json" and _PATH.fullmatch(name):
            steps = _STEP.findall(name)
            return cls(path=tuple(key or int(index) for key, index in steps))
        if text == "body":
            return cls(only_body=True)
        hint = "As in header:x-version, json:pod.version or body"
        raise UsageError(f"--by: {text!r} names no place in an answer", hint=hint)

    def read(self, reply: Reply) -> str:
        """Give the version that an answer with status 200 names; empty if it names none."""
        if reply.error or reply.status != OK:
            return ""
        if self.header:
            found: object = reply.header(self.header)
        elif self.path:
            found = _field(reply.body, self.path)
        else:
            found = reply.body.strip()
            if not self.only_body and str(found).startswith("{"):
                found = _field(reply.body, (FIELD,))
            elif self.first_word:
                found = str(found).partition(" ")[0]
        if self.path and isinstance(found, int) and not isinstance(found, bool):
            found = str(found)
        return found if isinstance(found, str) and VERSION_NAME.fullmatch(found) else ""


BODY = VersionSource()
"""Where a version is read if nothing else is said."""
LINE = VersionSource(first_word=True)
"""The same of a line that came by TCP."""


def _field(body: str, path: tuple[str | int, ...]) -> object:
    try:
        found = json.loads(body)
        for step in path:
            found = found[step]
    except (ValueError, RecursionError, LookupError, TypeError):  # no JSON, or not of that shape
        return None
    return found
