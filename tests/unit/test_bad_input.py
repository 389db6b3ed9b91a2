"""Whatever the input is: 0, or 2 and the name of its file, and never anything else."""

from __future__ import annotations

import io
import json
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from tests import bad_input, static_envoy

from meshdemo.cli import main
from meshdemo.cli.invocation import Invocation
from meshdemo.engines.local import config_data, injection, plan, programs, translate
from meshdemo.engines.local.admission import admit
from meshdemo.engines.local.model import Mesh
from meshdemo.engines.options import Injection
from meshdemo.errors import InputError
from meshdemo.objects import reading
from meshdemo.report.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from meshdemo.engines.local.translate import Config
    from meshdemo.objects.model import Object

SEEDS = range(4)
COUNT = 25
"""Of each seed; ``make chaos`` takes more."""
COMMANDS = (["up", "--dry-run"], ["inject"], ["inject", "--injection", "auto"])
FIRST_PORT = 20_001


def run(state: Path, *argv: str) -> tuple[int, str]:
    """Run a command line on the local engine; give its status and what it says."""
    out, err = io.StringIO(), io.StringIO()
    invocation = Invocation(progress=Progress.on(out, err))
    return main(["--state-dir", str(state), *argv], invocation=invocation), err.getvalue()


@pytest.mark.parametrize("seed", SEEDS)
def test_bad_input_is_refused_by_its_file_or_means_something(seed: int, tmp_path: Path) -> None:
    file, state = tmp_path / "input.yaml", tmp_path / "state"
    for case, command in zip(bad_input.cases(seed, COUNT), cycle(COMMANDS), strict=False):
        case.write(file)
        code, said = run(state, *command, "-f", str(file))
        assert code in (0, 2), f"{case.name}: {command}\n{said}"
        assert code == 0 or str(file) in said, f"{case.name}: {command}\n{said}"
    assert not state.exists()


@pytest.mark.parametrize("name", bad_input.FILES, ids=lambda name: repr(name)[:24])
def test_what_is_not_a_file_of_manifests_is_refused(name: str, tmp_path: Path) -> None:
    code, said = run(tmp_path / "state", "inject", "-f", name)
    assert code == 2
    assert "error: the manifests cannot be used\n  " in said


def admitted(case: bad_input.Case, file: Path) -> tuple[Object, ...]:
    """Give the objects of an input as they are stored; none if it is refused."""
    case.write(file)
    try:
        objects = reading.read([str(file)])
    except InputError:
        return ()
    admission = admit(objects, [])
    settled = injection.inject(admission.objects, (), Injection.KUBE_INJECT)
    return () if any(plan.command_problems(settled, ())) else settled


def configured(objects: Sequence[Object]) -> Iterator[Config]:
    """Configure the Envoy of every pod; what would be started must be such as can be."""
    dated = [
        item.with_data({**item.data, "metadata": {"creationTimestamp": "2026", **item.metadata}})
        for item in objects
    ]
    pods = plan.place(plan.blueprints(dated), (), lambda n: range(FIRST_PORT, FIRST_PORT + n))
    services = [item for item in dated if item.kind == "Service"]
    for pod in pods:
        folders = dict.fromkeys(config_data.volumes(pod.template), "/")
        around = programs.Surroundings(volumes=folders)
        chosen = plan.selecting(pod, services)
        for program in programs.programs(pod, chosen, around, proxy=1, run="x"):
            words = json.dumps([program.argv, program.env], ensure_ascii=False)
            assert "\\u0000" not in words.encode().decode()
        yield translate.sidecar(Mesh(tuple(dated), pods), pod, "FOLDER")


def test_what_is_admitted_envoy_takes(tmp_path: Path) -> None:
    found = [
        (f"{case.name}/{number}", config)
        for seed in SEEDS
        for case in bad_input.cases(seed, COUNT)
        for number, config in enumerate(configured(admitted(case, tmp_path / "input.yaml")))
    ]
    assert len(found) > 10
    said = static_envoy.validate(found, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr
