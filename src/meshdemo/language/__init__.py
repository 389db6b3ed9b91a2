"""Sentences for people in the languages that meshdemo speaks, by gettext's catalogues.

A sentence is written in English where it is said: ``said("no pod of {name}", name=name)``. It is
an English string to whoever takes it for one, as JSON does; whoever shows it to a person asks for
it in a language. What a catalogue does not have stays English.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from meshdemo.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from gettext import NullTranslations

LANGUAGES = ("en", "zh")
ENGLISH = LANGUAGES[0]
VARIABLE = "MESHDEMO_LANG"
DOMAIN, CATALOGUES = "meshdemo", Path(__file__).parent
_BEFORE_ITS_COUNTRY = re.compile("[-_.@]")
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


def chosen(said: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Choose the language: as is said, else by MESHDEMO_LANG, else by the locale, else English.

    The first two may be a locale, too: ``zh_CN.UTF-8``, ``zh-CN``. Raises UsageError for a
    language that is not spoken.
    """
    for name, value in (("--lang", said), (VARIABLE, environment.get(VARIABLE))):
        if not value:
            continue
        language = _BEFORE_ITS_COUNTRY.split(value, maxsplit=1)[0].lower()
        if language not in LANGUAGES:
            hint = f"There are {' and '.join(LANGUAGES)}."
            raise UsageError(f"{name}: meshdemo does not speak {value}", hint=hint)
        return language
    locale = next((environment[name] for name in _LOCALE if environment.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else ENGLISH


class Sentence(str):
    """A sentence in English that knows how it was put together."""

    template: str
    parts: Mapping[str, object]

    __slots__ = ("parts", "template")


def said(template: str, /, **parts: object) -> Sentence:
    """Say a sentence: a template as for ``str.format``, and its parts, which may be sentences."""
    sentence = Sentence(template.format(**parts))
    sentence.template, sentence.parts = template, parts
    return sentence


def joined(separator: str, sentences: Sequence[str]) -> Sentence:
    """Join sentences to one; a separator that is said has the marks of the language."""
    parts = {f"part{number}": each for number, each in enumerate(sentences)}
    template = "{separator}".join(f"{{{name}}}" for name in parts)
    return said(template, separator=separator, **parts)


def spoken(sentence: str, language: str) -> str:
    """Give a sentence in a language; what is no ``Sentence``, or not translated, in English."""
    if language == ENGLISH or not isinstance(sentence, Sentence):
        return str(sentence)
    parts = {
        name: spoken(part, language) if isinstance(part, str) else part
        for name, part in sentence.parts.items()
    }
    template = sentence.template  # an empty one is the name of the catalogue's own header
    return (_catalogue(language).gettext(template) if template else "").format(**parts)


@cache
def _catalogue(language: str) -> NullTranslations:
    import gettext  # noqa: PLC0415 - English does without

    return gettext.translation(DOMAIN, CATALOGUES, [language])
