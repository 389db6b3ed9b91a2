"""A curl for machines that have none: the options that a workshop uses, http only.

It speaks only to ``http_proxy``, as everything in the test client does. Options, words and exit
statuses are curl's own.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from meshdemo.engines.local.apps.transfer import Client, Exit, Failure, Wish
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

_WRITE_OUT_PART = re.compile(r"%\{(?P<variable>[^}]*)\}|\\(?P<escape>[nrt\\])|%%")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        words = f"option {unknown[1]}: is unknown to meshdemo's small curl" if unknown else message
        sys.stderr.write(f"curl: {words}\n")
        sys.exit(Exit.USAGE)


def read_options(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line. An option that is not known ends the program, as in curl."""
    parser = _Parser("curl", description="Ask URLs through http_proxy.", allow_abbrev=False)
    parser.add_argument("urls", nargs="*", metavar="URL")
    for names, meaning in (
        ("-s --silent", "no error messages"),
        ("-S --show-error", "with -s, error messages nevertheless"),
        ("-f --fail", "from HTTP status 400 on: no body, and exit status 22"),
        ("-i --include", "show the answer's headers too"),
        ("-I --head", "ask for, and show, only the headers"),
        ("-v --verbose", "show both heads on stderr"),
        ("-L --location", "follow redirects"),
    ):
        parser.add_argument(*names.split(), action="store_true", help=meaning)
    parser.add_argument("--max-redirs", type=int, default=50, metavar="N")
    parser.add_argument("-X", "--request", metavar="METHOD")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data", action="append", default=[], help="@FILE reads a file")
    parser.add_argument("-o", "--output", action="append", default=[], metavar="FILE")
    parser.add_argument("-w", "--write-out", default="", metavar="FORMAT")
    parser.add_argument("-m", "--max-time", type=float, metavar="SECONDS")
    options = parser.parse_intermixed_args(argv)
    if not options.urls:
        parser.error("no URL specified")
    return options


def wish_of(options: argparse.Namespace) -> Wish:
    """Make of the options what every transfer shall do."""
    headers = {"user-agent": "curl (meshdemo)", "accept": "*/*"}
    if options.data:
        headers["content-type"] = "application/x-www-form-urlencoded"
    for given in options.header:
        _override(headers, given)
    method = "HEAD" if options.head else "POST" if options.data else "GET"
    return Wish(
        options.request or method,
        headers,
        b"&".join(_data(given) for given in options.data),
        fail=options.fail,
        include=options.include or options.head,
        verbose=options.verbose,
        follow=options.location,
        redirects=options.max_redirs,
        max_time=options.max_time,
    )


def _override(headers: dict[str, str], given: str) -> None:
    """Read one ``-H``: ``Name:`` takes a header out, ``Name;`` sends it empty."""
    name, colon, value = given.partition(":")
    name = name.strip().lower()
    if colon and not value.strip():
        headers.pop(name, None)
    elif colon or name.endswith(";"):
        headers[name.removesuffix(";")] = value.strip()


def _data(given: str) -> bytes:
    """Read one ``-d``; of a file the line ends are left out, as curl does."""
    if not given.startswith("@"):
        return given.encode()
    try:
        content = sys.stdin.buffer.read() if given == "@-" else Path(given[1:]).read_bytes()
    except OSError as error:
        raise Failure(Exit.CANNOT_READ, f"{given[1:]}: {error.strerror}") from error
    return content.replace(b"\r", b"").replace(b"\n", b"")


def expand(template: str, variables: dict[str, str]) -> str:
    """Fill in what ``-w`` says; a variable that is not known becomes nothing, as in curl."""

    def fill(found: re.Match[str]) -> str:
        if escape := found["escape"]:
            return _ESCAPES[escape]
        return "%" if found[0] == "%%" else variables.get(found["variable"], "")

    return _WRITE_OUT_PART.sub(fill, template)


def run(options: argparse.Namespace, proxy: str) -> Exit:
    """Transfer all URLs, and give the exit status: that of the last one."""
    status = Exit.OK
    client, wish = Client(proxy), wish_of(options)
    outputs = [*options.output, *("-" for _ in options.urls)]
    for url, name in zip(options.urls, outputs, strict=False):
        with _opened(name) as output:
            transfer = client.fetch(url, wish, output)
        status = transfer.status
        if status and (options.show_error or not options.silent):
            sys.stderr.write(f"curl: ({status:d}) {transfer.words}\n")
        sys.stdout.write(expand(options.write_out, transfer.variables()))
        sys.stdout.flush()
    return status


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdout.buffer
        return
    try:
        with Path(name).open("wb") as file:
            yield file
    except OSError as error:
        raise Failure(Exit.CANNOT_WRITE, f"{name}: {error.strerror}") from error


def main() -> int:
    """Run as curl would with these arguments."""
    try:
        return run(read_options(sys.argv[1:]), os.environ.get("http_proxy", ""))
    except Failure as failure:
        sys.stderr.write(f"curl: ({failure.status:d}) {failure}\n")
        return failure.status
    except KeyboardInterrupt:
        return 130


def ensure_curl(folder: Path) -> Path | None:
    """Make a ``curl`` in a folder for PATH if the machine has none, and give its place.

    Raises EnvironmentFailed if it cannot be written.
    """
    if shutil.which("curl"):
        return None
    # Isolated (-I): nothing in the folder it is called from, nor in PYTHONPATH, is in its way.
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[4])!r});"
        f" from {__name__} import main; sys.exit(main())"
    )
    launcher = folder / "curl"
    text = f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", "-c", code])} "$@"\n'
    files.write_if_changed(launcher, text)
    launcher.chmod(0o700)
    return launcher
