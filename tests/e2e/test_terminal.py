"""What the command looks like on a real terminal of some columns, and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Mesh

TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")
KINDS = {
    "colour": {"TERM": "xterm-256color"},
    "no colour": {"TERM": "xterm-256color", "NO_COLOR": "1"},
    "dumb": {"TERM": "dumb"},
}


def on_terminal(mesh: Mesh, columns: int, kind: str, *argv: str, interrupt: str = "") -> str:
    """Run the command on a terminal, and give all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {name: value for name, value in mesh.env.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [mesh.program, *argv],
        env={**env, **KINDS[kind]},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while block := os.read(ours, 65536):
                written += block
                if interrupt and interrupt.encode() in written:
                    process.send_signal(signal.SIGINT)
                    interrupt = ""
        except OSError:
            pass  # so Linux says that a terminal's other end is closed
        finally:
            os.close(ours)
    assert process.returncode == (130 if "interrupted" in written.decode() else 0), written
    return written.decode()


class Screen:
    """What a terminal of so many columns shows, as far as our output moves on it."""

    def __init__(self, written: str, columns: int) -> None:
        self.lines, self.row, self.column = [""], 0, 0
        self.shown: list[str] = []
        """Every text that was written over, too, as it stood in its line."""
        for number, code, back, down, text in TOKEN.findall(written):
            if code == "A":
                self.row -= int(number or 1)
            elif code == "K":
                self.lines[self.row] = ""
            elif back:
                self.column = 0
            elif down:
                self.row += 1
                self.lines += [""] * (self.row - len(self.lines) + 1)
            elif text:
                self._write(text)
        assert all(len(line) <= columns for line in self.shown), self.shown

    def _write(self, text: str) -> None:
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + text + line[self.column + len(text) :]
        self.column += len(text)
        self.shown.append(self.lines[self.row])


def screen(written: str, columns: int = 80) -> list[str]:
    """Give the lines as they are shown at last: what turned is gone."""
    return Screen(written, columns).lines


@pytest.mark.parametrize(
    ("columns", "kind"), [(80, "colour"), (80, "no colour"), (80, "dumb"), (120, "colour")]
)
def test_no_line_is_longer_than_the_terminal_and_no_word_broken(
    running: Mesh, columns: int, kind: str
) -> None:
    written = on_terminal(running, columns, kind, "up", "--requests", "20")
    lines = screen(written, columns)
    assert ("\x1b[3" in written) is (kind == "colour")
    assert "expectation v2=100%: met (local engine, namespace default)" in lines
    assert sum(str(running.state) in line for line in lines) <= 1
    script = "\n".join(lines).partition("Try next:\n")[2]
    typed = [line.split("#")[0].strip() for line in script.replace("\\\n", "").splitlines()]
    commands = [line for line in typed if line]
    assert [line.partition(" ")[0] for line in commands] == [str(running.program)] * 3


def test_in_a_pipe_a_sentence_is_one_line(running: Mesh) -> None:
    done = running.run("verify", "--expect", "v2=100%")
    assert done.stderr == (
        f"engine local (the run recorded in {running.state}), namespace default\n"
    )
    assert str(running.state) not in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_ctrl_c_in_a_measurement_shows_the_counts_so_far(running: Mesh) -> None:
    argv = ("verify", "--expect", "v2=100%", "--requests", "500000")
    lines = screen(on_terminal(running, 80, "colour", *argv, interrupt="of 500,000 answers"))
    assert any(re.fullmatch(r"[\d,]+ of 500,000 answers until then:", line) for line in lines)
    assert "error: interrupted" in lines


@pytest.mark.parametrize(("columns", "kind"), [(80, "colour"), (50, "no colour")])
def test_watch_shows_who_answers_as_a_table_and_ends_with_the_counts(
    running: Mesh, columns: int, kind: str
) -> None:
    running.run("route", "v1=50", "v2=50", "-q")
    written = on_terminal(running, columns, kind, "watch", "-q", interrupt="fit")
    seen = Screen(written, columns)
    bar = "[█░]+ +" if columns == 80 else ""
    row = rf"  v1 +{bar}[\d,]+ +\d+\.\d %  of 50 %, \d+\.\d to \d+\.\d fit .*"
    assert any(re.fullmatch(row, line) for line in seen.shown), seen.shown
    assert any(line.startswith("* http[0]  any request → v1 50, v2 50") for line in seen.shown)
    assert not any("fit" in line for line in seen.lines), "what was live is gone"
    assert any(re.fullmatch(r"[\d,]+ answers until then:", line) for line in seen.lines)


def test_while_it_measures_each_version_has_a_live_bar_with_its_interval(running: Mesh) -> None:
    running.run("route", "v1=50", "v2=50", "-q")
    argv = ("verify", "--expect", "v1=50%,v2=50%", "--requests", "500000")
    written = on_terminal(running, 80, "colour", *argv, interrupt="(4")
    seen = Screen(written, 80)
    live = [
        re.fullmatch(r" +v1  [█░]+ +[\d,]+ +\d+\.\d %  \(.* to .* %\) *", line)
        for line in seen.shown
    ]
    assert any(live), seen.shown
    assert not any("(4" in line for line in seen.lines), "what was live is gone"
    assert any(re.fullmatch(r"  v1  [█░]+ +[\d,]+ +\d+\.\d %", line) for line in seen.lines)
