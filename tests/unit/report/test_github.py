"""What GitHub reads of us: workflow commands as its runner parses them, and the summary."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from meshdemo.errors import InputError, Problem
from meshdemo.report import github, github_results
from meshdemo.report.github import ERROR, NOTICE, WARNING, Annotation, Table, Told
from meshdemo.report.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MIB = 1024 * 1024
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as ActionCommand.TryParseV2 of GitHub's runner does."""
    assert line.startswith("::")
    head, _, data = line[2:].partition("::")
    name, _, rest = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in rest.split(",") if pair)
    return name, {key: plain(value, ":", ",") for key, value in properties.items()}, plain(data)


def plain(text: str, *more: str) -> str:
    """Undo the escapes in the runner's order."""
    for char in ("\r", "\n", *more, "%"):
        text = text.replace(f"%{ord(char):02X}", char)
    return text


@given(title=ANY_TEXT.filter(bool), message=ANY_TEXT)
def test_the_runner_reads_what_was_meant(title: str, message: str) -> None:
    line = Annotation(ERROR, title, message).command({})
    assert "\n" not in line
    assert "\r" not in line
    assert parsed(line) == ("error", {"title": title}, message)


def test_a_place_is_seen_from_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "repository" / "mesh"
    folder.mkdir(parents=True)
    (folder / "a,b:c.yaml").touch()
    (tmp_path / "outside.yaml").touch()
    monkeypatch.chdir(folder)
    environment = {"GITHUB_WORKSPACE": str(tmp_path / "repository")}
    for file, expected in (
        ("a,b:c.yaml", ({"title": "t", "file": "mesh/a,b:c.yaml", "line": "7"}, "m")),
        ("../../outside.yaml", ({"title": "t"}, "../../outside.yaml:7: m")),
        ("standard input", ({"title": "t"}, "standard input:7: m")),
    ):
        line = Annotation(WARNING, "t", "m", file, 7).command(environment)
        assert parsed(line)[1:] == expected


def test_ten_of_a_kind_are_printed_and_the_most_specific_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules.yaml").touch()
    nowhere = [Annotation(ERROR, f"nowhere {n}", "m") for n in range(8)]
    whole = [Annotation(ERROR, f"file {n}", "m", "rules.yaml") for n in range(3)]
    placed = [Annotation(ERROR, f"line {n}", "m", "rules.yaml", n + 1) for n in range(5)]
    noted = [Annotation(NOTICE, "note", "m"), Annotation(NOTICE, "note", "m")]
    found = list(github.shown([*noted, *nowhere, *whole, *placed], {}))
    assert found == [*placed, *whole, *nowhere[:2], noted[0]]


class Page(HTMLParser):
    """Reads the cells of a summary, and sees that each tag is one of ours."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self.tags.add(tag)
        if tag == "td":
            self.cells.append("")
        elif tag == "br" and self.cells:
            self.cells[-1] += "\n"

    def handle_data(self, data: str) -> None:
        if self.cells and self.lasttag in ("td", "br"):
            self.cells[-1] += data


HOSTILE = "<script>x</script> | [a](b) `c` **d** &amp; ::error::e\n\n# f"


def test_nothing_in_a_cell_is_markup() -> None:
    told = Told(HOSTILE, (), [Table(("head",), [(HOSTILE,)])], (HOSTILE,))
    text = github.summary(told, MIB, {})
    page = Page(text)
    assert page.tags == {"h3", "p", "br", "table", "tr", "th", "td"}
    assert page.cells[-1].rstrip() == HOSTILE
    table = text.partition("<table>")[2].partition("</table>")[0]
    assert "\n\n" not in table, "an empty line ends a block of HTML, and Markdown begins"


@given(count=st.integers(0, 3000), room=st.integers(2048, MIB), size=st.integers(0, 3000))
def test_a_summary_has_room_and_says_what_is_left_out(count: int, room: int, size: int) -> None:
    rows = [(f"row {n}", "é" * size) for n in range(count)]
    told = Told("title", (), [Table(("a", "b"), rows[:20]), Table(("c", "d"), rows[20:])])
    text = github.summary(told, room, {})
    assert len(text.encode()) <= room
    seen = len(re.findall("<tr><td>", text))
    said = re.search(r"([\d,]+) more rows have no room", text)
    assert seen + (int(said[1].replace(",", "")) if said else 0) == count
    assert [f"row {n}" in text for n in range(min(seen, 20))] == [True] * min(seen, 20)


def told_into(file: Path, told: Told) -> str:
    out = io.StringIO()
    github.tell(told, Terminal(out), {"GITHUB_STEP_SUMMARY": str(file)})
    return out.getvalue()


def test_a_summary_is_added_to_what_is_there_and_never_too_long(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("x" * (MIB - 3000))
    table = Table(("a",), [("y" * 500,)] * 30)
    for title in ("first", "second", "third"):
        assert told_into(file, Told(title, (), [table])) == ""
    text = file.read_text()
    assert text.startswith("xxx")
    assert "<h3>first</h3>" in text
    assert MIB - 2000 < len(text) <= MIB


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    said = told_into(tmp_path, Told("title"))
    assert parsed(said.rstrip("\n"))[0] == "warning"
    assert "the summary cannot be written: Is a directory" in said


def test_an_error_is_told_with_each_problem_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").touch()
    problems = [Problem("it is 5", "a.yaml", 3, "Service default/x", "spec", "make it 6")]
    told = github_results.failed("test", InputError("the tests cannot be run", problems))
    (line,) = [each.command({}) for each in told.annotations]
    assert parsed(line) == (
        "error",
        {"title": "meshdemo test: the tests cannot be run", "file": "a.yaml", "line": "3"},
        "Service default/x spec: it is 5; make it 6",
    )
    assert "a.yaml:3" in github.summary(told, MIB, {})


def test_a_place_is_a_link_to_the_line_of_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b.yaml").touch()
    environment = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "team/rules",
        "GITHUB_SHA": "1f2e",
    }
    told = Told("title", (), [Table(("rule",), [(Problem("", "a b.yaml", 3),)])])
    text = github.summary(told, MIB, environment)
    link = "https://github.com/team/rules/blob/1f2e/a%20b.yaml#L3"
    assert f'<a href="{link}">a b.yaml:3</a>' in text
