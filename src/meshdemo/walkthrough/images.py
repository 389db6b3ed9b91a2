"""Which images a run needs, and others in their place: mirrors, other builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from meshdemo.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshdemo.engines.protocol import Engine
    from meshdemo.objects.model import Object
    from meshdemo.walkthrough.plan import Plan

DOCKER_HUB = ("docker.io", "index.docker.io")
OFFICIAL_REPOSITORY = "library"
"""Where Docker Hub keeps the images that are named by one word."""
CONTAINER_LISTS = ("initContainers", "containers")


class ImageChoice(Struct, frozen=True):
    """Which images to take in place of those in the manifests."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    """An image by the name of a container, or by the label ``app`` of its pod."""
    registry: str = ""
    """A mirror of Docker Hub, for all others; empty for none."""

    def replaced(self, objects: Sequence[Object]) -> tuple[Object, ...]:
        """Give the objects with these images. Raises InputError for a name that none has."""
        names = {name for item in objects for name in _names(item)}
        workloads = any(item.makes_pods for item in objects)
        if workloads and (unknown := sorted(self.chosen.keys() - names)):
            raise InputError(
                f"--image: no container or app is named {', '.join(unknown)}",
                hint=f"There are {', '.join(sorted(names))}.",
            )
        return tuple(self._replaced(item) for item in objects)

    def _replaced(self, item: Object) -> Object:
        if not item.pod_template or not (self.chosen or self.registry):
            return item
        pod = item.pod_template.get("spec") or {}
        app = _app(item)
        changed = {
            part: [self._container(c, app) for c in pod.get(part) or ()] for part in CONTAINER_LISTS
        }
        changed = {part: containers for part, containers in changed.items() if containers}
        return item.with_pod_template({**item.pod_template, "spec": {**pod, **changed}})

    def _container(self, container: Mapping[str, Any], app: str) -> dict[str, Any]:
        name, image = container.get("name"), str(container.get("image") or "")
        other = self.chosen.get(str(name)) or self.chosen.get(app)
        return {**container, "image": other or mirrored(image, self.registry)}


def mirrored(image: str, registry: str) -> str:
    """Name an image of Docker Hub as a mirror does; others have a registry of their own."""
    host, slash, path = image.partition("/")
    named = slash and ("." in host or ":" in host or host == "localhost")
    if not (registry and image) or (named and host not in DOCKER_HUB):
        return image
    rest = path if named else image
    return f"{registry}/{rest if '/' in rest else f'{OFFICIAL_REPOSITORY}/{rest}'}"


def images_of(objects: Iterable[Object]) -> tuple[str, ...]:
    """List the images of workloads, each once."""
    found = [str(c.get("image") or "") for item in objects for c in _containers(item)]
    return tuple(dict.fromkeys(filter(None, found)))


def needed(engine: Engine, plan: Plan) -> tuple[str, ...]:
    """List every image that a run pulls: those of the workloads, then the mesh's own."""
    mesh = engine.images(plan.mesh)
    return tuple(dict.fromkeys((*images_of(plan.read_alone()), *mesh)))


def _containers(item: Object) -> list[dict[str, Any]]:
    if not item.makes_pods:
        return []
    pod = item.pod_template.get("spec") or {}
    return [container for part in CONTAINER_LISTS for container in pod.get(part) or ()]


def _names(item: Object) -> list[str]:
    names = [str(container.get("name")) for container in _containers(item)]
    return [*names, _app(item)] if names and _app(item) else names


def _app(item: Object) -> str:
    labels = (item.pod_template.get("metadata") or {}).get("labels") or {}
    return str(labels.get("app", ""))
