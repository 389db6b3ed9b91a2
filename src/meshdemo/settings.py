"""What the user asked for on every command, as one frozen value that is passed down."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


def default_state_dir() -> Path:
    """Give the folder where a run is recorded, after the XDG base directory specification."""
    if chosen := os.environ.get("MESHDEMO_STATE_DIR"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "meshdemo"


@dataclass(frozen=True, slots=True)
class Settings:
    """The shared options, as the user gave them; None where nothing was said."""

    engine: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    recorded_namespace: str | None = None
    """That of the recorded run, if the cluster comes from there; ``namespace`` goes before it."""
    state_dir: Path = field(default_factory=default_state_dir)
    timeout: float = 300.0
    """Seconds that one step may wait for; istioctl's own readiness timeout is as long."""
    istioctl: str | None = None
    """The istioctl to use; None means to look for one."""
    adopt: bool = False
    """Take over objects that somebody else created; they are never deleted."""
    force_conflicts: bool = False
    """Set fields that others have set to other values; without it they are named, and kept."""
    output: str = "table"
    quiet: bool = False
    verbose: bool = False

    @property
    def place(self) -> str | None:
        """The namespace to work in; None means the context's own."""
        return self.namespace or self.recorded_namespace
