"""Turns the text of options into values; what makes no sense is a usage error."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshdemo.traffic import Request


def positive(number: int | None, option: str) -> int | None:
    """Check a count."""
    if number is not None and number < 1:
        raise UsageError(f"{option}: {number} is not 1 or more")
    return number


def request(url: str, method: str, headers: Sequence[str]) -> Request:
    """Put a request together."""
    from meshdemo.traffic import Request

    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"--url: {url!r} is no http URL", hint="As in http://app/env/version")
    if not method.isalpha():
        raise UsageError(f"--method: {method!r} is no HTTP method", hint="As in GET or POST")
    return Request(url, method.upper(), tuple(_header(header) for header in headers))


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not text.isprintable():
        raise UsageError(f"--header: {text!r} is no header", hint="As in 'x-user: anna'")
    return name.strip(), value.strip()
