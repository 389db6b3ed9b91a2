"""What pods take from ConfigMaps and Secrets: the environment, and the content of volumes. Pure.

What is not there, be it optional or deleted meanwhile, gives nothing: admission has refused what
a pod needs and nothing holds.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from meshdemo.engines.local import images
from meshdemo.engines.local.model import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.errors import Problem
    from meshdemo.objects.documents import FieldPath
    from meshdemo.objects.model import Object

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
CONFIG_MODE, SECRET_MODE = 0o644, 0o600
OWN_MODE = 0o700
"""What is left of the mode of a Secret's files: nobody but us reads them."""
SOURCES = {"configMap": CONFIG_MAP, "secret": SECRET}
"""The kinds by what a volume calls them."""
TAG = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
EMPTY = "emptyDir"
MADE = (EMPTY, "configMap", "secret", "projected")
"""The volumes that a folder is made for."""
REFERENCE = re.compile(r"\$?\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")


class File(Struct, frozen=True):
    """One file of a volume."""

    content: bytes
    mode: int


class ConfigData(Struct, frozen=True):
    """The ConfigMaps and Secrets of one namespace: what each of their keys holds."""

    by_name: Mapping[tuple[str, str], Mapping[str, bytes]] = field(default_factory=dict)
    """By kind and name."""

    @classmethod
    def of(cls, objects: Iterable[Object], namespace: str) -> ConfigData:
        """Read those among objects."""
        found = {}
        for item in objects:
            if item.kind in (CONFIG_MAP, SECRET) and item.namespace == namespace:
                found[item.kind, item.name] = _content(item)
        return cls(found)

    def get(self, kind: str, name: str) -> Mapping[str, bytes] | None:
        """Give what one of them holds; None if there is none."""
        return self.by_name.get((kind, name))


NO_DATA = ConfigData()


class Reference(Struct, frozen=True):
    """One place of a pod template that takes something from a ConfigMap or a Secret."""

    kind: str
    name: str
    keys: tuple[str, ...]
    """Those that are named; empty stands for whatever there is."""
    optional: bool
    path: FieldPath
    """Where it stands below the pod template."""


def environment(
    container: Mapping[str, Any], data: ConfigData = NO_DATA, pod: PlannedPod | None = None
) -> dict[str, str]:
    """Give the environment that a container declares; ``$(NAME)`` stands for an earlier one."""
    env: dict[str, str] = {}

    def expand(match: re.Match[str]) -> str:
        # As Kubernetes: $$(NAME) is a literal $(NAME), an unknown name stays as it is.
        return match[0][1:] if match[0].startswith("$$") else env.get(match[1], match[0])

    for source in container.get("envFrom") or ():
        for key, value in _all_of(source, data):
            env[f"{source.get('prefix') or ''}{key}"] = value
    for item in container.get("env") or ():
        if not item.get("valueFrom"):
            env[item["name"]] = REFERENCE.sub(expand, str(item.get("value") or ""))
        elif (found := _value(item["valueFrom"], data, pod)) is not None:
            env[item["name"]] = found
    return env


def volumes(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Give the volumes of a pod that a folder is made for, by name."""
    if images.are_all_ours(template):
        return {}
    found = (template.get("spec") or {}).get("volumes") or ()
    # One that names no source is empty at first, as Kubernetes makes it.
    return {each["name"]: each for each in found if len(each) == 1 or {*MADE} & each.keys()}


def mounted(container: Mapping[str, Any]) -> set[str]:
    """Name the volumes that a container mounts."""
    return {mount["name"] for mount in container.get("volumeMounts") or ()}


def is_scratch(volume: Mapping[str, Any]) -> bool:
    """Tell whether a volume is empty at first, and the pod's to write in."""
    return EMPTY in volume or len(volume) == 1


def files(volume: Mapping[str, Any], data: ConfigData) -> dict[str, File] | None:
    """Give the files of a volume by their paths; None if what it is made of is not there."""
    whole = volume.get("projected")
    parts = [volume] if whole is None else whole.get("sources") or ()
    found: dict[str, File] = {}
    for part in parts:
        for name, kind in SOURCES.items():
            if (source := part.get(name)) is None:
                continue
            held = data.get(kind, _name_of(source))
            if held is None and not source.get("optional"):
                return None
            default = source.get("defaultMode", (whole or {}).get("defaultMode"))
            found |= _files(source, held or {}, default, kind)
    return found


def references(template: Mapping[str, Any]) -> Iterator[Reference]:
    """List all that a pod takes from ConfigMaps and Secrets."""
    spec = template.get("spec") or {}
    for place, volume in enumerate(spec.get("volumes") or ()):
        path: FieldPath = ("spec", "volumes", place)
        yield from _volume_references(volume, path)
        sources = (volume.get("projected") or {}).get("sources") or ()
        for number, source in enumerate(sources):
            yield from _volume_references(source, (*path, "projected", "sources", number))
    for place, container in enumerate(spec.get("containers") or ()):
        yield from container_references(container, ("spec", "containers", place))


def container_references(container: Mapping[str, Any], path: FieldPath) -> Iterator[Reference]:
    """List what the environment of a container takes from ConfigMaps and Secrets."""
    for place, source in enumerate(container.get("envFrom") or ()):
        for name, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
            if (found := source.get(name)) is not None:
                below = (*path, "envFrom", place, name)
                optional = bool(found.get("optional"))
                yield Reference(kind, found.get("name") or "", (), optional, below)
    for place, item in enumerate(container.get("env") or ()):
        for name, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
            if (found := (item.get("valueFrom") or {}).get(name)) is not None:
                below, keys = (*path, "env", place, "valueFrom", name), (found.get("key") or "",)
                optional = bool(found.get("optional"))
                yield Reference(kind, found.get("name") or "", keys, optional, below)


def problems(given: Sequence[Object], stored: Iterable[Object]) -> Iterator[Problem]:
    """Find what the given workloads take from a ConfigMap or a Secret that is not there."""
    every = {item.key: item for item in (*stored, *given)}
    for item in given:
        if not item.makes_pods or item.kind == "CronJob":
            continue
        data = ConfigData.of(every.values(), item.namespace)
        for each in references(item.pod_template):
            if images.is_spared(item, (*item.template_path, *each.path)):
                continue
            path = (*item.template_path, *each.path)
            held = data.get(each.kind, each.name)
            if each.optional:
                continue
            if held is None:
                message = f"there is no {each.kind} {item.namespace}/{each.name}"
                hint = "apply it together with this, or say optional: true"
                yield item.problem(message, *path, hint=hint)
            elif missing := [key for key in each.keys if key not in held]:
                message = f"{each.kind} {item.namespace}/{each.name} has no key {missing[0]}"
                hint = f"it has {', '.join(sorted(held)) or 'none'}"
                yield item.problem(message, *path, hint=hint)


def _content(item: Object) -> dict[str, bytes]:
    encoded = "binaryData" if item.kind == CONFIG_MAP else "data"
    content = {k: base64.b64decode(v) for k, v in (item.data.get(encoded) or {}).items()}
    if item.kind == CONFIG_MAP:
        content |= {k: v.encode() for k, v in (item.data.get("data") or {}).items()}
    return content


def _name_of(source: Mapping[str, Any]) -> str:
    """Name what a source is; a Secret's volume has a word of its own for it."""
    return str(source.get("secretName") or source.get("name") or "")


def _volume_references(source: Mapping[str, Any], path: FieldPath) -> Iterator[Reference]:
    for name, kind in SOURCES.items():
        if (found := source.get(name)) is not None:
            keys = tuple(item.get("key") or "" for item in found.get("items") or ())
            optional = bool(found.get("optional"))
            yield Reference(kind, _name_of(found), keys, optional, (*path, name))


def _files(
    source: Mapping[str, Any], held: Mapping[str, bytes], default: int | None, kind: str
) -> dict[str, File]:
    usual = SECRET_MODE if kind == SECRET else CONFIG_MODE
    wanted = source.get("items") or [{"key": key, "path": key} for key in held]
    found = {}
    for item in wanted:
        if item["key"] in held:
            mode = item.get("mode", usual if default is None else default)
            limit = OWN_MODE if kind == SECRET else 0o777
            found[item["path"]] = File(held[item["key"]], mode & limit)
    return found


def _all_of(source: Mapping[str, Any], data: ConfigData) -> Iterator[tuple[str, str]]:
    """Give what an ``envFrom`` takes, but for what no environment can hold."""
    for name, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
        if found := source.get(name):
            for key, value in (data.get(kind, found.get("name") or "") or {}).items():
                if "=" not in key and b"\0" not in value:
                    yield key, _text(value)


def _value(source: Mapping[str, Any], data: ConfigData, pod: PlannedPod | None) -> str | None:
    for name, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if found := source.get(name):
            value = (data.get(kind, found.get("name") or "") or {}).get(found.get("key") or "")
            return None if value is None or b"\0" in value else _text(value)
    path = (source.get("fieldRef") or {}).get("fieldPath") or ""
    return _field(path, pod) if pod else None


def _field(path: str, pod: PlannedPod) -> str | None:
    """Give what ``fieldRef`` says of a pod; None for what the local engine does not know."""
    spec: Any = pod.template.get("spec") or {}
    known = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "spec.serviceAccountName": spec.get("serviceAccountName") or "default",
        **dict.fromkeys(ADDRESS_FIELDS, LOOPBACK),
    }
    if tag := TAG.fullmatch(path):
        metadata: Any = pod.template.get("metadata") or {}
        values = pod.labels if tag[1] == "labels" else metadata.get("annotations") or {}
        return str(values.get(tag[2], ""))
    return known.get(path)


def _text(value: bytes) -> str:
    # As it is: an environment holds bytes, and Python writes such text back as the same ones.
    return value.decode(errors="surrogateescape")


ADDRESS_FIELDS = ("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs")
"""All that runs here is on loopback."""
