"""Running other programs: the only user of subprocess."""

from __future__ import annotations

import errno
import os
import selectors
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from meshdemo.errors import EnvironmentFailed, ExitCode, advice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from typing_extensions import Self

CHUNK = 65536
NO_SUCH_COMMAND, NOT_RUNNABLE = 127, 126
"""What a shell ends with where a command is not there, or is not a program."""
NO_RESOURCES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Why a program cannot be started that says nothing of the program."""


class Result(Struct, frozen=True):
    """What a finished program said."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandFailed(EnvironmentFailed):
    """A program could not be started, took too long or ended with a non-zero status."""

    def __init__(self, argv: Sequence[str], why: str, output: str = "", hint: str = "") -> None:
        self.argv = tuple(argv)
        self.output = output
        said = f"\n{output.rstrip()}" if output.strip() else ""
        super().__init__(f"{shlex.join(argv)}: {why}{said}", hint=hint)

    @classmethod
    def to_start(cls, argv: Sequence[str], error: OSError) -> Self:
        """Say why a program could not be started."""
        return cls(argv, f"cannot be run: {error.strerror}", hint=advice(error))


def is_executable(path: Path) -> bool:
    """Tell whether there is a program; not so where we may not look."""
    try:
        return path.is_file() and os.access(path, os.X_OK)
    except OSError:
        return False


class DidNotEnd(CommandFailed):
    """A program took longer than it may."""

    exit_code = ExitCode.INCONCLUSIVE


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> Result:
    """Run a program to its end, without a shell, for at most ``timeout`` seconds.

    It reads ``stdin`` and nothing else: ours may hold manifests that are still to be read.
    Raises CommandFailed; with ``check=False`` a non-zero status is the caller's to judge.
    """
    try:
        done = subprocess.run(
            argv,
            input=(stdin or "").encode(),
            env=env,
            timeout=timeout,
            check=False,
            capture_output=True,
        )
    except OSError as error:
        raise CommandFailed.to_start(argv, error) from error
    except subprocess.TimeoutExpired as error:
        output = _text(error.stdout) + _text(error.stderr)
        raise DidNotEnd(argv, f"did not end within {timeout:g} s", output) from error
    result = Result(tuple(argv), done.returncode, _text(done.stdout), _text(done.stderr))
    if check and result.code:
        raise CommandFailed(argv, f"exit status {result.code}", result.stdout + result.stderr)
    return result


@contextmanager
def beside(argv: Sequence[str], *, timeout: float) -> Iterator[Callable[[], Result]]:
    """Run a program while something else is done; the value waits for its end, as ``run`` does.

    Leaving the context ends it.
    """
    deadline = time.monotonic() + timeout
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    try:
        process = subprocess.Popen(argv, stdin=nothing, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise CommandFailed.to_start(argv, error) from error

    def ended() -> Result:
        try:
            out, err = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise DidNotEnd(argv, f"did not end within {timeout:g} s") from error
        if process.returncode:
            raise CommandFailed(argv, f"exit status {process.returncode}", _text(out) + _text(err))
        return Result(tuple(argv), process.returncode, _text(out), _text(err))

    with process:
        try:
            yield ended
        finally:
            if process.poll() is None:
                process.kill()


def _text(output: bytes | None) -> str:
    """Read what a program said, whatever the locale; not every byte has to make sense."""
    return (output or b"").decode("utf-8", "replace")


def stream(
    argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a program, and give the lines that it writes to either stream as they come.

    It gets no input. Raises CommandFailed at its end, or after ``timeout`` seconds; whoever stops
    reading stops the program.
    """
    deadline = time.monotonic() + timeout
    try:
        process = subprocess.Popen(
            argv,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise CommandFailed.to_start(argv, error) from error
    said: list[str] = []
    with process:
        try:
            assert process.stdout  # noqa: S101 - for the type checker: it is a pipe
            for line in _lines(process.stdout, deadline):
                said.append(line)
                yield line
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            why = f"did not end within {timeout:g} s"
            raise DidNotEnd(argv, why, "\n".join(said)) from error
        finally:
            if process.poll() is None:
                process.kill()
    if code:
        raise CommandFailed(argv, f"exit status {code}", "\n".join(said))


def _lines(pipe: IO[bytes], deadline: float) -> Iterator[str]:
    """Read lines until the other end is closed. Raises TimeoutError."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            chunk = os.read(pipe.fileno(), CHUNK)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def attach(argv: Sequence[str], *, env: Mapping[str, str]) -> int:
    """Run a program on this terminal, until it ends, and return its exit status.

    As in a shell a program that a signal ended gives 128 plus the signal's number, one that is not
    there 127, and what is not a program 126, with a word on standard error.
    """
    process: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # what came while it was being started

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if process is None:
            early.append(number)
        else:
            process.send_signal(number)

    # Ctrl-C is the program's to answer. A terminal sends it to both of us, `kill` to us alone;
    # to hear it twice does no harm. (Ignoring the signal would not do: what is ignored stays so
    # in the program.)
    before = signal.signal(signal.SIGINT, hand_on)
    try:
        process = subprocess.Popen(argv, env=env)
        for number in early:
            process.send_signal(number)
        code = process.wait()
    except OSError as error:
        if error.errno in NO_RESOURCES:
            raise CommandFailed.to_start(argv, error) from error
        sys.stderr.write(f"meshdemo: {argv[0]}: {error.strerror}\n")
        return NO_SUCH_COMMAND if isinstance(error, FileNotFoundError) else NOT_RUNNABLE
    finally:
        signal.signal(signal.SIGINT, before)
        if process is not None and process.poll() is None:  # we are ended by SIGTERM
            process.kill()
            process.wait()
    return 128 - code if code < 0 else code


def spawn(argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> int:
    """Start a program that outlives us, and return its process id.

    It gets a session of its own, so that Ctrl-C in our terminal does not reach it, and holds
    none of our streams, so that a pipe from us ends when we do.
    """
    # Not to wait for a reader, if a pipe has taken the place of the log.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW
    with open(os.open(log, flags, 0o600), "ab") as output:  # noqa: PTH123 - from a descriptor
        try:
            process = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,  # nobody else reads what it writes
                cwd="/",
            )
        except OSError as error:
            raise CommandFailed.to_start(argv, error) from error
    # It is meant to run on: without a status Python would warn about a forgotten child.
    process.returncode = 0
    return process.pid


GUARD = (
    # Its standard input ends when whoever started it ends, even by SIGKILL.
    'if read -r start; then "$@" </dev/null >"$0/out" 2>&3 3>&- & exec 3>&-; read -r _; '
    'kill -9 $!; wait $!; fi; rm -rf "$0"'
)


class Guarded:
    """A program that ends with this process whatever ends that, and its folder with it.

    A shell waits for the end of a pipe from us: then it ends the program and removes the folder. So
    nothing is left even after SIGKILL.
    """

    def __init__(self, argv: Sequence[str], folder: Path) -> None:
        """Have the folder guarded; the program is started by ``start``."""
        self.folder = folder
        self._said: list[str] = []
        command = ["/bin/sh", "-c", f"exec 3>&2 2>/dev/null; {GUARD}", str(folder), *argv]
        pipe = subprocess.PIPE
        try:
            self._guard = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=subprocess.DEVNULL,
                stderr=pipe,
                env={"PATH": os.environ.get("PATH") or os.defpath},
                start_new_session=True,  # Ctrl-C is for us, who close it
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CommandFailed.to_start(argv, error) from error
        self._reader = threading.Thread(target=self._read, daemon=True)

    def start(self) -> None:
        """Start the program."""
        assert self._guard.stdin  # noqa: S101 - for the type checker: it is a pipe
        self._guard.stdin.write("start\n")
        self._guard.stdin.flush()
        self._reader.start()

    def ended(self, patience: float = 0) -> str | None:
        """Give what the program said on standard error if it has ended by itself, else None.

        Wait so many seconds for its end.
        """
        if patience:
            self._reader.join(patience)
        return None if self._reader.is_alive() else "".join(self._said)

    def lines(self) -> Iterator[str]:
        """Give the lines that it has written to standard output so far."""
        with suppress(OSError), (self.folder / "out").open(errors="replace") as output:
            yield from output

    def close(self) -> None:
        """End the program, and wait until it and the folder are gone."""
        with self._guard as guard:
            with suppress(OSError):
                guard.stdin and guard.stdin.close()
            guard.wait()
        if self._reader.ident:
            self._reader.join()

    def _read(self) -> None:
        assert self._guard.stderr  # noqa: S101 - for the type checker: it is a pipe
        self._said.extend(self._guard.stderr)
