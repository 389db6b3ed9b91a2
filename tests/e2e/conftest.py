"""The installed command, as a user runs it: in a process of its own, on a mesh of its own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.conftest import assert_split
from tests.paths import PROGRAM, ROOT
from tests.printed import hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Nobody listens there: a proxy of the user's that reached our loop would break it.
HOSTILE = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
LIMIT = 180
"""Seconds that a command may take."""


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Give those that still run; a zombie has ended, and waits for a parent to notice."""
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would, with the locked build backend."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty environment, and give the command's path.

    Its dependencies come from the environment of the tests, so that nothing is downloaded. That
    environment's own meshdemo, an editable install, is not seen by that way.
    """
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    offline = ["--quiet", "--offline", "--no-deps", "--no-cache", "--python", str(python)]
    subprocess.run([uv, "pip", "install", *offline, str(wheel)], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    asked = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    (Path(asked.stdout.strip()) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin" / "meshdemo"


class Mesh:
    """One state directory, and the command on it."""

    def __init__(self, state: Path, program: Path = PROGRAM) -> None:
        self.state, self.program = state, program
        self.env = {**os.environ, **HOSTILE, "MESHDEMO_STATE_DIR": str(state)}

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start the command, and do not wait."""
        return subprocess.Popen(
            [self.program, *argv],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *argv: str, code: int = 0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, which must have this exit status."""
        done = subprocess.run(
            [self.program, *argv],
            env=self.env,
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, f"{argv}\n{done.stdout}\n{done.stderr}"
        hold(done.stdout, argv)
        return done

    def run_any(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, whatever its exit status."""
        return self.shell(shlex.join(["meshdemo", *argv]))

    def json(self, *argv: str, code: int = 0) -> Any:
        """Run the command, and give the one document that it prints."""
        return json.loads(self.run(*argv, "-o", "json", code=code).stdout)

    def verify_split(self, *argv: str) -> None:
        """Verify shares that are left to chance."""
        done = self.run_any("verify", "-o", "json", *argv)
        assert_split(json.loads(done.stdout), done.returncode)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a line of bash, in which ``meshdemo`` is the command."""
        path = f"{self.program.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            env={**self.env, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        hold(done.stdout)
        return done

    def envoy(self) -> str:
        """Give the path of Envoy's binary."""
        return str(json.loads((self.state / "run.json").read_text())["envoy"])

    def ready(self) -> dict[str, str]:
        """Give what READY says of each workload."""
        said = json.loads(self.run_any("status", "-o", "json").stdout)
        return {pod["workload"]: pod["ready"] for pod in said["pods"]}

    alive = staticmethod(alive)

    def processes(self) -> list[psutil.Process]:
        """Find all that runs for this mesh, by the mark that each process carries."""
        file = self.state / "run.json"
        if not file.exists():
            return []
        run = json.loads(file.read_text())["run"]
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("MESHDEMO_RUN") == run:
                    found.append(process)
        return found

    def process(self, *words: str) -> psutil.Process:
        """Find the one process whose command line has all these words in it."""
        (found,) = [
            process
            for process in self.processes()
            if all(word in " ".join(process.cmdline()) for word in words)
        ]
        return found

    def close(self) -> None:
        """Take it down, and see that nothing is left."""
        if not self.state.exists():
            return
        known = self.processes()
        self.run("down")
        left = alive(known)
        for process in left:
            process.kill()
        assert not left
        assert not self.state.exists()


@pytest.fixture
def make_mesh(tmp_path: Path) -> Iterator[Callable[[Path], Mesh]]:
    """Give a mesh that was never up, for a command; whatever becomes of it is taken down."""
    made: list[Mesh] = []

    def make(program: Path) -> Mesh:
        made.append(Mesh(tmp_path / "state", program))
        return made[-1]

    yield make
    for mesh in made:
        mesh.close()


@pytest.fixture
def mesh(make_mesh: Callable[[Path], Mesh]) -> Mesh:
    """Give a mesh that was never up."""
    return make_mesh(PROGRAM)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """Give a mesh where the walkthrough's workloads run, for the tests that may share one."""
    mesh = Mesh(tmp_path_factory.mktemp("running") / "state")
    try:
        mesh.run("up", "--no-verify")
        yield mesh
    finally:
        mesh.close()


@pytest.fixture
def running(shared: Mesh) -> Mesh:
    """Give the shared mesh, with all to v2 whatever the test before it left."""
    shared.run("route", "v2", "-q")
    return shared
