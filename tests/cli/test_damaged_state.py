"""A state directory that something damaged: each command says what is wrong, and down works.

The mesh in it has ended, as after a power cut; the commands are real ones, in this process.
"""

from __future__ import annotations

import io
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests import damage

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.local import apply_changes
from meshdemo.engines.local.envoy import binary, config_files
from meshdemo.engines.local.injection import inject
from meshdemo.engines.local.pods.runtime import Planned, Runtime
from meshdemo.engines.local.store import DERIVED_FILES, Store
from meshdemo.engines.options import Injection
from meshdemo.engines.protocol import say_nothing
from meshdemo.objects import reading
from meshdemo.report.progress import Progress
from meshdemo.walkthrough import bundled

if TYPE_CHECKING:
    from pathlib import Path

COMMON = random.Random(1).sample(list(damage.common()), 70)  # noqa: S311 - a choice of tests
"""`make chaos` takes others each time."""
SEEDED = 20


@dataclass
class Place:
    """A state directory, what was in it before it was damaged, and a folder beside it."""

    state: Path
    whole: Path
    outside: Path

    def restore(self) -> None:
        if self.state.exists():
            shutil.rmtree(self.state)
        shutil.copytree(self.whole, self.state)

    def call(self, line: str) -> tuple[int, str]:
        """Run a command line; give its exit code, and what it said on both streams."""
        said = io.StringIO()
        run = Invocation(progress=Progress.on(said, said))
        code = main(["--state-dir", str(self.state), *line.split()], invocation=run)
        return code, f"{line}: {said.getvalue()}"

    def outside_now(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.outside.iterdir()}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    top = tmp_path_factory.mktemp("damaged")
    found = Place(top / "state", top / "whole", top / "outside")
    found.outside.mkdir()
    (found.outside / "precious").write_text("mine")
    (found.outside / "program").write_text(f"#!/bin/sh\ntouch {found.outside}/it-ran\n")
    (found.outside / "program").chmod(0o755)
    store = Store(found.state)
    with store.locked("test", 1):
        write_a_mesh(store)
    found.state.rename(found.whole)
    return found


def write_a_mesh(store: Store) -> None:
    """Write all that `up` writes, and start nothing."""
    envoy = binary.find()
    run = store.begin(envoy.path, envoy.version)
    given = reading.read([str(bundled.folder())])
    objects, _ = apply_changes.merge(inject(given, (), Injection.KUBE_INJECT), (), "/")
    store.replace(objects)
    runtime = Runtime(store, run, say_nothing)
    planned = runtime._plan(objects, Planned(), frozenset())
    runtime.locks.release(runtime.locks.held())
    for proxy, config in runtime._configs(objects, planned):
        config_files.write_all(proxy, config)
    for process in runtime._write_processes(planned, objects):
        process.log.write_text("it said something\n")
    for name in DERIVED_FILES:
        (store.folder / name).write_text("1\n")
    store.save_plan(replace(planned, live=store.digest()).to_record())


@pytest.mark.parametrize("number", range(len(COMMON)), ids=[str(each) for each in COMMON])
def test_what_is_damaged_is_said_and_what_is_ours_is_taken_down(place: Place, number: int) -> None:
    check(place, COMMON[number], number)


@pytest.mark.parametrize("hurt", list(damage.of_the_record()), ids=str)
def test_nothing_is_removed_and_nothing_run_by_a_record_alone(
    place: Place, hurt: damage.Damage
) -> None:
    check(place, hurt, 0)
    assert not (place.outside / "it-ran").exists()


@pytest.mark.parametrize("seed", range(SEEDED))
def test_a_value_of_another_type_anywhere_in_a_record_is_as_good_as_damage(
    place: Place, seed: int
) -> None:
    (hurt,) = damage.seeded(place.whole, seed, 1)
    check(place, hurt, seed)


def check(place: Place, hurt: damage.Damage, number: int) -> None:
    """Damage it, look at it, try to change it, and take it down; ``number`` chooses how."""
    place.restore()
    before = place.outside_now()
    hurt.do(place.state, place.outside)
    for line in (
        damage.LOOKING[number % len(damage.LOOKING)],
        damage.LOOKING[(number + 3) % len(damage.LOOKING)],
    ):
        code, said = place.call(line)
        assert code in {0, 3}, said
    if hurt.stops:
        code, said = place.call(damage.CHANGING[number % len(damage.CHANGING)])
        assert code == 3, said
        assert hurt.place in said
        assert "meshdemo down" in said
    code, said = place.call("down")
    assert code == 0, said
    assert not place.state.exists() or not list(place.state.iterdir()), said
    assert place.outside_now() == before
