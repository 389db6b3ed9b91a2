"""What runs for an image: it is built in, idles, has the user's command, or a stand-in. Pure.

A stand-in is the echo app in place of an image that cannot run here: under the pod's own name,
labels and ports, so that rules can be tried on anybody's manifests. What is only about the inside
of its container, such as volumes, means nothing to it. Pod templates are asked before admission
has judged them: any data may be in one.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from meshdemo.engines.local import tcp_echo
from meshdemo.objects.image_names import is_called
from meshdemo.objects.labels import COMMAND, STAND_IN, STAND_IN_FOR_ALL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

FLASKAPP, ECHO, IDLE = "dustise/flaskapp", "meshdemo/echo", "zze326/test-tools"
BUILT_IN = (FLASKAPP, ECHO, IDLE, tcp_echo.IMAGE)
IDLE_COMMANDS: tuple[list[str], ...] = ([], ["init"])


def builtin(image: str) -> str:
    """Give the built-in image that this one is, from whatever registry; else an empty string."""
    return next((known for known in BUILT_IN if is_called(image, known)), "")


def containers(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the containers of a pod template."""
    return [_mapping(each) for each in _list(_mapping(template.get("spec")).get("containers"))]


def image_of(container: Mapping[str, Any]) -> str:
    """Give the image that a container names."""
    return str(container.get("image") or "")


def annotation(template: Mapping[str, Any], name: str) -> str | None:
    """Give an annotation of the pods; None if there is none."""
    found = _mapping(_mapping(template.get("metadata")).get("annotations")).get(name)
    return found if isinstance(found, str) else None


def annotated_container(template: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the container that the annotation's command stands for.

    It is the first whose image nothing else runs; if all run by themselves, the first one.
    """
    if annotation(template, COMMAND) is None:
        return None
    every = containers(template)
    foreign = [item for item in every if not (builtin(image_of(item)) or idles(item))]
    return next(iter(foreign or every), None)


def idles(container: Mapping[str, Any]) -> bool:
    """Tell whether a container does nothing but wait, as those do in which one types commands."""
    said = words(container)
    if builtin(image_of(container)) == IDLE and said in IDLE_COMMANDS:
        return True
    if len(said) > 2 and said[1] == "-c" and PurePosixPath(said[0]).name in ("sh", "bash"):  # noqa: PLR2004 - sh -c WORDS
        said = said[2].split()
    is_sleep = bool(said) and PurePosixPath(said[0]).name == "sleep"
    return is_sleep and (bool(container.get("command")) or builtin(image_of(container)) == IDLE)


def words(container: Mapping[str, Any]) -> list[str]:
    """Give the command line that a container declares."""
    return [str(word) for part in ("command", "args") for word in _list(container.get(part))]


def runs_by_itself(container: Mapping[str, Any]) -> bool:
    """Tell whether a container runs without a word of the user's."""
    known = builtin(image_of(container))
    if known == tcp_echo.IMAGE:
        return tcp_echo.runs(container)
    return idles(container) or (known in (FLASKAPP, ECHO) and not words(container))


def is_stand_in(template: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Tell whether the echo app stands in for a container of a pod template."""
    wanted = annotation(template, STAND_IN)
    if wanted is None or runs_by_itself(container):
        return False
    if annotated_container(template) == container:
        return False
    return wanted == STAND_IN_FOR_ALL or image_of(container) in wanted.split(",")


def stand_ins(template: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the containers of a pod template that the echo app stands in for."""
    return [each for each in containers(template) if is_stand_in(template, each)]


def are_all_ours(template: Mapping[str, Any]) -> bool:
    """Tell whether only programs of ours run in a pod, a stand-in among them.

    Then nothing in it needs what the pod has beside its network.
    """
    every = containers(template)
    others = (each for each in every if not (runs_by_itself(each) or is_stand_in(template, each)))
    return bool(stand_ins(template)) and next(others, None) is None


def is_spared(item: Object, path: FieldPath) -> bool:
    """Tell whether a field is only about the inside of containers with a stand-in."""
    if not item.makes_pods or path[:1] != ("spec",):
        return False
    template, below = item.pod_template, path[len(item.template_path) :]
    if path[: len(item.template_path)] != item.template_path or below[:1] != ("spec",):
        return path[1:2] == ("volumeClaimTemplates",) and are_all_ours(template)
    every = containers(template)
    if below[1:2] == ("containers",) and len(below) > 2:  # noqa: PLR2004 - and one of them
        place = below[2]
        return isinstance(place, int) and place < len(every) and is_stand_in(template, every[place])
    return are_all_ours(template)


def names(template: Mapping[str, Any]) -> Sequence[str]:
    """Name the images of a pod template that the echo app stands in for."""
    return [image_of(container) for container in stand_ins(template)]


def _mapping(value: Any) -> dict[str, Any]:  # noqa: ANN401 - see above
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:  # noqa: ANN401 - see above
    return value if isinstance(value, list) else []
