"""The page, put together from the files beside this one; and the policy that lets nothing else run.

Served, it is live. As a file of its own it holds a recording, and asks nobody for anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshdemo.ui.encoding import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent
BOTH = ("words.js", "scene.js", "dots.js", "line.js", "replay.js")
LIVE = (*BOTH, "levers.js", "live.js", "start.js")
EXPORTED = (*BOTH, "export.js", "start.js")
CONNECTS, ASKS_NOBODY = "connect-src 'self'", "connect-src 'none'"
_PARTS = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def page(language: str = "en") -> bytes:
    """Give the whole page. Nothing of the mesh is in it: that comes as data."""
    text = _put_together(LIVE, language)
    return text.replace("<!--policy-->\n", "").replace("<!--recording-->\n", "").encode()


@cache
def policy() -> str:
    """Give the served page's content security policy (W3C, CSP Level 3)."""
    return f"{_policy(page().decode(), CONNECTS)}; frame-ancestors 'none'"


def exported(recording: Mapping[str, Any], language: str = "en") -> bytes:
    """Give a page that holds a recording, for a file of its own.

    What the recording says is data in it, and no text of it can end the element that it is in.
    """
    text = _put_together(EXPORTED, language)
    policy = _policy(text, ASKS_NOBODY)
    meta = f'<meta http-equiv="content-security-policy" content="{policy}">'
    said = encoded(recording).decode()
    for character in "<>&\u2028\u2029":
        said = said.replace(character, f"\\u{ord(character):04x}")
    data = f'<script id="recording" type="application/json">{said}</script>'
    return text.replace("<!--policy-->", meta).replace("<!--recording-->", data).encode()


def _put_together(scripts: tuple[str, ...], language: str) -> str:
    script = "".join(_read(name) for name in scripts)
    lang = "zh-CN" if language == "zh" else language
    return (
        _read("index.html")
        .replace('<html lang="en">', f'<html lang="{lang}">')
        .replace("<style></style>", f"<style>\n{_read('page.css')}</style>")
        .replace("<script></script>", f"<script>\n{script}</script>")
    )


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _policy(text: str, connecting: str) -> str:
    """Let each script and style act by its hash, and nothing else."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, part in _PARTS.findall(text):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(hashes['script'])}",
            f"style-src {' '.join(hashes['style'])}",
            connecting,
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )
