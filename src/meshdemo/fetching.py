"""Manifests from the web: https only, bounded in size and time."""

from __future__ import annotations

import errno
import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, TYPE_CHECKING

from meshdemo import __version__

if TYPE_CHECKING:
    from http.client import HTTPMessage

SCHEME = "https://"
ONLY_SAFE = f"only {SCHEME} is fetched"
SECONDS = 30.0
"""How long a manifest may take to come, the look-up of its host's name included."""


def fetch(url: str, most: int) -> bytes:
    """Give the first ``most`` bytes of what is at a URL. Raises OSError with the reason."""
    answers: queue.Queue[bytes | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(_asked(url, most))
        except (OSError, HTTPException, ValueError) as error:
            answers.put(error)

    # In a thread: nothing bounds the look-up of a name, nor a server that sends a byte a second.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=SECONDS)
    except queue.Empty:
        message = f"it did not come within {SECONDS:g} s"
        raise OSError(errno.ETIMEDOUT, message) from None
    if isinstance(answer, Exception):
        raise OSError(errno.EIO, _reason(answer)) from answer
    return answer


class _OnlySafe(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, but never from https to anything less."""

    def redirect_request(  # the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not is_safe(newurl):
            raise ValueError(f"it leads to {newurl}, and {ONLY_SAFE}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _asked(url: str, most: int) -> bytes:
    if not is_safe(url):
        raise ValueError(ONLY_SAFE)
    agent = {"User-Agent": f"meshdemo/{__version__}"}
    request = urllib.request.Request(url, headers=agent)  # noqa: S310 - it is https
    with urllib.request.build_opener(_OnlySafe).open(request, timeout=SECONDS) as answer:
        content: bytes = answer.read(most)
        if answer.length and len(content) < most:
            raise ValueError("the connection ended before the file did")
        return content


def is_safe(url: str) -> bool:
    """Tell whether nobody on the way can change what comes from a URL."""
    return url.lower().startswith(SCHEME)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    reason = getattr(error, "reason", None) or error
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
