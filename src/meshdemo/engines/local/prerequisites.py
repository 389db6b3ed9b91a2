"""What the local engine needs from this machine, as named facts."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import TYPE_CHECKING

from meshdemo.engines import run_record
from meshdemo.engines.local import inotify
from meshdemo.engines.local.envoy import binary
from meshdemo.engines.local.pods import ports
from meshdemo.engines.local.processes.configuration import as_value
from meshdemo.engines.results import Check
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.engines.local.store import Store

WALKTHROUGH_ENVOYS = 3
SUPPORTED_SYSTEMS = ("Linux", "Darwin")


def checks(store: Store) -> Iterator[Check]:
    """Look at everything; nothing is changed."""
    yield _platform()
    yield from _envoy()
    yield _supervisor()
    yield from _state(store)
    yield _ports()
    if inotify.granted():
        yield _watchers()


def _platform() -> Check:
    system = platform.system()
    detail = f"{system} {platform.machine()}, Python {platform.python_version()}"
    return Check(
        "the platform is supported", system in SUPPORTED_SYSTEMS, detail, "Use Linux or macOS."
    )


def _envoy() -> Iterator[Check]:
    try:
        found = binary.find()
    except EnvironmentFailed as error:
        yield Check("Envoy runs", ok=False, detail=error.message, hint=error.hint)
        return
    yield Check("Envoy runs", ok=True, detail=f"{found.version}, {found.path} ({found.source})")


def _supervisor() -> Check:
    try:
        version = metadata.version("supervisor")
    except metadata.PackageNotFoundError:
        hint = "Install meshdemo again: pip install meshdemo"
        return Check("supervisor is installed", ok=False, hint=hint)
    return Check("supervisor is installed", ok=True, detail=version)


def _state(store: Store) -> Iterator[Check]:
    name = "the state directory can be written"
    try:
        run_record.check(store.folder)
        as_value(store.folder)
        yield Check(name, ok=True, detail=str(store.folder))
    except EnvironmentFailed as error:
        yield Check(name, ok=False, detail=error.message, hint=error.hint)
        return
    try:
        store.run(), store.objects(), store.plan()
    except EnvironmentFailed as error:
        yield Check("its files are whole", ok=False, detail=error.message, hint=error.hint)


def _ports() -> Check:
    low, high = ports.ephemeral_range()
    choice = ports.candidates(low, high)
    enough = sum(ports.is_free(port) for port in choice[:: max(1, len(choice) // 50)])
    detail = f"{choice[0]} to {choice[-1]}; the kernel's own are {low} to {high}"
    hint = "" if enough else "Stop what occupies them."
    return Check("ports are available", bool(enough), detail, hint)


def _watchers() -> Check:
    needed = inotify.PER_ENVOY * WALKTHROUGH_ENVOYS
    free = inotify.free_watchers(needed)
    counted = f"{inotify.granted():,} for a user, {inotify.in_use():,} in use"
    detail = f"{counted}; a sidecar takes {inotify.PER_ENVOY}"
    hint = "" if free >= needed else inotify.advice(needed - free)
    return Check("Envoy can watch its files by inotify", free >= needed, detail, hint)
