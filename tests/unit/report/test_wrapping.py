"""Sentences in lines for a screen: no word is broken, and a command stays one that can be typed."""

from __future__ import annotations

import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshdemo.report.commands import Commands, joined, plain
from meshdemo.report.wrapping import with_reasons, wrapped

COMMANDS = Commands(
    ("up", "down", "logs", "verify", "exec"), ".venv/bin/meshdemo", "--context 'my own' -n demo"
)
WORDS = st.text(st.sampled_from("abcABC=/.,;-é"), min_size=1, max_size=12)
QUOTED = WORDS.map(lambda word: f"'{word} {word}'")
WIDTHS = st.integers(20, 100)


@given(st.lists(WORDS, min_size=1), st.integers(0, 4), WIDTHS)
def test_no_word_is_lost_or_broken_and_no_line_is_too_long(
    words: list[str], indent: int, width: int
) -> None:
    lines = list(wrapped(" " * indent + " ".join(words), width))
    assert " ".join(lines).split() == words
    assert all(len(line) <= width for line in lines)
    assert all(line.startswith(" " * (indent + 2)) for line in lines[1:])


HAN = st.text(st.sampled_from("规则流量网格注入版本"), min_size=1, max_size=30)
MARKED = st.tuples(HAN, st.sampled_from("，。：；"), HAN).map("".join)


@given(st.lists(WORDS | HAN | MARKED, min_size=1), WIDTHS)
def test_chinese_is_broken_between_any_two_characters_that_take_two_columns_each(
    parts: list[str], width: int
) -> None:
    text = " ".join(parts)
    lines = list(wrapped(text, width))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert sum(1 if each.isascii() or each == "é" else 2 for each in line) <= width
        assert line.lstrip()[0] not in "，。：；"


@given(st.lists(WORDS | QUOTED, min_size=1), WIDTHS)
def test_a_command_that_is_broken_is_the_same_to_a_shell(words: list[str], width: int) -> None:
    command = " ".join(["meshdemo", *words])
    lines = list(wrapped(joined(command), width))
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(command)
    assert all(len(line) <= width or len(line.split()) < 4 for line in lines)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Begin again. Type: meshdemo up", "meshdemo up"),
        ("Whatever has happened to it, `meshdemo down` again.", "meshdemo down"),
        ("Of all that is there: meshdemo down removes what is ours.", "meshdemo down"),
        ("It says why it has ended: meshdemo logs app-v1 -c istio-proxy.", "meshdemo logs"),
        ("Say which: meshdemo verify --url URL --expect v1=90%,v2=10%, for", None),
        ("As in: meshdemo exec -- curl -s http://app/env/version", None),
        ("Somebody has scaled it down. kubectl -n istio-system get pods", None),
    ],
)
@pytest.mark.parametrize("width", [80, 60, 40])
def test_a_command_in_a_sentence_is_in_one_line_or_goes_on_as_a_shell_wants_it(
    text: str, command: str | None, width: int
) -> None:
    command = command or re.split(r": |\. ", text)[-1].partition(", ")[0]
    spelled = COMMANDS.spell(command)
    shown = "\n".join(wrapped(COMMANDS.mark(text), width))
    assert spelled in re.sub(r" \\\n +", " ", shown)
    assert shown.replace("\\\n", "").split() == COMMANDS.spell(text).split()


def test_a_unit_stays_with_its_number() -> None:
    for width in range(20, 60):
        lines = list(wrapped("a real 88.1 to 91.8 % would pass, it took 200 ms (0.35 s)", width))
        assert not any(re.match(r"\s*(%|m?s\b)", line) for line in lines)


def test_colours_take_no_room() -> None:
    assert len(list(wrapped("\x1b[32mgreen\x1b[0m and more of it", 22))) == 1


def test_without_a_terminal_a_sentence_is_one_line() -> None:
    assert list(wrapped(COMMANDS.mark("word " * 99 + "meshdemo up"), None)) == [
        COMMANDS.spell("word " * 99 + "meshdemo up")
    ]


@pytest.mark.parametrize("width", [None, 120, 80, 40])
def test_commands_stand_beside_their_reasons_or_below_them(width: int | None) -> None:
    rows = [(COMMANDS.spell("meshdemo up --dry-run"), "a script"), ("meshdemo verify", "")]
    lines = list(with_reasons(rows, width))
    script = "\n".join(lines).replace("\\\n", "")
    typed = shlex.split(re.sub(r" *# .*", "", script))
    assert typed == shlex.split(" ".join(command for command, _ in rows))
    assert script.count("# a script") == 1
    assert "# \n" not in f"{script}\n"


def test_marks_never_reach_the_reader() -> None:
    assert plain(joined("a 'b c' d")) == "a 'b c' d"
