"""The walkthrough's own manifests, under the article's file names."""

from __future__ import annotations

from pathlib import Path

from meshdemo.errors import EnvironmentFailed

APP = "app-istio.yaml"
CLIENT = "test-client.yaml"
DESTINATION_RULE = "app-destinationrule.yaml"
VIRTUAL_SERVICE = "app-default-vs-v2.yaml"
WORKLOADS = (APP, CLIENT)
RULES = (DESTINATION_RULE, VIRTUAL_SERVICE)
NAMES = (*WORKLOADS, *RULES)
RIGHTS = ("rbac/student.yaml", "rbac/ci-verify.yaml")
"""On a cluster: the rights that a student of a class needs, and a CI job that only verifies."""


def folder() -> Path:
    """Find the manifests: in the wheel inside the package, in a checkout beside ``src``."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "_manifests", package.parents[1] / "manifests"):
        if (place / APP).is_file():
            return place
    raise EnvironmentFailed(
        "the walkthrough's manifests are missing", hint="Install meshdemo anew."
    )


def paths(names: tuple[str, ...]) -> tuple[str, ...]:
    """Give the paths of some of them."""
    place = folder()
    return tuple(str(place / name) for name in names)


def write(target: Path) -> dict[str, str]:
    """Write them all into a folder; say of each file whether it was created or is unchanged.

    A file that is there and differs is somebody's work: then nothing is written at all.
    """
    wanted = {name: (folder() / name).read_bytes() for name in (*NAMES, *RIGHTS)}
    try:
        found = {n: (target / n).read_bytes() for n in wanted if (target / n).exists()}
        if changed := [name for name in found if found[name] != wanted[name]]:
            message = f"{', '.join(changed)} in {target}: there already, with other content"
            raise EnvironmentFailed(message, hint="Name another folder, or move the files away.")
        for name, content in wanted.items():
            if name not in found:
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(content)
    except OSError as error:
        raise EnvironmentFailed(f"{target} cannot be written: {error.strerror}") from error
    return {name: "unchanged" if name in found else "created" for name in wanted}
