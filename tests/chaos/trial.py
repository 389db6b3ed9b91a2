"""One trial: a state directory of its own, the installed command on it, and what must hold.

Whatever happens in between, in the end nothing of the mesh is left, and all of the user's is.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import tempfile
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from tests.paths import MANIFESTS, PROGRAM
from tests.printed import hold

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

BOUND = 90
"""Seconds that a command may take; undisturbed none takes three, on an idle machine."""
RECORD_BYTES = 10_000
"""More than a record of a run has."""

STATUS = "exit status"
TRACEBACK = "traceback"
HANG = "hang"
LEFT = "left behind"
STUCK = "not recovered"
VERDICT = "wrong verdict"
FOREIGN = "user's file"
LOST = "lost or touched"
REJECTED = "rejected"
KINDS = {
    STATUS: "70, 1 with nothing measured, or none of ours",
    TRACEBACK: "without -v",
    HANG: f"more than {BOUND} s",
    LEFT: "a process, a port, a socket or a file after down",
    STUCK: "a state that neither up nor down mends, as each says it does",
    VERDICT: "met or not met against the rules in force",
    FOREIGN: "lost, or its content or mode changed",
    LOST: "objects that were applied, or a mesh that a refused input changed",
    REJECTED: "a configuration of ours, by Envoy",
}
"""What counts as a failure."""
KEPT = """\
apiVersion: v1
kind: Service
metadata: {name: kept, namespace: kept}
spec:
  selector: {app: kept}
  ports: [{name: http, port: 80}]
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: kept, namespace: kept}
spec:
  hosts: [kept]
  http: [{route: [{destination: {host: kept}}]}]
"""
"""Objects that no command in a trial is about, so none may change them."""


@dataclass(frozen=True)
class Done:
    """A command that has ended; by a signal if its code is negative."""

    line: str
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return (self.err + self.out)[-3000:]

    @property
    def document(self) -> Any:
        """Give the JSON that it printed; empty if that is none."""
        with suppress(ValueError):
            return json.loads(hold(self.out))
        return {}


@dataclass(frozen=True)
class Failure:
    """What went wrong in a trial."""

    kind: str
    what: str


class Trial:
    """A context: leaving it ends the trial, and whatever is left of the mesh."""

    def __init__(self, name: str, program: Path = PROGRAM) -> None:
        self.name, self.program = name, program
        self.rng = random.Random(name)  # noqa: S311 - it is to be repeated
        self.did: list[str] = []
        self.failures: list[Failure] = []
        self.outcome = ""
        """What the figures count it as."""
        self.top = Path(tempfile.gettempdir()).resolve() / f"meshdemo-chaos-{uuid.uuid4().hex[:8]}"
        # In a folder with a long path there is no room for sockets: they are elsewhere.
        self.state = self.top / self.rng.choice(("state", "x" * 80 + "/state"))
        self.runs: set[str] = set()
        self.foreign: dict[Path, tuple[int, bytes]] = {}
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            "HOME": str(self.top),
            "NO_COLOR": "1",
            "MESHDEMO_STATE_DIR": str(self.state),
        }

    def __enter__(self) -> Self:
        self.top.mkdir(mode=0o700)
        if self.rng.random() < 0.5:
            self.put_foreign_files()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = self.processes()
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=BOUND)
        for lock in self.port_locks():
            lock.unlink(missing_ok=True)
        for folder in self.sockets():
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.top, ignore_errors=True)

    def watch(self, *foreign: Path) -> None:
        """See in the end that these files and folders of the user's are as they are now."""
        self.foreign |= {path: _now(path) for path in foreign}

    def fail(self, kind: str, what: str) -> None:
        self.failures.append(Failure(kind, what))

    # --- commands ------------------------------------------------------------------------------

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start the command in a process group of its own, as a shell does."""
        self.did.append(shlex.join(["meshdemo", *argv]))
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [self.program, *argv],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=self.env,
            cwd=self.top,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[bytes], stdin: bytes = b"") -> Done:
        """Wait for the end of a command, and judge what is true of every command."""
        line = self.did[-1]
        try:
            out, err = process.communicate(stdin, timeout=BOUND)
        except subprocess.TimeoutExpired:
            self.fail(HANG, f"{line}: no end after {BOUND} s")
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        done = Done(line, process.returncode, out.decode("utf-8", "replace"),
                    err.decode("utf-8", "replace"))  # fmt: skip
        if "Traceback (most recent call last)" in done.err + done.out:
            self.fail(TRACEBACK, f"{line}: exit status {done.code}\n{done.said}")
        self._note_run()
        return done

    def run(self, *argv: str, codes: Sequence[int] = (0,), kind: str = STATUS) -> Done:
        """Run a command to its end; any other exit status is a failure of this kind."""
        done = self.finish(self.start(*argv))
        self.expect(done, codes, kind)
        return done

    def expect(self, done: Done, codes: Sequence[int], kind: str = STATUS) -> None:
        if done.code not in codes:
            wanted = " or ".join(map(str, codes))
            self.fail(kind, f"{done.line}: exit status {done.code}, not {wanted}\n{done.said}")

    def have_mesh(self) -> None:
        """Bring up the walkthrough, and objects beside it."""
        file = self.top / "kept.yaml"
        file.write_text(KEPT)
        self.run("up", "--no-verify", "-f", str(MANIFESTS), "-f", str(file))

    def objects(self) -> dict[str, Any]:
        """Give what is applied, as the command itself shows it."""
        done = self.run("get", "svc,deploy,vs,dr", "-A", "-o", "json", codes=(0, 3))
        items = done.document.get("items") or () if done.code == 0 else ()
        return {
            "{kind} {metadata[namespace]}/{metadata[name]}".format(**i): i["spec"] for i in items
        }

    def end(self) -> None:
        """Take the mesh down, and look for what is left of it."""
        self.run("down", kind=STUCK)
        left = [f"{p.pid} {' '.join(words(p))[:200]}" for p in self.processes()]
        left += [f"port lock {path}" for path in self.port_locks()]
        left += [f"sockets {path}" for path in self.sockets()]
        if self.state.exists():
            left += [f"file {path}" for path in self.state.iterdir() if path not in self.foreign]
            if self.state not in self.foreign:
                left.append(f"folder {self.state}")
        if left:
            self.fail(LEFT, "\n".join(left))
        for path, as_it_was in self.foreign.items():
            if _now(path) != as_it_was:
                self.fail(FOREIGN, f"{path}: {_now(path)}, and was {as_it_was}")

    # --- what there is -------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        """Find all that runs for the mesh, by its mark or by what it was started with."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def mesh(self) -> list[psutil.Process]:
        """Find what runs in the mesh, and no command."""
        with suppress(psutil.Error, OSError, ValueError):
            leader = psutil.Process(int((self.state / "supervisord.pid").read_text()))
            return [leader, *leader.children(recursive=True)]
        return []

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if any(str(self.top) in word for word in process.cmdline()):
                return True
            return process.environ().get("MESHDEMO_RUN") in self.runs
        return False

    def port_locks(self) -> list[Path]:
        folder = Path(f"/tmp/meshdemo-ports-{os.getuid()}")  # noqa: S108 - where they are
        return [path for path in folder.glob("*") if str(self.top) in _target(path)]

    def sockets(self) -> list[Path]:
        """Find the folders of unix sockets that are not below the state directory."""
        bases = {"/tmp", tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", "/tmp")}  # noqa: S108 - where they are
        places = [Path(base) / f"meshdemo-{run}" for base in bases for run in self.runs]
        return [place for place in places if place.exists()]

    def _note_run(self) -> None:
        """Remember the mark of the mesh's processes; a record that was damaged has none."""
        record = self.state / "run.json"
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            if record.is_file() and record.stat().st_size < RECORD_BYTES:  # and no pipe
                self.runs.add(str(json.loads(record.read_bytes())["run"]))

    def put_foreign_files(self) -> None:
        file = self.state / "notes.txt"
        self.state.mkdir(parents=True, exist_ok=True)
        file.write_text("mine\n")
        file.chmod(0o640)
        self.state.chmod(0o750)
        self.watch(self.state, file)


def words(process: psutil.Process) -> list[str]:
    """Give the command line of a process; none if it is gone."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def _now(path: Path) -> tuple[int, bytes]:
    """Give the mode and the content, if there is any."""
    try:
        return path.lstat().st_mode, path.read_bytes() if path.is_file() else b""
    except OSError as error:
        return 0, str(error).encode()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
