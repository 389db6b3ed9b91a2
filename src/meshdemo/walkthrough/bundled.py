"""The walkthrough's own manifests, under the article's file names."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from meshdemo.errors import EnvironmentFailed
from meshdemo.objects import reading

if TYPE_CHECKING:
    from meshdemo.objects.model import Object

APP_MANIFEST = "app-istio.yaml"
CLIENT_MANIFEST = "test-client.yaml"
DESTINATION_RULE_MANIFEST = "app-destinationrule.yaml"
VIRTUAL_SERVICE_MANIFEST = "app-default-vs-v2.yaml"
WORKLOAD_MANIFESTS = (APP_MANIFEST, CLIENT_MANIFEST)
RULE_MANIFESTS = (DESTINATION_RULE_MANIFEST, VIRTUAL_SERVICE_MANIFEST)
MANIFESTS = (*WORKLOAD_MANIFESTS, *RULE_MANIFESTS)
RBAC_MANIFESTS = ("rbac/student.yaml", "rbac/ci-verify.yaml")
"""On a cluster: the rights that a student of a class needs, and a CI job that only verifies."""


def folder() -> Path:
    """Find the manifests: in the wheel inside the package, in a checkout beside ``src``."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_manifests", package.parents[1] / "manifests"):
        if (place / APP_MANIFEST).is_file():
            return place
    raise EnvironmentFailed(
        "the walkthrough's manifests are missing", hint="Install meshdemo anew."
    )


def paths(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the paths of some of them."""
    place = folder()
    return tuple(str(place / name) for name in names)


def read(names: tuple[str, ...], namespace: str) -> tuple[Object, ...]:
    """Read some of them, as objects that are in no file of the user's."""
    return tuple(replace(o, file="") for o in reading.read(paths(names), namespace=namespace))


def write(target: Path) -> dict[str, str]:
    """Write them all into a folder; say of each file whether it was created or is unchanged.

    A file that is there and differs is somebody's work: then nothing is written at all. Nor is
    anything left where not all could be written.
    """
    wanted = {name: (folder() / name).read_bytes() for name in (*MANIFESTS, *RBAC_MANIFESTS)}
    made: list[Path] = []
    try:
        found = _unchanged(target, wanted)
        for name, content in wanted.items():
            if name not in found:
                _write_new(target / name, content, made)
    except BaseException as error:  # a signal, too, may come half way
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            message = f"{target} cannot be written: {error.strerror}"
            raise EnvironmentFailed(message, hint="Nothing was written.") from error
        raise
    return {name: "unchanged" if name in found else "created" for name in wanted}


def _unchanged(target: Path, wanted: dict[str, bytes]) -> set[str]:
    """Name the files that already exist. Raises EnvironmentFailed if one differs."""
    found = {name: (target / name).read_bytes() for name in wanted if (target / name).exists()}
    if changed := [name for name in found if found[name] != wanted[name]]:
        message = f"{', '.join(changed)} in {target} already exists with other content"
        raise EnvironmentFailed(message, hint="Name another folder, or move the files away.")
    return set(found)


def _write_new(file: Path, content: bytes, made: list[Path]) -> None:
    """Write a file with the folders that it needs, and note each of them in ``made``."""
    for parent in reversed([path for path in file.parents if not path.exists()]):
        parent.mkdir()
        made.append(parent)
    with file.open("xb") as output:
        made.append(file)
        output.write(content)
