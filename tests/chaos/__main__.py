"""Chaos: what signals, damaged states and bad inputs do to the installed command.

And whether Envoy takes over what random meshes become.

    make chaos
    make chaos SEED=7 ARGS="--trials 20"
    make chaos ARGS="signals damages"
    make chaos ARGS="--again signals/7/13"

Prints what came of it, and ends with exit status 1 if anything failed. Each trial depends on its
name alone (and on what the machine does meanwhile), so that one can be tried again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos import configurations, damages, inputs, signals, trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    from tests.chaos.trial import Failure


KINDS = {
    "configurations": configurations,
    "signals": signals,
    "damages": damages,
    "inputs": inputs,
}
"""Each has COUNT, how many trials there are, and run, which makes one."""
LIMIT = 30 * 60
"""Seconds after which no trial is begun any more."""
AT_ONCE = min(4, 2 * (os.cpu_count() or 1))
"""Trials at a time, which mostly wait; each has up to four Envoys."""

ENDINGS = (signal.SIGINT, signal.SIGTERM)
TOLD = 50
"""Trials between two words on how far it is."""


@dataclass(frozen=True)
class Outcome:
    """What came of one trial."""

    name: str
    did: Sequence[str]
    outcome: str
    failures: Sequence[Failure]
    seconds: float


def one(name: str, began: float) -> Outcome | None:
    """Make one trial; None if it is too late for that."""
    if time.monotonic() - began > LIMIT:
        return None
    now = time.monotonic()
    with trial.Trial(name) as made:
        try:
            KINDS[name.partition("/")[0]].run(made)
        except Exception:  # noqa: BLE001 - the others go on, and the run fails
            made.fail("the trial itself", traceback.format_exc())
    took = time.monotonic() - now
    found = Outcome(name, made.did, made.outcome, made.failures, took)
    if found.failures:
        print(told(found), flush=True)
    return found


def progress(done: Sequence[Future[Outcome | None]]) -> Iterator[Future[Outcome | None]]:
    """Give them in turn, and say now and then how far it is."""
    for number, each in enumerate(done, 1):
        yield each
        if number % TOLD == 0:
            print(f"{number} of {len(done)}", flush=True)


def told(found: Outcome) -> str:
    """Tell how a trial failed, and how to have it again."""
    lines = [f"FAILED {found.name}", *(f"    $ {line}" for line in found.did)]
    for failure in found.failures:
        what = failure.what.replace("\n", "\n      ")
        lines.append(f"  {failure.kind}: {what}")
    return "\n".join([*lines, f'  again: make chaos ARGS="--again {found.name}"', ""])


def figures(found: Sequence[Outcome]) -> str:
    """Give the table, and what counts as a failure."""
    lines = [f"{'trials':14} {'made':>5} {'failed':>7}   outcomes"]
    for kind in KINDS:
        own = [each for each in found if each.name.startswith(f"{kind}/")]
        if own:
            failed = sum(bool(each.failures) for each in own)
            outcomes = Counter(each.outcome for each in own).most_common()
            said = "; ".join(f"{name}: {count}" for name, count in outcomes)
            lines.append(f"{kind:14} {len(own):5} {failed:7}   {said}")
    kinds = Counter(failure.kind for each in found for failure in each.failures)
    lines += ["", "failures by kind"]
    lines += [f"{kinds.pop(kind, 0):5} {kind}: {what}" for kind, what in trial.KINDS.items()]
    return "\n".join([*lines, *(f"{count:5} {kind}" for kind, count in kinds.items())])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))  # noqa: S311 - no secret
    parser.add_argument("--trials", type=int, metavar="N", help="so many of each kind")
    parser.add_argument("--again", nargs="+", metavar="KIND/SEED/NUMBER", help="trials that failed")
    given = parser.parse_args()
    if unknown := {name.partition("/")[0] for name in [*given.kinds, *(given.again or ())]} - {
        *KINDS
    }:
        parser.error(f"no kind of trial: {', '.join(unknown)}")
    return given


def main() -> int:
    given, began = arguments(), time.monotonic()
    # What is started in the background of a script has it ignored, and so would the commands.
    # SIGTERM ends it as Ctrl-C does: no mesh of a trial is left.
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    names = given.again or [
        f"{kind}/{given.seed}/{number}"
        for kind in given.kinds or KINDS
        for number in range(given.trials or KINDS[kind].COUNT)
    ]
    print(f"seed {given.seed}, {len(names)} trials, {AT_ONCE} at a time", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = [pool.submit(one, name, began) for name in names]
        try:
            found = [outcome for each in progress(done) if (outcome := each.result())]
        except KeyboardInterrupt:
            for number in ENDINGS:
                signal.signal(number, lambda *_: None)  # make sends a second one
            pool.shutdown(cancel_futures=True)  # those that run end by themselves, and tidy up
            raise
    print(figures(found))
    failed, missing = sum(bool(each.failures) for each in found), len(names) - len(found)
    late = f", {missing} not begun in {LIMIT // 60} min" if missing else ""
    print(f"{failed} failed of {len(found)}{late}, in {time.monotonic() - began:.0f} s")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
