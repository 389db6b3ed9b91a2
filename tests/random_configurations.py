"""What random meshes become in Envoys: the configurations that none of them may reject."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias

from tests import agreement, bad_input
from tests.connection_worlds import connection_world
from tests.reach_worlds import reach_world
from tests.worlds import admissible, random_world

from meshdemo.engines.local import config_data, injection, plan, programs, translate
from meshdemo.engines.local.admission import admit
from meshdemo.engines.local.model import Mesh
from meshdemo.engines.options import Injection
from meshdemo.errors import InputError
from meshdemo.objects import reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from meshdemo.engines.local.translate import Config
    from meshdemo.objects.model import Object

Named: TypeAlias = "tuple[str, Config]"

WORLDS = {"rules": random_world, "reach": reach_world, "connections": connection_world}
INPUTS = 3
"""Bad inputs for each seed: most are refused, and what is not is to be taken by Envoy too."""
FIRST_PORT = 20_001


def configurations(seeds: Iterable[int], folder: Path) -> Iterator[Named]:
    """Give all that comes of these seeds, each with a name; a folder is needed for files."""
    for seed in seeds:
        for kind, world in WORLDS.items():
            yield f"{kind}/{seed}", agreement.configured(admissible(world(seed)))[1]
        for case in bad_input.cases(seed, INPUTS):
            for number, config in enumerate(configured(admitted(case, folder / "input.yaml"))):
                yield f"{case.name}/{number}", config


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
