"""Signals at random moments: to a command, to its process group, and to the processes of a mesh."""

from __future__ import annotations

import os
import shlex
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import psutil
from tests.chaos import trial as t
from tests.paths import MANIFESTS

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.chaos.trial import Done, Trial

COUNT = 200
NOTHING, DEPLOYED, RUNNING = "nothing", "apps without sidecars", "a running mesh"


@dataclass(frozen=True)
class Act:
    """A command that is disturbed."""

    line: str
    before: str = RUNNING
    """What there is before it."""
    removes: tuple[str, ...] = ()
    """How the names of the objects begin that it may remove."""
    code: int = 0
    """Its exit status if nothing disturbs it; 1 if it is a verdict that is not met."""

    @property
    def stdin(self) -> bytes:
        """Give what it reads, if it does."""
        files = sorted(MANIFESTS.glob("*.yaml")) if self.line.endswith("-f -") else []
        return b"---\n".join(file.read_bytes() for file in files)


RULES = ("VirtualService default/", "DestinationRule default/")
APPS = ("Service default/", "Deployment default/")
ACTS = (
    Act("up -o json --requests 500", NOTHING),
    Act("up -o json --requests 500", DEPLOYED),
    Act("up -o json --requests 500"),
    Act(f"up --no-verify -f {MANIFESTS}", NOTHING),
    Act("deploy", NOTHING),
    Act("deploy"),
    Act("inject", DEPLOYED),
    Act("route v1=30 v2=70"),
    Act("route v2", DEPLOYED),
    Act("route --clear", removes=RULES),
    Act("verify -o json --requests 2000 --expect v2=100%"),
    Act("verify -o json --requests 2000 --expect v1=100%", code=1),
    Act("delete vs app-default-v2", removes=RULES),
    Act("down", removes=("",)),
    Act("down -n default", removes=(*RULES, *APPS)),
    Act("exec -- sh -c 'curl -s http://app/env/version; sleep 0.2'"),
    Act("status"),
    Act("inject -f -", NOTHING),
    Act("inject -f -"),
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
COMMAND, GROUP = "the command", "its process group"
PARTS = {"supervisord": "daemon.py", "an Envoy": "bootstrap.json", "an app": "local.apps."}
"""The processes of a mesh that signals are sent to, with a word in what each was started with."""
LOOKING = ("status", "get all -A", "verify --requests 200 -o json", "exec -- true", "doctor")
SOON = 0.5
"""Seconds after a signal in which a command may end as if there was none: it was ending."""


def run(trial: Trial) -> None:
    """Disturb a command, look at what it left, and finish it or take it down."""
    rng = trial.rng
    act, number = rng.choice(ACTS), rng.choice(SIGNALS)
    target, part = rng.choice((COMMAND, GROUP, *PARTS)), rng.random()
    length, before = undisturbed(act, trial.program)
    prepare(trial, act)

    process = begin(trial, act)
    trial.did[-1] += f"   # {number.name} to {target} after {part:.1%} of {length:.2f} s"
    time.sleep(part * length)
    hit = target if send(trial, process, target, number) else ""
    sent = time.monotonic()
    done = trial.finish(process)
    judge(trial, act, done, hit, number)
    if hit in (COMMAND, GROUP) and done.code == act.code and time.monotonic() - sent > SOON:
        trial.fail(t.STATUS, f"{done.line}: the signal was not handled")
    keep(trial, act, before)
    look(trial, mesh_hit=hit in PARTS)
    if rng.random() < 0.7:
        mend(trial)
    trial.end()


@cache
def undisturbed(act: Act, program: Path) -> tuple[float, dict[str, Any]]:
    """Measure how long a command takes, in seconds, and give the objects that are there before."""
    with t.Trial(f"undisturbed {act}", program) as trial:
        prepare(trial, act)
        objects = trial.objects()
        began = time.monotonic()
        trial.expect(trial.finish(begin(trial, act)), [act.code])
        took = time.monotonic() - began
        trial.run("down", "-q")
    if trial.failures:
        # What nothing disturbed is what the others are measured by.
        raise RuntimeError("\n".join(f"{each.kind}: {each.what}" for each in trial.failures))
    return took, objects


def prepare(trial: Trial, act: Act) -> None:
    """Bring about what is there before a command."""
    if act.before == DEPLOYED:
        trial.run("deploy")
    elif act.before == RUNNING:
        trial.have_mesh()


def begin(trial: Trial, act: Act) -> subprocess.Popen[bytes]:
    """Start the command, and give it what it reads."""
    process = trial.start(*shlex.split(act.line))
    if act.stdin and process.stdin:
        with process.stdin:
            process.stdin.write(act.stdin)
        process.stdin = None
    return process


def send(
    trial: Trial, process: subprocess.Popen[bytes], target: str, number: signal.Signals
) -> bool:
    """Send the signal, and tell whether there was somebody to get it."""
    if target in PARTS:
        found = [p for p in trial.mesh() if PARTS[target] in " ".join(t.words(p))]
        with suppress(psutil.Error, IndexError):
            trial.rng.choice(found).send_signal(number)
            return True
    elif process.poll() is None:
        (os.kill if target == COMMAND else os.killpg)(process.pid, number)
        return True
    return False


def judge(trial: Trial, act: Act, done: Done, hit: str, number: signal.Signals) -> None:
    """See that a command ended as it may, whoever was hit."""
    who = "mesh hit" if hit in PARTS else "command hit" if hit else "nobody hit"
    trial.outcome = f"{who}, exit status {done.code}"
    codes = [act.code]
    if hit in PARTS:
        codes += [3, 4]
    elif hit:
        codes += [-number] if number == signal.SIGKILL else [-number, 128 + number]
    verdict = done.document.get("verdict")
    if verdict == "not met" and act.code == 0:
        # True only where something gave no answer, and nothing gave the wrong one.
        if hit not in PARTS or done.document["tally"]["versions"]["v1"]:
            trial.fail(t.VERDICT, f"{done.line}\n{done.said}")
        codes = [1]
    if verdict == "met" and act.code == 1:
        trial.fail(t.VERDICT, f"{done.line}\n{done.said}")
    if done.code == 1 and verdict != "not met":
        trial.fail(t.STATUS, f"{done.line}: 1 with nothing measured\n{done.said}")
    trial.expect(done, codes)


def keep(trial: Trial, act: Act, before: dict[str, Any]) -> None:
    """See that all objects are there that the command was not to remove."""
    after = trial.objects()
    for name, spec in before.items():
        if act.removes and name.startswith(act.removes):
            continue
        if name not in after or ("/kept" in name and after[name] != spec):
            trial.fail(t.LOST, f"{name} was {spec}, and is {after.get(name)}")


def look(trial: Trial, *, mesh_hit: bool) -> None:
    """Look at what is there. Rules need not be met where they are not live, and that is said; nor
    where what was hit is being started again, and gives no answer.
    """
    done = trial.finish(trial.start(*trial.rng.choice(LOOKING).split()))
    is_said = done.document.get("convergence", {}).get("live") is False
    tally = done.document.get("tally", {"total": 0, "versions": {}})
    unanswered = tally["total"] > sum(tally["versions"].values())
    unmet = is_said or (mesh_hit and unanswered)
    trial.expect(done, (0, 1, 3, 4) if unmet else (0, 3, 4))


def mend(trial: Trial) -> None:
    """See that ``up`` makes all well, and that what is measured then is what the rules say."""
    if trial.run("up", "--no-verify", kind=t.STUCK).code == 0:
        expected, code = trial.rng.choice((("v2=100%", 0), ("v1=100%", 1)))
        trial.run("verify", "--requests", "200", "--expect", expected, codes=[code], kind=t.VERDICT)
