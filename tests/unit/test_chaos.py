"""That chaos finds what it looks for: a program that does everything wrong fails in every way."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from tests import damage
from tests.chaos import signals, trial
from tests.chaos.trial import Done, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """#!/bin/sh
state=$MESHDEMO_STATE_DIR
case $1 in
up) mkdir -p "$state"
    printf '{"run": "chaos-%s"}' $$ > "$state/run.json"
    MESHDEMO_RUN=chaos-$$ sleep 60 </dev/null >/dev/null 2>&1 &
    echo 'Traceback (most recent call last):' >&2
    exit 70 ;;
get) echo '{"items": []}' ;;
down) rm -f "$state/notes.txt"; exit 1 ;;
esac
"""
RULE = "VirtualService kept/kept"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Trial]:
    program = tmp_path / "meshdemo"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    with Trial("chaos", program) as found:
        found.put_foreign_files()
        yield found
    assert not found.processes()
    assert not found.top.exists()


def kinds(made: Trial) -> set[str]:
    return {failure.kind for failure in made.failures}


def test_it_sees_wrong_ends_and_what_is_left_and_what_is_lost(made: Trial) -> None:
    made.have_mesh()
    assert kinds(made) == {trial.STATUS, trial.TRACEBACK}
    signals.keep(made, signals.Act("route v2"), {RULE: {}})
    assert kinds(made) == {trial.STATUS, trial.TRACEBACK, trial.LOST}
    made.failures.clear()
    made.end()
    assert kinds(made) == {trial.STUCK, trial.LEFT, trial.FOREIGN}
    (left,) = [failure.what for failure in made.failures if failure.kind == trial.LEFT]
    assert "sleep 60" in left
    assert "run.json" in left


@pytest.mark.parametrize(
    ("expected", "verdict", "wrong", "hit", "found"),
    [
        (0, "met", 0, "", set()),
        (0, "not met", 0, "", {trial.VERDICT}),
        (0, "not met", 0, "an app", set()),
        (0, "not met", 1, "an app", {trial.VERDICT}),
        (1, "met", 0, "an app", {trial.VERDICT}),
        (1, "not met", 9, "", set()),
    ],
)
def test_it_sees_a_verdict_against_the_rules(
    made: Trial, expected: int, verdict: str, wrong: int, hit: str, found: set[str]
) -> None:
    text = f'{{"verdict": "{verdict}", "tally": {{"versions": {{"v1": {wrong}}}}}}}'
    done = Done("verify", int(verdict == "not met"), text, "")
    act = signals.Act("verify", code=expected)
    signals.judge(made, act, done, hit, signal.SIGTERM)
    assert kinds(made) - {trial.STATUS} == found


@pytest.mark.parametrize(
    ("expected", "code"), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 70), (0, -11), (1, 1)]
)
def test_it_sees_a_signal_that_ends_in_anything_else(made: Trial, expected: int, code: int) -> None:
    act = signals.Act("verify", code=expected)  # 1 is for a verdict, and here is none
    signals.judge(made, act, Done("verify", code, "", ""), signals.COMMAND, signal.SIGINT)
    assert kinds(made) == {trial.STATUS}


def test_what_nothing_disturbed_must_be_right(made: Trial) -> None:
    with pytest.raises(RuntimeError, match="exit status: meshdemo down -q: exit status 1, not 0"):
        signals.undisturbed(signals.Act("get", signals.NOTHING), made.program)


def test_it_goes_on_whatever_the_record_is(made: Trial) -> None:
    made.finish(made.start("up"))
    for hurt in (each for each in damage.common() if each.place == "run.json"):
        shutil.rmtree(made.state)
        made.put_foreign_files()
        (made.state / "run.json").write_text("{}")
        hurt.do(made.state, made.top)
        made.run("get")
    (run,) = made.runs
    assert run.startswith("chaos-")
