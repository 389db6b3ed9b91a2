"""What the user asked for on every command, as one frozen value that is passed down."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec import Struct, field

from meshdemo.errors import EnvironmentFailed

KUBECONFIG = "~/.kube/config"
"""The kubeconfig where the environment names none, as for kubectl."""
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
"""A label by RFC 1123, as Kubernetes wants it."""


def is_namespace(name: str) -> bool:
    """Tell whether a namespace may have this name."""
    return bool(_NAMESPACE.fullmatch(name))


def state_folder(given: str = "") -> Path:
    """Say where a run is recorded: the folder given, else after the XDG base directory spec.

    Where it cannot be found, for want of a home folder, it stays as it was written: only who uses
    it fails, by ``expand``.
    """
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    chosen = Path(given or os.environ.get("MESHDEMO_STATE_DIR") or f"{base}/meshdemo")
    try:
        return absolute(expand(chosen))
    except EnvironmentFailed:
        return chosen


def expand(path: Path | str, hint: str = "Write it without ~.") -> Path:
    """Give a path with the home folder that its ``~`` stands for, as in a shell.

    Raises EnvironmentFailed where there is none: in a container with a user id of its own there
    is often neither HOME nor an entry in the password database.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = Path(path).parts[0][1:]
        why = f"there is no user {user}" if user else "HOME is not set, and your user has no home"
        raise EnvironmentFailed(f"{path} cannot be used here: {why}", hint=hint) from error


def state_place(folder: Path | str) -> Path:
    """Give a state directory from the top. Raises EnvironmentFailed as ``expand``."""
    return absolute(expand(folder, "Name one with --state-dir, or MESHDEMO_STATE_DIR."))


def absolute(path: Path | str) -> Path:
    """Give a path from the top. Raises EnvironmentFailed if it begins in a folder that is gone."""
    try:
        return Path(path).absolute()
    except OSError as error:
        message = f"the folder you are in is not there any more, so {path} cannot be used"
        raise EnvironmentFailed(message, hint="Change to a folder that is there.") from error


class Settings(Struct, frozen=True):
    """The shared options, as the user gave them; None where nothing was said."""

    engine: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    recorded_namespace: str | None = None
    """That of the recorded run, if the cluster comes from there; ``namespace`` goes before it."""
    state_dir: Path = field(default_factory=state_folder)
    timeout: float = 300.0
    """Seconds that one step may wait for; istioctl's own readiness timeout is as long."""
    istioctl: str | None = None
    """The istioctl to use; None means to look for one."""
    adopt: bool = False
    """Take over objects that somebody else created; they are never deleted."""
    force_conflicts: bool = False
    """Set fields that others have set to other values; without it they are named, and kept."""
    sender: str = ""
    """The labels of the pod that sends requests; empty for the test client."""
    output: str = "table"
    quiet: bool = False
    verbose: bool = False

    @property
    def place(self) -> str | None:
        """The namespace to work in; None means the context's own."""
        return self.namespace or self.recorded_namespace
