"""Where the files are that several tests read."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("meshdemo")
"""The installed command."""
MANIFESTS = ROOT / "manifests"
RECORDED_CASES = ROOT / "tests" / "fidelity" / "cases"
LOOPBACK_PEM = ROOT / "tests" / "loopback.pem"
"""Key and certificate of 127.0.0.1; they guard nothing."""
