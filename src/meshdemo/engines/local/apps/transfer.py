"""One HTTP transfer as curl does it: through a proxy, with redirects, failing with its words."""

from __future__ import annotations

import http.client
import socket
import sys
import time
import urllib.parse
from dataclasses import dataclass, field
from enum import IntEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK = 64 * 1024
"""How many bytes of a body are written at once."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_TO_GET = frozenset({301, 302, 303})
"""After these a POST goes on as a GET."""


class Exit(IntEnum):
    """curl's exit statuses, those that can happen here."""

    OK = 0
    UNSUPPORTED_PROTOCOL = 1
    USAGE = 2
    MALFORMED_URL = 3
    NO_PROXY = 5
    NOT_CONNECTED = 7
    WEIRD_REPLY = 8
    PARTIAL_BODY = 18
    HTTP_ERROR = 22
    CANNOT_WRITE = 23
    CANNOT_READ = 26
    TIMED_OUT = 28
    TOO_MANY_REDIRECTS = 47
    EMPTY_REPLY = 52
    CANNOT_RECEIVE = 56


class Failure(Exception):
    """A transfer failed, or could not even begin."""

    def __init__(self, status: Exit, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks of every transfer."""

    method: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""
    fail: bool = False
    """Treat HTTP 400 and above as a failure."""
    include: bool = False
    """Write the answer's head too."""
    verbose: bool = False
    """Show both heads on stderr."""
    follow: bool = False
    """Go where redirects point to."""
    redirects: int = 50
    """How many times at most; negative: any number."""
    max_time: float | None = None
    """Seconds for all of a transfer."""


@dataclass(slots=True)
class Transfer:
    """What became of one URL of the command line, redirects included."""

    url: str
    """The last one, after redirects."""
    method: str
    body: bytes
    """What is sent."""
    began: float = field(default_factory=time.monotonic)
    answered: float = 0.0
    """Seconds from the beginning to the answer's head."""
    took: float = 0.0
    """Seconds from the beginning to the end."""
    redirects: int = 0
    response: http.client.HTTPResponse | None = None
    body_size: int = 0
    """How many bytes came."""
    status: Exit = Exit.OK
    words: str = ""

    def variables(self) -> dict[str, str]:
        """Give what ``-w`` may ask for."""
        code = f"{self.response.status if self.response else 0:03}"
        location = self._header("location")
        return {
            "http_code": code,
            "response_code": code,
            "method": self.method,
            "content_type": self._header("content-type"),
            "redirect_url": urllib.parse.urljoin(self.url, location) if location else "",
            "num_redirects": str(self.redirects),
            "url_effective": self.url,
            "size_download": str(self.body_size),
            "time_starttransfer": f"{self.answered:.6f}",
            "time_total": f"{self.took:.6f}",
            "exitcode": str(int(self.status)),
            "errormsg": self.words,
        }

    def _header(self, name: str) -> str:
        return self.response.headers.get(name, "") if self.response else ""


class Client:
    """Transfers over one connection to a proxy, which is kept for the next one."""

    def __init__(self, proxy: str) -> None:
        address = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if not address.hostname:
            raise Failure(Exit.NO_PROXY, "http_proxy is not set, and this curl needs it")
        self._connection = http.client.HTTPConnection(address.hostname, address.port or 80)

    def fetch(self, url: str, wish: Wish, output: BinaryIO) -> Transfer:
        """Transfer one URL. What goes wrong is in the result."""
        transfer = Transfer(url if "://" in url else f"http://{url}", wish.method, wish.body)
        try:
            self._follow(transfer, wish, output)
        except Failure as failure:
            transfer.status, transfer.words = failure.status, str(failure)
        except (OSError, http.client.HTTPException) as error:
            transfer.status, transfer.words = _explain(error)
        transfer.took = time.monotonic() - transfer.began
        if transfer.status:
            self._connection.close()
        return transfer

    def _follow(self, transfer: Transfer, wish: Wish, output: BinaryIO) -> None:
        """Ask, and ask again where a redirect points to."""
        while True:
            response = self._ask(transfer, wish)
            if wish.include:
                _write(output, _head(response).encode("latin-1"))
            location = response.headers.get("location")
            if not (wish.follow and location and response.status in _REDIRECTS):
                self._take_body(transfer, wish, output)
                return
            response.read()
            if 0 <= wish.redirects <= transfer.redirects:
                words = f"Maximum ({wish.redirects}) redirects followed"
                raise Failure(Exit.TOO_MANY_REDIRECTS, words)
            transfer.redirects += 1
            transfer.url = urllib.parse.urljoin(transfer.url, location)
            if response.status in _REDIRECTS_TO_GET and transfer.method == "POST":
                transfer.method, transfer.body = "GET", b""

    def _ask(self, transfer: Transfer, wish: Wish) -> http.client.HTTPResponse:
        transfer.url = _checked(transfer.url)
        left = _left(transfer, wish)
        if self._connection.sock is None:
            self._connection.timeout = left
            self._connection.connect()
        self._connection.sock.settimeout(left)
        self._send(transfer, wish)
        transfer.response = response = self._connection.getresponse()
        transfer.answered = time.monotonic() - transfer.began
        if wish.verbose:
            _show("<", _head(response).splitlines())
        return response

    def _send(self, transfer: Transfer, wish: Wish) -> None:
        headers = {"host": urllib.parse.urlsplit(transfer.url).netloc, **wish.headers}
        if transfer.body or transfer.method == "POST":
            headers["content-length"] = str(len(transfer.body))
        try:
            self._connection.putrequest(
                transfer.method, transfer.url, skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers.items():
                self._connection.putheader(name, value)
        except (ValueError, http.client.InvalidURL) as error:  # a character that cannot be sent
            raise Failure(Exit.MALFORMED_URL, str(error)) from error
        if wish.verbose:
            lines = [f"{name}: {value}" for name, value in headers.items()]
            _show(">", [f"{transfer.method} {transfer.url} HTTP/1.1", *lines, ""])
        self._connection.endheaders(transfer.body)

    def _take_body(self, transfer: Transfer, wish: Wish, output: BinaryIO) -> None:
        response = transfer.response
        if response is None:
            return
        if wish.fail and response.status >= HTTPStatus.BAD_REQUEST:
            words = f"The requested URL returned error: {response.status}"
            raise Failure(Exit.HTTP_ERROR, words)
        while chunk := response.read(CHUNK):
            _write(output, chunk)
            transfer.body_size += len(chunk)
            _left(transfer, wish)
        if response.length:
            # http.client raises this by itself only where it is asked for all of a body.
            raise http.client.IncompleteRead(b"", response.length)


def _left(transfer: Transfer, wish: Wish) -> float | None:
    """Give the seconds that are left. Raises TimeoutError if there are none."""
    if wish.max_time is None:
        return None
    left = wish.max_time - (time.monotonic() - transfer.began)
    if left <= 0:
        raise TimeoutError
    return left


def _show(mark: str, lines: list[str]) -> None:
    sys.stderr.write("".join(f"{mark} {line}\n" for line in lines))


def _checked(url: str) -> str:
    """Give a URL as it is sent."""
    try:
        parts = urllib.parse.urlsplit(url)
        known = bool(parts.hostname) and (parts.port or True)
    except ValueError:
        known = False
    if not known:
        raise Failure(Exit.MALFORMED_URL, f"URL rejected: {url}")
    if parts.scheme.lower() != "http":
        raise Failure(Exit.UNSUPPORTED_PROTOCOL, f'Protocol "{parts.scheme}" not supported')
    authority = parts.netloc.removesuffix(":80")
    return urllib.parse.urlunsplit(("http", authority, parts.path or "/", parts.query, ""))


def _head(response: http.client.HTTPResponse) -> str:
    version = {10: "1.0", 11: "1.1"}.get(response.version, "?")
    lines = [f"HTTP/{version} {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return "\r\n".join([*lines, "", ""])


def _write(output: BinaryIO, content: bytes) -> None:
    try:
        output.write(content)
        output.flush()
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, "Failure writing output to destination") from error


def _explain(error: OSError | http.client.HTTPException) -> tuple[Exit, str]:
    """Find curl's exit status and words for a failure."""
    if isinstance(error, ConnectionRefusedError | socket.gaierror):
        return Exit.NOT_CONNECTED, f"Failed to connect to the proxy: {error.strerror}"
    if isinstance(error, TimeoutError):
        return Exit.TIMED_OUT, "Operation timed out"
    if isinstance(error, http.client.RemoteDisconnected):
        return Exit.EMPTY_REPLY, "Empty reply from server"
    if isinstance(error, http.client.IncompleteRead):
        return Exit.PARTIAL_BODY, "transfer closed with outstanding read data remaining"
    if isinstance(error, OSError):
        return Exit.CANNOT_RECEIVE, f"Recv failure: {error.strerror}"
    return Exit.WEIRD_REPLY, "the answer is not HTTP"
