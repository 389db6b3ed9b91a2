"""Bad inputs: refused whole and by name before anything is touched, or taken and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests import bad_input
from tests.chaos import trial as t

if TYPE_CHECKING:
    from tests.chaos.trial import Trial

COUNT = 300
COMMANDS = (
    *(("up", "--no-verify", "--timeout", "20s"),) * 3,
    ("deploy", "--timeout", "20s"),
    ("route", "--timeout", "20s"),
    ("up", "--dry-run"),
    ("inject",),
)
NAMES = tuple(name for name in bad_input.FILES if "\0" not in name)
"""What may stand in the place of a file, and can be an argument of a program."""


def run(trial: Trial) -> None:
    """Give a command a bad input, with and without a mesh, and see what it left as it was."""
    rng, file = trial.rng, trial.top / "input.yaml"
    case = bad_input.case(rng, trial.name)
    case.write(file)
    command, given = rng.choice(COMMANDS), rng.choice((*(str(file),) * 15, "-", rng.choice(NAMES)))
    if rng.random() < 0.25:
        trial.have_mesh()
    before = state(trial)

    process = trial.start(*command, "-f", given)
    trial.did.append(f"# {case.name}")
    done = trial.finish(process, case.content if given == "-" else b"")
    trial.expect(done, (0, 2, 3, 4))
    trial.outcome = f"exit status {done.code}"
    if done.code == 2:
        if ("standard input" if given == "-" else given) not in done.said:
            trial.fail(t.STATUS, f"the input is not named:\n{done.said}")
        if (now := state(trial)) != before:
            trial.fail(t.LOST, f"it was refused, and changed\n{before}\nto\n{now}")
    trial.end()


def state(trial: Trial) -> tuple[bool, dict[str, Any], set[int]]:
    """Give what a refused input must not change."""
    pids = {process.pid for process in trial.mesh()}
    return trial.state.exists(), trial.objects() if pids else {}, pids
