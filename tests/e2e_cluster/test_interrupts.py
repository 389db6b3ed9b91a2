"""Ctrl-C and SIGTERM at each step: it ends soon, says what to do, and nothing of it stays."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    Cluster = Any

SOON = 3.0
"""Seconds until a command has ended after a signal."""
LIMIT = 60.0
MANY = "200000"
"""So many requests that a measurement is under way when the signal comes."""
NO_ROUTES = """
apiVersion: networking.istio.io/v1beta1
kind: Sidecar
metadata: {name: default}
spec: {egress: [{hosts: ["istio-system/*"]}]}
"""
"""With it rules for the namespace's services never reach its sidecars: a route can only wait."""
OURS_IN_THE_CLIENT = (
    "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null; echo; done"
    " | grep -c '[c]url -q'"
)

pytestmark = pytest.mark.timeout(400)


@contextmanager
def started(cluster: Cluster, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command; it ends with the block."""
    process = cluster.start(*argv)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def of_session(session: int) -> list[str]:
    """Give the command lines of what runs in a session."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def cut_short(process: subprocess.Popen[str], signum: signal.Signals = signal.SIGINT) -> str:
    """Send a signal, Ctrl-C to the whole group as a terminal does; give what was said of it."""
    assert process.poll() is None, f"it has ended already: {process.communicate()}"
    began = time.monotonic()
    if signum is signal.SIGINT:
        os.killpg(process.pid, signum)
    else:
        process.send_signal(signum)
    _, err = process.communicate(timeout=LIMIT)
    took = time.monotonic() - began
    assert process.returncode == 128 + signum, err
    assert took < SOON, err
    assert "Traceback" not in err
    assert not of_session(process.pid)
    return err


def until_said(process: subprocess.Popen[str], words: str) -> None:
    """Read standard error until a line with these words."""
    assert process.stderr
    seen = [""]
    while words not in seen[-1]:
        seen.append(process.stderr.readline())
        assert seen[-1], f"it ended without saying {words}: {seen}"


def until(cluster: Cluster, namespace: str, *condition: str) -> None:
    cluster.kubectl("wait", "-n", namespace, *condition, "--timeout=60s")


def loops(cluster: Cluster, namespace: str) -> int:
    """Count the programs that run in the test client for us."""
    argv = ("exec", "deploy/testclient", "-c", "test-tools", "--", "sh", "-c", OURS_IN_THE_CLIENT)
    return int(cluster.kubectl("-n", namespace, *argv, check=False) or 0)


def until_loops(cluster: Cluster, namespace: str, *, there: bool) -> None:
    """Wait until requests are being sent, or none any more."""
    deadline = time.monotonic() + (LIMIT if there else 10)
    while bool(loops(cluster, namespace)) is not there:
        assert time.monotonic() < deadline, "still sending" if not there else "nothing is sent"
        time.sleep(0.1)


@pytest.mark.alone
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_an_install_cut_short_can_be_ended_or_removed(
    bare: Cluster, signum: signal.Signals
) -> None:
    before = bare.everything()
    with started(bare, "install", *bare.overlay) as install:
        until_said(install, "Istio core installed")  # and istiod is being waited for
        said = cut_short(install, signum)
    assert "ends what was begun" in said
    assert "--all removes it" in said
    if signum is signal.SIGINT:
        bare.install()
        assert not [c for c in bare.meshdemo("doctor", "-o", "json").json["checks"] if not c["ok"]]
    bare.meshdemo("down", "--all")
    assert bare.everything() == before


def test_each_step_cut_short_succeeds_the_next_time(meshed: Cluster, namespace: str) -> None:
    meshed.kubectl("create", "namespace", namespace)
    until(meshed, namespace, "--for=create", "serviceaccount/default")
    until(meshed, namespace, "--for=create", "configmap/istio-ca-root-cert")
    before = meshed.everything(namespace)
    here = ("-n", namespace)

    with started(meshed, "deploy", *here) as deploy:
        until(meshed, namespace, "--for=create", "deployment/testclient")
        said = cut_short(deploy)  # while it waits for the pods
    assert "The same command again goes on" in said
    assert f"-n {namespace}" in said
    meshed.meshdemo("deploy", *here)

    with started(meshed, "inject", *here) as inject:
        until(meshed, namespace, "--for=jsonpath={.metadata.generation}=2", "deployment/testclient")
        cut_short(inject)
    meshed.meshdemo("inject", *here)

    rule = f"printf '{NO_ROUTES}' | kubectl --context {meshed.context} -n {namespace} apply -f -"
    assert meshed.sh(rule).code == 0
    with started(meshed, "route", "v2", *here) as route:
        until(meshed, namespace, "--for=create", "virtualservice/app-default-v2")
        cut_short(route)
    until_loops(meshed, namespace, there=False)
    meshed.kubectl("delete", "sidecar.networking.istio.io/default", *here)
    meshed.meshdemo("route", "v2", *here)
    until_loops(meshed, namespace, there=False)
    meshed.meshdemo("verify", "--expect", "v2=100%", *here)

    with started(meshed, "down", *here) as down:
        until(meshed, namespace, "--for=delete", "virtualservice/app-default-v2")
        assert "down" in cut_short(down)
    meshed.meshdemo("down", *here)
    assert meshed.everything(namespace) == before


def test_what_runs_in_the_client_ends_with_its_command(running: tuple[Cluster, str]) -> None:
    cluster, namespace = running
    here = ("-n", namespace)
    for signum in (signal.SIGINT, signal.SIGTERM):
        argv = ("verify", "--expect", "v2=100%", "--requests", MANY, "--timeout", "5m")
        with started(cluster, *argv, *here) as verify:
            until_loops(cluster, namespace, there=True)
            assert "Nothing is proved" in cut_short(verify, signum)
        until_loops(cluster, namespace, there=False)
    cluster.meshdemo("verify", "--expect", "v2=100%", *here)

    with started(cluster, "exec", *here, "--", "sh", "-c", "echo begun; sleep 99") as execute:
        assert execute.stdout
        assert execute.stdout.readline() == "begun\n"
        assert "may run on" in cut_short(execute)


def test_logs_are_followed_until_ctrl_c(running: tuple[Cluster, str]) -> None:
    cluster, namespace = running
    with started(cluster, "logs", "app-v2", "-f", "--tail", "0", "-n", namespace) as logs:
        until_said(logs, "engine cluster")
        assert logs.stdout
        for path in ("first", "second"):
            call = f"meshdemo exec --context {cluster.context} -n {namespace} -- curl -s app/{path}"
            deadline = time.monotonic() + 10
            while not select.select([logs.stdout], [], [], 0.1)[0]:
                assert time.monotonic() < deadline, f"no line about {path}"
                assert cluster.sh(call).code == 0  # again: the first one may come before the logs
            while f"GET /{path}" not in (line := logs.stdout.readline()):
                assert "GET /first" in line  # of one that was sent again
        cut_short(logs)


class Terminal:
    """A terminal, by the end that a person sits at."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.shown = descriptor, ""

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def until(self, text: str) -> None:
        """Read until this is shown."""
        deadline = time.monotonic() + 15
        while text not in self.shown:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.descriptor], [], [], left)[0], self.shown
            try:
                self.shown += os.read(self.descriptor, 4096).decode()
            except OSError:  # nobody sits at the other end
                pytest.fail(f"it has ended: {self.shown}")
        self.shown = self.shown.partition(text)[2]


def test_a_shell_is_a_terminal_of_its_own_size(running: tuple[Cluster, str]) -> None:
    cluster, namespace = running
    ours, theirs = pty.openpty()
    terminal = Terminal(ours)
    terminal.resize(33, 101)
    shell = subprocess.Popen(
        ["meshdemo", "shell", "--context", cluster.context, "-n", namespace],
        env=cluster.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        terminal.until("namespace")
        terminal.type("sleep 0.5; stty size; echo a$((40+2))b\n")
        terminal.until("33 101")
        terminal.until("a42b")
        terminal.resize(44, 122)
        shell.send_signal(signal.SIGWINCH)  # as a terminal's kernel does to its foreground
        terminal.type("while ! stty size | grep 44; do sleep 0.1; done\n")
        terminal.until("44 122")
        # It says itself that it has begun: while bash starts it, a Ctrl-C may be missed.
        terminal.type("sh -c 'echo be$((1+1)); exec sleep 300'\n")
        terminal.until("be2")
        terminal.type("\x03")  # for the command, not for us
        terminal.until("^C")
        terminal.type("echo still-$((1+1))\n")
        terminal.until("still-2")
        terminal.type("exit 7\n")
        assert shell.wait(15) == 7
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
