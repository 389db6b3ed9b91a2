"""Scenarios for killercoda: one for each track, whose steps are the lessons.

They run on the local engine, in a machine without a cluster; each step puts its starting state in
force in the background, and its script asks the mesh whether the lesson is passed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshdemo import __version__
from meshdemo.tour import lessons
from meshdemo.tour.export import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshdemo.tour.lessons import Lesson
    from meshdemo.tour.words import Words

IMAGE = "ubuntu"
STATE = "/root/meshdemo"
READY = "/tmp/meshdemo.ready"  # noqa: S108 - of a machine that is the learner's alone


def _environment(language: str) -> str:
    """Say where the state is, and which language is spoken; who runs a script may say another."""
    return (
        f'export MESHDEMO_STATE_DIR="${{MESHDEMO_STATE_DIR:-{STATE}}}" MESHDEMO_LANG={language}\n'
    )


def _install(language: str) -> str:
    """Write the script that sets meshdemo up, in an environment of its own."""
    return f"""\
#!/bin/bash
# What pip installs: another version, a wheel's URL, or git+https://...
package="${{MESHDEMO_PACKAGE:-meshdemo=={__version__}}}"
set -e
echo 'export MESHDEMO_STATE_DIR={STATE} MESHDEMO_LANG={language}' >> /root/.bashrc
if ! python3 -c 'import ensurepip' 2>/dev/null; then
  apt-get update -qq && apt-get install -y -qq python3-venv
fi
python3 -m venv /opt/meshdemo
/opt/meshdemo/bin/pip install --quiet --disable-pip-version-check "$package"
ln -sf /opt/meshdemo/bin/meshdemo /usr/local/bin/meshdemo
touch {READY}
"""


def _wait(language: str) -> str:
    """Write the beginning of a script that needs meshdemo."""
    wait = f"while ! test -f {READY}; do sleep 0.5; done"
    return f"#!/bin/bash\n{wait}\n{_environment(language)}"


def _verify(number: int, language: str) -> str:
    """Write the script that asks whether a lesson is passed."""
    asked = f"# Is lesson {number} passed? 0: yes; 1: not yet."
    return f"#!/bin/bash\n{asked}\n{_environment(language)}exec meshdemo tour check {number}\n"


def files(every: tuple[Lesson, ...], words: Words) -> Iterator[tuple[str, str]]:
    """Give the files of all scenarios."""
    yield "structure.json", _json({"items": [{"path": track} for track in lessons.TRACKS]})
    for track in lessons.TRACKS:
        there = [lesson for lesson in every if lesson.track == track]
        for name, text in _scenario(track, there, words):
            yield f"{track}/{name}", text


def _scenario(track: str, there: list[Lesson], words: Words) -> Iterator[tuple[str, str]]:
    language = words.language
    steps = []
    yield "intro/text.md", f"# {words('export, title')}\n\n{words('export, intro')}\n"
    yield "intro/background.sh", _install(language)
    yield "intro/foreground.sh", _wait(language) + "clear; meshdemo version\n"
    for number, lesson in enumerate(there, 1):
        step = f"step{number}"
        begin = f"meshdemo tour goto {lesson.number}"
        yield f"{step}/text.md", _text(lesson, words)
        yield f"{step}/background.sh", _wait(language) + f"{begin} --quiet\n"
        yield f"{step}/foreground.sh", _wait(language) + "clear\n"
        yield f"{step}/verify.sh", _verify(lesson.number, language)
        scripts = {name: f"{step}/{name}.sh" for name in ("background", "foreground", "verify")}
        steps.append({"title": lesson.title(language), "text": f"{step}/text.md", **scripts})
    yield "finish/text.md", f"{words('export, finish')}\n"
    intro = {
        "title": words("export, title"),
        "text": "intro/text.md",
        "background": "intro/background.sh",
        "foreground": "intro/foreground.sh",
    }
    yield (
        "index.json",
        _json(
            {
                "title": f"{words('export, title')}: {words(track)}",
                "description": words("export, about"),
                "details": {"intro": intro, "steps": steps, "finish": {"text": "finish/text.md"}},
                "backend": {"imageid": IMAGE},
                "interface": {"layout": "ide"},
            }
        ),
    )


def _text(lesson: Lesson, words: Words) -> str:
    """Write a step: commands run with a click, hints and solution unfold."""
    bare = f"{STATE}/tour/{lesson.name}.yaml"
    text = parts.with_file(lesson.text(words.language), f"`{bare}`", bare)
    sections = [
        f"# {lesson.title(words.language)}",
        parts.BLOCK.sub(lambda found: _clickable(found[1], found[2]), text),
        words("your file", file=f"`{bare}`"),
        *parts.folded(lesson, words, f"`{bare}`"),
    ]
    return "\n\n".join(sections) + "\n"


def _clickable(kind: str, text: str) -> str:
    """Give a block; each command of a console is one that a click runs."""
    if kind != "console":
        return f"```{kind}\n{text}```"
    commands = [line.removeprefix("$ ") for line in text.splitlines()]
    return "\n\n".join(f"```plain\n{command}\n```{{{{exec}}}}" for command in commands)


def _json(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
