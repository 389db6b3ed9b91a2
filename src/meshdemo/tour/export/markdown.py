"""Pages in Markdown: one for each lesson, and beside it the lesson's files and its check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.tour import lessons
from meshdemo.tour.export import parts
from meshdemo.walkthrough import bundled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.words import Words

START = "start.yaml"
VERIFY = """\
#!/bin/sh
# Is lesson {number} passed? 0: yes; 1: not yet. Say --context NAME for a cluster.
exec meshdemo test --live "$(dirname "$0")/check.meshtest.yaml" "$@"
"""


def files(every: tuple[Lesson, ...], words: Words) -> Iterator[tuple[str, str]]:
    """Give the pages, a table of contents, and for each lesson a folder with its files."""
    yield "README.md", "".join(_contents(every, words))
    for lesson in every:
        folder = lesson.folder.name
        yield f"{folder}.md", _page(lesson, folder, words)
        yield f"{folder}/verify.sh", VERIFY.format(number=lesson.number)
        if lesson.start is None:
            (app,) = bundled.paths((bundled.APP_MANIFEST,))
            yield f"{folder}/{START}", Path(app).read_text(encoding="utf-8")
        for file in sorted(lesson.folder.glob("*.yaml")):
            text = file.read_text(encoding="utf-8")
            if file == lesson.check:  # nobody remembers steps there: the last one counts
                text = text.rpartition("\n---\n")[2]
            yield f"{folder}/{file.name}", text


def _contents(every: tuple[Lesson, ...], words: Words) -> Iterator[str]:
    yield f"# {words('export, title')}\n"
    for track in lessons.TRACKS:
        yield f"\n## {words(track)}\n\n"
        for lesson in every:
            if lesson.track == track:
                title = lesson.title(words.language)
                yield f"{lesson.number}. [{title}]({lesson.folder.name}.md)\n"


def _page(lesson: Lesson, folder: str, words: Words) -> str:
    file, bare = f"`{folder}/rules.yaml`", f"{folder}/rules.yaml"
    own = lesson.start and not parts.holds_objects(lesson.start)
    up = f"meshdemo up --no-verify -f {folder}/{START} -f {bare}"
    begin = ["meshdemo down"] if own else ["meshdemo down", up]
    apply = f"meshdemo route -f {bare}" if own else up
    sections = [
        f"# {words('lesson', number=lesson.number, title=lesson.title(words.language))}",
        words("export, begin"),
        parts.console(begin),
        parts.with_file(lesson.text(words.language), file, bare),
        words("export, apply"),
        parts.console([apply, f"sh {folder}/verify.sh"]),
        *parts.folded(lesson, words, file),
    ]
    return "\n\n".join(sections) + "\n"
