"""Asks Envoy whether it takes translated resources, without running it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from meshdemo.engines.local.envoy import binary, validation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from meshdemo.engines.local.translate import Config


def validate(
    configs: Iterable[tuple[str, Config]], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Give what Envoy says of many configurations at once, each with a name of its own."""
    said = validation.validate(binary.find().path, configs, folder)
    return subprocess.CompletedProcess(said.argv, said.code, said.stdout, said.stderr)
