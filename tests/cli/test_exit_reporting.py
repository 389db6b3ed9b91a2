"""Exit codes, and the one JSON document that goes with each of them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.printed import read

from meshdemo.cli.exit_reporting import wants_json
from meshdemo.errors import EnvironmentFailed, Inconclusive, InputError, Problem, Sigterm

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

# An installation in which one engine call does what the test says; the program is the real one.
PROGRAM = """
import os, signal, sys, time
from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.results import Check, Where

class Engine:
    where = Where("local", "", "default")
    def check(self):
        {body}
        yield Check("it is so", ok=True)

sys.exit(main(invocation=Invocation(open_engine=lambda choice, notify: Engine())))
"""


def start(body: str, *argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body), *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def caused(signal_: BaseException) -> RuntimeError:
    """Give what Python makes of a signal that comes while a class is made, until 3.12."""
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = signal_
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no", [Problem("bad", file="f", line=1, hint="so")]), 2),
        (EnvironmentFailed("no", hint="do"), 3),
        (Inconclusive("no"), 4),
        (ValueError("no"), 70),
        (ImportError("no"), 70),
        (RuntimeError("no"), 70),
        (OSError("no number, so it is not the system's"), 70),
        (OSError(errno.EMFILE, "no"), 3),
        (PermissionError(errno.EACCES, "no", "/somewhere"), 3),
        (MemoryError(), 3),
        (KeyboardInterrupt(), 130),
        (Sigterm(), 143),
        (caused(KeyboardInterrupt()), 130),
        (caused(Sigterm()), 143),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_error_has_its_code_and_one_document(
    cli: Cli, error: BaseException, code: int
) -> None:
    cli.engine.fails["apply"] = error
    ended = cli("deploy", "-o", "json")
    assert (ended.code, ended.json["exitCode"]) == (code, code)
    assert ended.json["command"] == "deploy"
    assert ended.json["engine"] == "local"
    assert ended.json["error"]["message"]
    cli.engine.calls.clear()
    ended = cli("deploy")
    assert (ended.code, ended.out) == (code, "")
    assert "error:" in ended.err


@pytest.mark.parametrize(
    "argv",
    [("verify", "--moon"), ("moon",), ("verify", "--requests", "x"), ("-o", "json", "exec"),
     ("verify", "--engine", "moon"), ("--engine", "local", "--context", "c", "status")],
    ids=str,
)  # fmt: skip
def test_a_usage_error_is_a_document_too(cli: Cli, argv: tuple[str, ...]) -> None:
    ended = cli("-o", "json", *argv)
    assert (ended.code, ended.json["exitCode"]) == (2, 2)
    assert ended.json["schema"] == "meshdemo/v1"


@pytest.mark.parametrize("signal_", [KeyboardInterrupt(), Sigterm()], ids=repr)
@pytest.mark.parametrize(
    ("argv", "call", "advice"),
    [
        ("up", "apply", "down --state-dir"),
        ("install", "install", "--all removes it"),
        ("down", "down", "removes the rest"),
        ("verify", "send", "measures anew"),
        ("exec id", "exec id", "may run on"),
    ],
    ids=["up", "install", "down", "verify", "exec"],
)
def test_a_signal_in_the_middle_is_followed_by_what_to_do(
    meshed: Cli, argv: str, call: str, advice: str, signal_: BaseException
) -> None:
    meshed.engine.fails[call] = signal_
    assert advice in meshed(*argv.split()).err


def test_a_traceback_comes_only_with_v(cli: Cli) -> None:
    cli.engine.fails["apply"] = ValueError("moon")
    said = cli("deploy").err
    assert "a bug of ours" in said
    assert "Traceback" not in said
    assert "Traceback" in cli("deploy", "-v").err


def test_what_the_system_refuses_is_no_bug_of_ours_and_says_what_to_do(cli: Cli) -> None:
    cli.engine.fails["apply"] = PermissionError(errno.EACCES, "Permission denied", "/a/file")
    said = cli("deploy").err
    assert "/a/file: Permission denied" in said
    assert "rights" in said
    assert "Traceback" in cli("deploy", "-v").err


def test_without_another_thread_it_is_the_environment() -> None:
    body = "import threading; threading.stack_size(1 << 50); threading.Thread(target=id).start()"
    process = start(body, "doctor")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "ulimit -u" in err) == (3, True), err


def test_all_problems_are_reported_together(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: 1\n")
    (tmp_path / "b.yaml").write_text("{\n")
    ended = cli("up", "-f", str(tmp_path / "a.yaml"), "-f", str(tmp_path / "b.yaml"), "-o", "json")
    assert ended.code == 2
    files = {problem["file"] for problem in ended.json["error"]["problems"]}
    assert files == {str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")}
    assert "apply" not in cli.engine.calls


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        ("verify -o json", True),
        ("verify -ojson", True),
        ("-qo json verify", True),
        ("verify --output=json", True),
        ("--output json verify", True),
        ("-o json verify -o table", False),
        ("exec -- curl -o json", False),
        ("verify", False),
    ],
)
def test_json_is_found_in_an_unreadable_command_line(argv: str, *, wanted: bool) -> None:
    assert wants_json(argv.split()) is wanted


def test_a_closed_pipe_keeps_the_code_and_says_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    for body, code in (("pass", 0), ("yield Check('no', ok=False)", 3)):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body), "doctor", "-q"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (code, "")
    os.close(write)


FAILS = "yield Check('no', ok=False)"


@pytest.mark.parametrize(
    ("redirection", "body", "argv", "code", "said"),
    [
        (">/dev/full", "pass", "doctor", 3, "standard output cannot be written"),
        (">/dev/full", "pass", "doctor -o json", 3, "standard output cannot be written"),
        (">/dev/full", "yield Check('x' * 10000, ok=True)", "doctor", 3, "Make room"),
        (">/dev/full", "pass", "--help", 3, "standard output cannot be written"),
        (">/dev/full", "1 / 0", "doctor -o json", 70, ""),
        (">&-", "pass", "doctor", 0, ""),
        (">&-", FAILS, "doctor -o json", 3, ""),
        (">&-", "pass", "version", 0, ""),
        ("2>/dev/full", "pass", "doctor", 0, ""),
        ("2>/dev/full", FAILS, "doctor", 3, ""),
        ("2>/dev/full", "pass", "--moon", 2, ""),
        ("2>/dev/full", "1 / 0", "doctor -v", 70, ""),
        ("2>&-", "pass", "doctor", 0, ""),
        ("2>&-", "1 / 0", "doctor", 70, ""),
        (">&- 2>&-", FAILS, "doctor", 3, ""),
        (">/dev/full 2>/dev/full", "pass", "doctor", 3, ""),
        ("<&- >&- 2>&-", "pass", "doctor", 0, ""),
        ("| head -c0", "pass", "--help", 0, ""),
    ],
)
def test_streams_that_take_nothing_never_end_with_1(
    redirection: str, body: str, argv: str, code: int, said: str
) -> None:
    script = f'"$0" -c "$1" {argv} {redirection}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, PROGRAM.format(body=body)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert ("Traceback" in done.stderr) is False


@pytest.mark.parametrize(
    ("argv", "code"), [("--help", 0), ("status --help", 0), ("--version", 0), ("moon", 2)]
)
def test_what_typer_prints_into_a_closed_pipe_keeps_its_code(argv: str, code: int) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "meshdemo", *argv.split()],
        stdout=write,
        stderr=write if code else subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr or "") == (code, "")


def test_a_closed_standard_input_is_bad_input() -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" -m meshdemo inject --state-dir /nowhere -f - <&-', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "standard input: cannot be read: it is closed" in done.stderr


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="shows descriptors on Linux only")
def test_no_file_of_ours_takes_the_place_of_a_closed_stream() -> None:
    body = (
        "[open('/dev/zero') for _ in '123']; os.write(9, os.readlink('/proc/self/fd/1').encode())"
    )
    script = '"$0" -c "$1" doctor 9>&1 <&- >&- 2>&-'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable, PROGRAM.format(body=body)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "/dev/null")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_has_its_code_and_no_library_can_swallow_it(
    number: signal.Signals, code: int
) -> None:
    body = """try:
            print("here", file=sys.stderr, flush=True)
            time.sleep(600)
        except Exception:
            pass"""
    process = start(body, "doctor", "-q")
    assert process.stderr is not None
    assert process.stderr.readline() == "here\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err


@pytest.mark.parametrize("module", ["typer", "meshdemo.cli.options", "meshdemo.report.reports"])
def test_a_broken_installation_is_70(module: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None; "
        "from meshdemo.cli import main; sys.exit(main(['doctor', '-o', 'json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 70
    assert read(done.stdout)["exitCode"] == 70
    assert "Traceback" not in done.stderr


SWALLOWED = "try: os.kill(os.getpid(), number); time.sleep(60)\\nexcept BaseException: pass\\n"
LOST = {
    "a destructor": 'type("Lost", (), {"__del__": lambda _: os.kill(os.getpid(), number)})(); '
    "time.sleep(60)",
    "C code": f'exec("{SWALLOWED}raise TypeError")',
    "a library": f'exec("{SWALLOWED}raise OSError(2, str(2))")',
}
"""Who gets the exception of a signal, and does something else."""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
@pytest.mark.parametrize("who", LOST)
def test_a_signal_is_handled_whoever_gets_its_exception(who: str, name: str, code: int) -> None:
    with start(f"number = signal.{name}; {LOST[who]}", "doctor") as process:
        try:
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code, err
    assert err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("module", ["meshdemo.cli.streams", "meshdemo.errors", "typer"])
def test_an_interrupt_while_we_are_imported_is_130(module: str) -> None:
    program = f"""
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from meshdemo.cli import main
sys.exit(main(['doctor', '-o', 'json']))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert read(done.stdout)["exitCode"] == 130
    assert done.stderr == ""


def test_completion_can_be_had() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "meshdemo"],
        env={**os.environ, "_MESHDEMO_COMPLETE": "complete_bash", "COMP_WORDS": "meshdemo ro",
             "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["route"]
