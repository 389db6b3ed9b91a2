"""The processes of a mesh: supervisord keeps them running, also when no command of ours runs.

supervisord sleeps up to a second at a time; any connection to its socket wakes it. So whoever
waits for it asks it again and again.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
import xmlrpc.client
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError

from msgspec import Struct

from meshdemo.engines.local.envoy import unix_http
from meshdemo.engines.local.envoy.unix_http import Unreachable
from meshdemo.engines.local.processes import configuration, spare
from meshdemo.engines.local.processes.start_counts import Starts
from meshdemo.errors import EnvironmentFailed, TimedOut
from meshdemo.system import files, shell, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from meshdemo.engines.local.processes.configuration import Process
    from meshdemo.engines.local.processes.orphans import Family
    from meshdemo.engines.local.processes.spare import Spare
    from meshdemo.engines.local.processes.start_counts import End

START_SECONDS = 20
SUPERVISOR_STOP_SECONDS = 15
PAUSE, LONGEST_PAUSE = 0.005, 0.02
START_PAUSE = 0.005
"""Seconds between two looks for a supervisord that starts: who waits for it does nothing else."""
STARTING, RUNNING, CRASHING, EXITED = "STARTING", "RUNNING", "BACKOFF", "EXITED"
STOPPING, STOPPED = "STOPPING", "STOPPED"
ENDED = ("Exited too quickly", "Bad exit code")
"""What supervisord calls a spawn error though there was a process."""
SHUTTING_DOWN = 6
"""supervisord's fault code for whatever it is asked while it ends."""


class State(Struct, frozen=True):
    """How one process is now."""

    pid: int
    status: str
    """supervisord's word for it."""
    restarts: int = 0
    unstartable: str = ""
    """Why it could not even be started, if so."""
    end: End | None = None
    """How it ended the last time, if it did."""
    exit_status: int = 0
    """The status of its last end; only of one that has ended for good."""

    @property
    def is_up(self) -> bool:
        """Tell whether there is a process."""
        return self.status in (STARTING, RUNNING)

    @property
    def is_over(self) -> bool:
        """Tell whether it ended, and is not started again."""
        return self.status == EXITED

    @property
    def is_done(self) -> bool:
        """Tell whether it ended well, and is not started again."""
        return self.is_over and self.exit_status == 0

    @property
    def is_settled(self) -> bool:
        """Tell whether it has been up for long enough not to be one that ends at its start."""
        return self.status == RUNNING

    @property
    def is_crashing(self) -> bool:
        """Tell whether it ended soon after it was started, and waits to be started again."""
        return self.status == CRASHING


class Supervisor:
    """The supervisord of one run."""

    def __init__(self, folder: Path, sockets: Path, run: str, begun: Spare | None = None) -> None:
        """Take its folders and its run; ``begun`` may be one that was started for it."""
        self.folder, self.sockets, self.run = folder, sockets, run
        self._begun = begun
        self._starts = Starts(folder / configuration.LOG)

    @property
    def was_started(self) -> bool:
        """Tell whether this run ever had a supervisord."""
        return (self.folder / configuration.CONFIG).exists()

    def is_up(self) -> bool:
        """Tell whether it answers, and is not about to end."""
        try:
            state = self._call("getState")
        except Unreachable:
            return False
        return bool(state["statename"] == "RUNNING")

    def start(self, processes: Sequence[Process]) -> None:
        """Start a supervisord that runs these processes; of an earlier one nothing may be left."""
        self._write(processes)
        (self.sockets / configuration.SOCKET).unlink(missing_ok=True)
        output = self.folder / configuration.OUTPUT
        if self._begun and (pid := self._begun.take(self.run)) and self._is_started(pid):
            return
        argv, env = spare.argv(self.folder), spare.environment(self.run)
        if not self._is_started(shell.spawn(argv, env=env, log=output)):
            said = files.text(output).strip() or f"no word in {START_SECONDS} s"
            message = f"supervisord did not start: {said}"
            raise EnvironmentFailed(message, hint="Try again after `meshdemo down`.")

    def ensure(self, processes: Sequence[Process], *, loaded: bool = False) -> None:
        """Have the one that is up run these processes, and no others; unchanged ones go on.

        ``loaded``: it runs by what its configuration says now. Raises Unreachable if it is not up
        any more: what it ran may still hold its ports, so no other one is started before that is
        gone.
        """
        if self._write(processes) or not loaded:
            self._reload()
        self._revive()

    def states(self) -> dict[str, State]:
        """Give each process by its name; none if supervisord is not there."""
        try:
            found = self._call("getAllProcessInfo")
        except Unreachable:
            return {}
        starts = self._starts.count()
        return {
            info["name"]: State(
                pid=info["pid"],
                status=info["statename"],
                restarts=max(0, starts[info["name"]] - 1),
                unstartable="" if info["spawnerr"].startswith(ENDED) else info["spawnerr"],
                end=self._starts.ends.get(info["name"]),
                exit_status=info["exitstatus"],
            )
            for info in found
        }

    def starts(self, name: str) -> int:
        """Say how often a process was started, without asking supervisord."""
        return self._starts.count()[name]

    def is_ending(self, name: str) -> bool:
        """Tell whether a process has begun to end, or is gone, before supervisord has seen it."""
        return self._starts.is_ending(name)

    def stop(self, timeout: float = math.inf, family: Family | None = None) -> bool:
        """Stop supervisord and all that is below it, also what it lost; tell whether it has ended.

        What has not ended after ``timeout`` seconds may still end: supervisord kills what ignores
        SIGTERM. ``family`` are the processes that are known already.
        """
        from meshdemo.engines.local.processes import orphans  # noqa: PLC0415 - psutil costs a quick command too much

        if family is None:
            family = orphans.Family(self.run, self.folder)
            family.look()
        deadline, leader = time.monotonic() + timeout, family.leader()
        try:
            # All are told to stop before any is waited for: by itself it ends one after the other.
            self._call("stopAllProcesses", False)  # noqa: FBT003 - XML-RPC has no names
            self._call("shutdown")
        except (Unreachable, EnvironmentFailed):
            if leader:
                orphans.signal_to(leader, signal.SIGTERM)
        if leader:
            # Each question wakes it, and a second one must not start before it is gone.
            _try_until(
                lambda: not (self.is_up() or orphans.is_alive(leader)),
                "its end",
                min(SUPERVISOR_STOP_SECONDS, timeout),
            )
        return not family.end(deadline)

    def _write(self, processes: Sequence[Process]) -> bool:
        """Write the configuration; tell whether it is another one now."""
        text = configuration.render(self.folder, self.sockets, processes, _open_files())
        return files.write_if_changed(self.folder / configuration.CONFIG, text)

    def _is_started(self, pid: int) -> bool:
        """Wait until it answers, or has ended."""
        # To ask it wakes it: by itself its loop sleeps for up to a second.
        _try_until(
            lambda: self.is_up() or _has_ended(pid), "supervisord", START_SECONDS, START_PAUSE
        )
        return self.is_up()

    def _reload(self) -> None:
        """Let a running supervisord start and stop what its configuration says now."""
        ((added, changed, removed),) = self._call("reloadConfig")
        leaving = {*changed, *removed}
        if leaving:
            for name in leaving:
                # All are told to stop before any is waited for: they end side by side.
                self._call("stopProcessGroup", name, False)  # noqa: FBT003 - XML-RPC has no names
            _try_until(lambda: not self._running(leaving), "the old processes")
            for name in leaving:
                self._call("removeProcessGroup", name)
        for name in (*changed, *added):
            self._call("addProcessGroup", name)

    def _revive(self) -> None:
        """Start at once what waits after a crash, and what a ``down`` has stopped that was killed.

        What has changed may have mended what kept it from starting: it shall not sit out its
        pause, which grows with each crash.
        """
        states = {info["name"]: info["statename"] for info in self._call("getAllProcessInfo")}
        if stopping := {name for name, state in states.items() if state == STOPPING}:
            _try_until(lambda: not self._running(stopping), "the stopped processes")
        for name, state in states.items():
            with suppress(EnvironmentFailed):  # supervisord was faster
                if state == CRASHING:
                    self._call("stopProcess", name)
                if state in (CRASHING, STOPPING, STOPPED):
                    self._call("startProcess", name, False)  # noqa: FBT003 - XML-RPC has no names

    def _running(self, names: set[str]) -> list[str]:
        found = self._call("getAllProcessInfo")
        return [info["name"] for info in found if info["name"] in names and info["pid"]]

    def _call(self, method: str, *parameters: str | bool) -> Any:  # noqa: ANN401 - XML-RPC gives any data
        """Ask supervisord. Raises Unreachable, and EnvironmentFailed if it refuses."""
        body = xmlrpc.client.dumps(parameters, f"supervisor.{method}")
        socket = self.sockets / configuration.SOCKET
        answer = unix_http.post(socket, "/RPC2", body)
        try:
            return xmlrpc.client.loads(answer)[0][0]
        except xmlrpc.client.Fault as error:
            if error.faultCode == SHUTTING_DOWN:
                raise Unreachable(socket, "it is shutting down") from error
            message = f"supervisord refuses {method}: {error.faultString}"
            raise EnvironmentFailed(message, hint="Try again after `meshdemo down`.") from error
        except (ExpatError, xmlrpc.client.Error, LookupError, ValueError) as error:
            message = f"supervisord answers {method} with {answer[:80]!r}, which is not XML-RPC"
            raise EnvironmentFailed(message, hint="Try again after `meshdemo down`.") from error


def _open_files() -> int:
    """Say how many open files supervisord is to have: what it asks for, or what there may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return configuration.OPEN_FILES if most < 0 else min(configuration.OPEN_FILES, most)


def _has_ended(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == child
    except ChildProcessError:
        return True


def _try_until(
    probe: Callable[[], bool],
    what: str,
    timeout: float = SUPERVISOR_STOP_SECONDS,
    longest_pause: float = LONGEST_PAUSE,
) -> bool:
    """Wait, and tell whether it happened; what to do if not is the caller's business."""
    try:
        return waiting.until(probe, what, timeout=timeout, pause=PAUSE, longest_pause=longest_pause)
    except TimedOut:
        return False
