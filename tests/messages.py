"""The catalogues of messages: ``make messages`` brings them up to what the sources say.

The .po files are the source, and edited by hand; the .mo files are made of them and committed, so
that nothing has to be built where meshdemo is installed, and gettext itself reads them.
"""

from __future__ import annotations

import ast
import io
import re
from string import Formatter
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from tests.paths import ROOT

from meshdemo.language import CATALOGUES, DOMAIN, ENGLISH, LANGUAGES

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ROOT / "src" / "meshdemo"
SAYING = ("said", "undecided")
"""The functions that take a template and its parts."""
HANDED_ON = "template"
"""What one of them calls the template that it hands on to another."""
_IMPORTED = re.compile(
    rf"^from meshdemo\.[\w.]+ import [^\n]*\b({'|'.join(SAYING)})\b", re.MULTILINE
)


def sentences() -> dict[str, list[str]]:
    """Give every template that is said anywhere, with the files that say it."""
    found: dict[str, list[str]] = {}
    for file in sorted(SOURCES.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if not _IMPORTED.search(text):
            continue
        tree = ast.parse(text)
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYING:
                first = node.args[0]
                if isinstance(first, ast.Name) and first.id == HANDED_ON:
                    continue
                template = first.value if isinstance(first, ast.Constant) else None
                template = constants[first.id] if isinstance(first, ast.Name) else template
                assert isinstance(template, str), f"{file}:{node.lineno}: no plain template"
                found.setdefault(template, []).append(str(file.relative_to(ROOT)))
    return found


def placeholders(template: str) -> list[tuple[str, str]]:
    """Give the names in a template with how they are written, in the order of their names."""
    parts = Formatter().parse(template)
    return sorted((name, spec or "") for _, name, spec, _ in parts if name is not None)


def catalogue(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read(language: str) -> Catalog:
    with catalogue(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> Catalog:
    """Give a catalogue with all that is said and nothing else; what is new is not translated."""
    old = read(language) if catalogue(language).exists() else Catalog(language)
    new = Catalog(language, project=DOMAIN, header_comment="", fuzzy=False)
    new.creation_date = new.revision_date = old.creation_date
    for template, files in sorted(sentences().items()):
        before = old.get(template)
        text = before.string if before else ""
        new.add(template, text, locations=[(file, 0) for file in sorted(set(files))])
    return new


def as_po(found: Catalog) -> bytes:
    """Write a catalogue so that it is the same for the same messages, and reads well in a diff."""
    text = io.BytesIO()
    write_po(text, found, width=0, omit_header=True, include_lineno=False, sort_output=True)
    head = (
        f'msgid ""\nmsgstr ""\n"Language: {found.locale}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    )
    return head.encode() + text.getvalue()


class Plain(Catalog):
    """A catalogue whose head names no moment and no program: the same messages make the same."""

    @property  # type: ignore[misc] # the other one can be set, too
    def mime_headers(self) -> list[tuple[str, str]]:
        return [("Language", str(self.locale)), ("Content-Type", "text/plain; charset=utf-8")]


def as_mo(found: Catalog) -> bytes:
    plain, text = Plain(str(found.locale)), io.BytesIO()
    for message in found:
        if message.id:
            plain.add(message.id, message.string)
    write_mo(text, plain)
    return text.getvalue()


def main() -> None:
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        file = catalogue(language)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(as_po(updated(language)))
        file.with_suffix(".mo").write_bytes(as_mo(read(language)))
        missing = [each.id for each in read(language) if each.id and not each.string]
        print(f"{file.relative_to(ROOT)}: {len(missing)} to translate", *missing, sep="\n  ")


if __name__ == "__main__":
    main()
