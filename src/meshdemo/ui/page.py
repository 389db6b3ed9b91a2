"""The page as it is served, and the policy that lets nothing run in it but its own script."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).with_name("page.html")
_PARTS = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def page() -> bytes:
    """Give the whole page. Nothing of the mesh is in it: that comes as data."""
    return PAGE.read_bytes()


@cache
def policy() -> str:
    """Give its content security policy (W3C, CSP Level 3): each script and style by its hash."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _PARTS.findall(page().decode()):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes['script'])}",
            f"style-src {' '.join(hashes['style'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
