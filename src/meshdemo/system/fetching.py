"""What comes from the web: safe redirects for all of it; for manifests https only, and bounds."""

from __future__ import annotations

import errno
import queue
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, TYPE_CHECKING, Any

from meshdemo import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage

    Refuse = Callable[[str], None]

SCHEME = "https://"
FAILURES = (OSError, HTTPException, ValueError)
"""What is raised if a host cannot be reached, breaks off, or its answer is not HTTP."""
FETCH_SECONDS = 30.0
"""How long a manifest may take to come, the look-up of its host's name included."""


def fetch(url: str, most: int) -> bytes:
    """Give the first ``most`` bytes of what is at a URL. Raises OSError with the reason."""
    answers: queue.Queue[bytes | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(_asked(url, most))
        except FAILURES as error:
            answers.put(error)

    # In a thread: nothing bounds the look-up of a name, nor a server that sends a byte a second.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=FETCH_SECONDS)
    except queue.Empty:
        message = f"it did not come within {FETCH_SECONDS:g} s"
        raise OSError(errno.ETIMEDOUT, message) from None
    if isinstance(answer, Exception):
        raise OSError(errno.EIO, _reason(answer)) from answer
    return answer


def opened(url: str, refuse: Refuse, timeout: float) -> IO[bytes]:
    """Open what is at a URL. Raises one of FAILURES, and what ``refuse`` raises.

    It is asked about the URL, and about every other one that this one leads to; ``timeout`` is
    how many seconds the connection may say nothing.
    """
    refuse(url)
    agent = {"User-Agent": f"meshdemo/{__version__}"}
    request = urllib.request.Request(url, headers=agent)  # noqa: S310 - refuse has been asked
    answer: IO[bytes] = urllib.request.build_opener(_Redirects(refuse)).open(
        request, timeout=timeout
    )
    return answer


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect, but to no place that is refused."""

    def __init__(self, refuse: Refuse) -> None:
        self.refuse = refuse

    def redirect_request(  # the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        self.refuse(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(  # the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
    ) -> Any:  # noqa: ANN401 - as the library's
        """Follow it, and do not leave the connection open if that fails."""
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except BaseException:
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _asked(url: str, most: int) -> bytes:
    with opened(url, _refuse_unsafe, FETCH_SECONDS) as answer:
        content = answer.read(most)
        if getattr(answer, "length", 0) and len(content) < most:
            raise ValueError("the connection ended before the file did")
        return content


def _refuse_unsafe(url: str) -> None:
    if not url.lower().startswith(SCHEME):
        raise ValueError(f"only {SCHEME} is fetched, not {url}")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.reason}"
    reason = getattr(error, "reason", None) or error
    return getattr(reason, "strerror", None) or str(reason) or type(error).__name__
