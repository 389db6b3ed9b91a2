"""Check the links within the READMEs and docs/: that each file and each heading is there.

    make check

It takes no build of the site. Links to other hosts are not followed. Exit status 1 names each
link that leads nowhere, with file and line.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
ELSEWHERE = re.compile(r"[a-z]+:")
"""A link with a scheme, as https: has one."""


def pages(root: Path) -> list[Path]:
    """Give the files whose links are checked."""
    return [*sorted(root.glob("README*.md")), *sorted(root.glob("docs/**/*.md"))]


@cache
def tokens(page: Path) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(page.read_text(encoding="utf-8"))


@cache
def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings, as GitHub and MyST name them."""
    titles = [
        "".join(child.content for child in inline.children or ())
        for heading, inline in pairwise(tokens(page))
        if heading.type == "heading_open"
    ]
    found: set[str] = set()
    for title in titles:
        slug = re.sub(r"[^\w\u4e00-\u9fff\- ]", "", title.strip().lower()).replace(" ", "-")
        number = next(n for n in range(len(titles)) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Give each link and image of a page with its line."""
    for token in tokens(page):
        for child in token.children or ():
            if target := child.attrGet("href") or child.attrGet("src"):
                yield (token.map or [0])[0] + 1, str(target)


def wrong(page: Path, target: str) -> str:
    """Say what is wrong with a link; nothing if it leads somewhere, or to another host."""
    if ELSEWHERE.match(target):
        return ""
    path, _, anchor = unquote(target).partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return f"there is no {path}"
    if anchor and (file.suffix != ".md" or anchor not in anchors(file)):
        return f"{file.name} has no heading #{anchor}"
    return ""


def main(root: Path) -> int:
    """Print each link that leads nowhere, and give the exit status."""
    found = [
        f"{page.relative_to(root)}:{line}: {target}: {why}"
        for page in pages(root)
        for line, target in links(page)
        if (why := wrong(page, target))
    ]
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT))
