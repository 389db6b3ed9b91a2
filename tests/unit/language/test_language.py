"""What is said in English is said in Chinese as well, and programs read English."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest
from tests import messages

from meshdemo.diagnosis.cause import Cause
from meshdemo.errors import Problem, UsageError
from meshdemo.language import ENGLISH, LANGUAGES, chosen, joined, said, spoken
from meshdemo.report import speaking

if TYPE_CHECKING:
    from pathlib import Path

TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]
FOR_READERS = [
    file for room in ("diagnosis", "ui") for file in sorted((messages.SOURCES / room).glob("*.py"))
]
"""The files all of whose sentences are for people: causes, and the live page."""


@pytest.mark.parametrize("language", TRANSLATED)
def test_each_sentence_has_a_translation_with_the_same_parts(language: str) -> None:
    catalogue = messages.read(language)
    known = {each.id: each.string for each in catalogue if each.id}
    assert set(known) == set(messages.sentences()), "make messages"
    for template, text in known.items():
        assert isinstance(template, str)
        assert isinstance(text, str)
        assert text, f"{template}: translate it in {messages.catalogue(language)}"
        assert messages.placeholders(text) == messages.placeholders(template), template


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_compiled_catalogue_is_that_of_its_source(language: str) -> None:
    file = messages.catalogue(language)
    assert file.with_suffix(".mo").read_bytes() == messages.as_mo(messages.read(language))
    assert file.read_bytes() == messages.as_po(messages.updated(language)), "make messages"


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def shown(node: ast.AST) -> str:
    """Give a string as it reads, with an x for each part that is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(shown(part) or "x" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("file", FOR_READERS, ids=lambda file: f"{file.parent.name}.{file.stem}")
def test_no_sentence_for_readers_is_left_out(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    exempt: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_said = isinstance(node, ast.Call) and getattr(node.func, "id", "") in messages.SAYING
        is_doc = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_said or is_doc:
            exempt.update(ast.walk(node))
    functions = (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))
    for node in (each for function in functions for each in ast.walk(function)):
        text = "" if node in exempt else shown(node)
        is_sentence = len(text.split()) > 2 and not text.startswith("meshdemo ")
        assert not is_sentence, f'{file.name}: said("{text}"), and make messages'


def test_a_sentence_is_english_to_programs_and_chinese_to_who_asks_for_it() -> None:
    inner = said("no name")
    sentence = said(
        "port {port} ({name}) is not HTTP for Istio: no http rule holds", port=80, name=inner
    )
    assert sentence == "port 80 (no name) is not HTTP for Istio: no http rule holds"
    assert json.loads(json.dumps({"message": sentence})) == {"message": sentence}
    assert (spoken(sentence, "en"), type(spoken(sentence, "en"))) == (sentence, str)
    assert spoken(sentence, "zh") == "Istio 不把端口 80（没有名称）当作 HTTP：http 规则都不会生效"
    assert spoken("as it is", "zh") == "as it is"
    assert spoken(said("{count} is not translated", count=1), "zh") == "1 is not translated"
    assert spoken(joined(", ", []), "zh") == ""  # and not the catalogue's header


@pytest.mark.parametrize(
    ("separator", "english", "chinese"),
    [
        (said("; "), "correct the rule; log: {}", "更正这条规则；log: {}"),
        (said(", "), "correct the rule, log: {}", "更正这条规则，log: {}"),
        (said(". "), "correct the rule. log: {}", "更正这条规则。log: {}"),
        (said(": "), "correct the rule: log: {}", "更正这条规则：log: {}"),
        ("; ", "correct the rule; log: {}", "更正这条规则; log: {}"),
    ],
)
def test_joined_sentences_have_the_marks_of_the_language(
    separator: str, english: str, chinese: str
) -> None:
    both = joined(separator, [said("correct the rule"), "log: {}"])
    assert (both, spoken(both, "zh")) == (english, chinese)


def test_braces_of_a_part_are_no_placeholders() -> None:
    sentence = said("it is {phase}", phase="{oops}")
    assert (sentence, spoken(sentence, "zh")) == ("it is {oops}", "它处于 {oops} 状态")


def test_a_problem_keeps_its_place() -> None:
    problem = Problem(
        said("correct the rule"), "a.yaml", 3, hint=said("correct {url_is}", url_is="--url")
    )
    cause = Cause("x", problem, (), "")
    assert cause.message == "correct the rule"
    assert spoken(speaking.of_problem(problem), "zh") == "a.yaml:3: 更正这条规则；更正 --url"
    assert speaking.of_problem(problem) == str(problem)
    coded = Problem("odd\x1b", subject="Service a/b", hint="x", code="IST0101")
    assert speaking.of_problem(coded) == str(coded) == r"Service a/b: odd\x1b [IST0101]; x"


@pytest.mark.parametrize(
    ("option", "environment", "language"),
    [
        ("zh", {"MESHDEMO_LANG": "en", "LANG": "C"}, "zh"),
        (None, {"MESHDEMO_LANG": "zh", "LANG": "en_US.UTF-8"}, "zh"),
        (None, {"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "C"}, "zh"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        (None, {}, "en"),
        ("zh-CN", {}, "zh"),
        ("en_US", {"MESHDEMO_LANG": "zh"}, "en"),
        (None, {"MESHDEMO_LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_language_is_what_was_said_last_by_whoever_counts(
    option: str | None, environment: dict[str, str], language: str
) -> None:
    assert chosen(option, environment) == language


@pytest.mark.parametrize(("option", "named"), [("fr", "--lang"), (None, "MESHDEMO_LANG")])
def test_a_language_that_is_not_spoken_is_refused(option: str | None, named: str) -> None:
    with pytest.raises(UsageError, match=f"{named}: meshdemo does not speak fr"):
        chosen(option, {"MESHDEMO_LANG": "fr"})


@pytest.mark.parametrize("said", ["zhx", "english", "fr_FR.UTF-8", "C"])
def test_what_only_begins_like_a_language_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="does not speak"):
        chosen(said, {})
