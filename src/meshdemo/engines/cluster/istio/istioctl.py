"""istioctl: where it is, and what we ask of it. Every call has a time limit of ours.

Without an API server that answers, several of its commands wait for ten minutes.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from meshdemo.engines.cluster.istio.releases import PINNED, Release, can_be_fetched, release_of
from meshdemo.errors import EnvironmentFailed, Problem
from meshdemo.settings import absolute, expand
from meshdemo.system import shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from meshdemo.engines.options import MeshOptions

ISTIOCTL_VARIABLE = "MESHDEMO_ISTIOCTL"
DEFAULT_NAMESPACE = "istio-system"
DEFAULT_REVISION = "default"
VERSION_SECONDS = 20
"""How long it may take to say its own version: a first read of 100 MB from a slow disk."""
ASK_SECONDS = 30
"""How long a question to the cluster may take; with a cluster that answers it is below one."""
ANALYZE_SECONDS = 10
"""How long an analysis may take, which nobody waits for; half a second is usual."""
UNKNOWN_FLAG = "unknown shorthand flag"
"""What a release says of ``-o`` whose proxy-status knows only a table."""
APPLY_SECONDS = 60
"""What an install takes beside waiting: fetching nothing, it applies a few hundred objects."""


class Found(Struct, frozen=True):
    """A program that says it is istioctl."""

    path: str
    source: str
    """Where it was found: an option, the variable, PATH or our own cache."""
    version: str
    release: Release


class Versions(Struct, frozen=True):
    """What runs in the cluster, as istiod and its proxies say."""

    mesh: tuple[str, ...]
    proxies: tuple[str, ...]


def find(
    chosen: str | None = None, environment: Mapping[str, str] = os.environ, mesh: str = ""
) -> Found:
    """Find istioctl and ask it for its version; ``mesh`` is that of the Istio that is there.

    Raises EnvironmentFailed, with the ways out.
    """
    for path, source in _places(chosen, environment):
        return probe(path, source, mesh)
    raise EnvironmentFailed("istioctl is not there", hint=ways_out(mesh))


def foremost(environment: Mapping[str, str] = os.environ) -> tuple[Path, str] | None:
    """Give the path and the source of the istioctl that is taken unless one is named."""
    if named := environment.get(ISTIOCTL_VARIABLE):
        return absolute(expand(named)), ISTIOCTL_VARIABLE
    return next(_places(None, environment), None)


def probe(path: Path, source: str, mesh: str = "") -> Found:
    """Ask a program for its version, once in a run; no cluster is asked."""
    # The hint depends on the mesh, what the program says does not: only that is kept.
    found = _probed(path, source)
    if isinstance(found, str):
        raise EnvironmentFailed(found, hint=ways_out(mesh, instead=True, of=path))
    return found


@cache
def _probed(path: Path, source: str) -> Found | str:
    """Give what was found out, or what is wrong: one that hangs is waited for only once."""
    argv = [str(path), "version", "--remote=false", "-o", "json"]
    try:
        said = shell.run(argv, timeout=VERSION_SECONDS).stdout
    except shell.CommandFailed as error:
        return f"istioctl does not run: {error.message}"
    version = str(_object(said).get("clientVersion", {}).get("version", ""))
    release = release_of(version)
    if release is None:
        return f"{path} is not istioctl: its version is {said.strip()[:200]!r}"
    return Found(str(path), source, version, release)


def ways_out(mesh: str = "", *, instead: bool = False, of: Path | None = None) -> str:
    """Say how to come by an istioctl, one that fits the Istio that is there.

    ``instead``: one is there, and does not do; then another one must be named, as what was
    fetched is looked for last.
    """
    from meshdemo.engines.cluster.istio import download  # noqa: PLC0415 - few come so far

    version = mesh if can_be_fetched(mesh) else PINNED
    fetch = f"meshdemo install --download-istioctl {version}"
    if not instead:
        return (
            f"Type: {fetch}. Or name one with --istioctl or {ISTIOCTL_VARIABLE}, or put it on PATH."
        )
    try:
        place = download.place(version)
    except EnvironmentFailed as error:
        return f"Name another with --istioctl or {ISTIOCTL_VARIABLE}. To fetch one: {error.hint}"
    name = f"name it, by --istioctl {place} or {ISTIOCTL_VARIABLE}={place}"
    if place == of:
        return f"Remove that file. Then type: {fetch}; and {name}"
    return f"It was fetched before: {name}" if place.exists() else f"Type: {fetch}; then {name}"


def _places(chosen: str | None, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for name, source in (
        (chosen, "--istioctl"),
        (environment.get(ISTIOCTL_VARIABLE), ISTIOCTL_VARIABLE),
    ):
        if name:
            path = expand(name)
            if not shell.is_executable(path):
                message = f"{source} names {name}, which is not an executable file"
                raise EnvironmentFailed(message, hint=ways_out(instead=True))
            yield absolute(path), source
    if found := shutil.which("istioctl", path=environment.get("PATH")):
        yield absolute(found), "PATH"
    from meshdemo.engines.cluster.istio import download  # noqa: PLC0415 - few come so far

    try:
        cached = download.newest(download.cache(environment))
    except EnvironmentFailed:  # without a home folder nothing was fetched
        return
    if cached:
        yield cached, "meshdemo's cache"


class Istioctl(Struct, frozen=True):
    """istioctl for one cluster and one control plane."""

    found: Found
    cluster: tuple[str, ...] = ()
    """Its flags that choose the cluster: ``--kubeconfig``, ``--context``."""
    namespace: str = DEFAULT_NAMESPACE
    """Where istiod lives."""
    revision: str = DEFAULT_REVISION

    def versions(self, timeout: float = ASK_SECONDS) -> Versions:
        """Ask istiod, and through it the proxies, for their versions."""
        with self.asking_versions(timeout) as answer:
            return answer()

    @contextmanager
    def asking_versions(self, timeout: float = ASK_SECONDS) -> Iterator[Callable[[], Versions]]:
        """Ask for the versions while something else is done; the value waits for the answer."""
        with shell.beside(self._argv("version", "-o", "json"), timeout=timeout) as ended:
            yield lambda: _versions(ended().stdout)

    def install(self, options: MeshOptions, timeout: float) -> Iterator[str]:
        """Install Istio; give what it says, as it comes. It waits for its own Deployments."""
        # Without it istioctl gives up after 5 minutes, whatever --timeout says.
        wait = ["--readiness-timeout", f"{timeout:g}s"]
        argv = [*self._argv("install"), "-y", *options.arguments, *wait]
        return _without_logo(shell.stream(argv, timeout=timeout + APPLY_SECONDS))

    def verify_install(self) -> shell.Result:
        """Run the check of releases that have one; its exit status is the caller's to judge."""
        return self._run("verify-install", timeout=ASK_SECONDS, check=False)

    def uninstall(self, *, purge: bool, timeout: float) -> Iterator[str]:
        """Remove this revision, or with ``purge`` all of Istio, CRDs and everybody's rules too."""
        what = ["--purge"] if purge else ["--revision", self.revision]
        argv = [*self._argv(*self.found.release.uninstall), "-y", *what]
        return _without_logo(shell.stream(argv, timeout=timeout))

    def kube_inject(self, manifests: str, timeout: float = ASK_SECONDS) -> str:
        """Give YAML with sidecars, as this control plane makes them."""
        # Unless it is told the revision, istioctl 1.28 and later asks the cluster for the default
        # one, and waits for its cache to fill.
        named = self.revision != DEFAULT_REVISION or self.found.release.wants_revision
        revision = ["-r", self.revision] if named else []
        argv = ["kube-inject", *revision, "-f", "-"]
        return self._run(*argv, timeout=timeout, stdin=manifests).stdout

    def analyze(
        self, namespace: str, manifests: str = "", timeout: float = ANALYZE_SECONDS
    ) -> tuple[Problem, ...]:
        """Judge what is in a namespace, and YAML with it: what Istio accepts but finds odd.

        Its exit status is 0 whatever it finds: only its JSON says it.
        """
        argv = ["analyze", "-o", "json", "-n", namespace, *(["-"] if manifests else [])]
        said = self._run(*argv, timeout=timeout, stdin=manifests, check=False)
        try:
            messages = json.loads(said.stdout)
        except ValueError as error:
            raise shell.CommandFailed(said.argv, "said no JSON", said.stderr) from error
        # Info is about style: a port without a protocol in its name, a namespace without injection.
        return tuple(_finding(item) for item in messages if item.get("level") != "Info")

    def proxy_status(self, namespace: str, timeout: float = ANALYZE_SECONDS) -> str:
        """Ask istiod how far the sidecars of a namespace have what it sends: JSON, or a table."""
        argv = ["proxy-status", "-n", namespace]
        try:
            return self._run(*argv, "-o", "json", timeout=timeout).stdout
        except shell.CommandFailed as error:
            if UNKNOWN_FLAG not in error.output:
                raise
        return self._run(*argv, timeout=timeout).stdout

    def images(self, options: MeshOptions) -> tuple[str, ...]:
        """Name the images of the Istio that ``install`` would install; no cluster is asked."""
        argv = [self.found.path, "manifest", "generate", *options.arguments]
        said = shell.run(argv, timeout=ASK_SECONDS).stdout
        return images_of(list(yaml.safe_load_all(said)))

    def _argv(self, *command: str) -> list[str]:
        return [self.found.path, *command, *self.cluster, "--istioNamespace", self.namespace]

    def _run(
        self, *command: str, timeout: float, stdin: str | None = None, check: bool = True
    ) -> shell.Result:
        return shell.run(self._argv(*command), timeout=timeout, stdin=stdin or "", check=check)


def images_of(objects: Sequence[Any]) -> tuple[str, ...]:
    """List the images in manifests of Istio: those of its pods, and the sidecar's."""
    found: list[str] = []
    for item in filter(None, objects):
        pod = ((item.get("spec") or {}).get("template") or {}).get("spec") or {}
        every = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
        found += [container.get("image", "") for container in every]
        if item.get("kind") == "ConfigMap" and "values" in (item.get("data") or {}):
            found.append(sidecar_image(item))
    return tuple(dict.fromkeys(image for image in found if image and image != "auto"))


def sidecar_image(injector: Mapping[str, Any]) -> str:
    """Give the image of the sidecars that a ConfigMap ``istio-sidecar-injector`` makes."""
    settings = _object((injector.get("data") or {}).get("values", "")).get("global", {})
    image = str(settings.get("proxy", {}).get("image", ""))
    # A bare name is completed from hub and tag, as the injection template does it.
    if not image or "/" in image:
        return image
    variant = settings.get("variant")
    tag = f"{settings.get('tag')}-{variant}" if variant else settings.get("tag")
    return f"{settings.get('hub')}/{image}:{tag}"


def _versions(said: str) -> Versions:
    answer = _object(said)
    mesh = tuple(item["Info"]["version"] for item in answer.get("meshVersion") or ())
    proxies = {item["IstioVersion"] for item in answer.get("dataPlaneVersion") or ()}
    return Versions(mesh, tuple(sorted(proxies)))


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _finding(message: Mapping[str, Any]) -> Problem:
    file, _, line = str(message.get("reference", "")).rpartition(":")
    return Problem(
        str(message.get("message", "")),
        file=file,
        line=int(line) if line.isdigit() else 0,
        subject=str(message.get("origin", "")),
        code=str(message.get("code", "")),
    )


def _without_logo(lines: Iterator[str]) -> Iterator[str]:
    """Leave out the sail that newer releases draw, and empty lines."""
    return (line for line in lines if line.strip(" |\\/_"))
