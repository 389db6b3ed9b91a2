"""What pages get, as JSON: what is said is there in each language, and the page chooses."""

from __future__ import annotations

import msgspec

from meshdemo.language import LANGUAGES, Sentence, spoken


def encoded(document: object) -> bytes:
    """Encode a document; a sentence becomes the list of what it is in each of ``LANGUAGES``.

    What is the same in all of them, as the name of an object, is a string like any other. The
    page's script takes either: ``told`` in ``page/words.js``.
    """
    return msgspec.json.encode(document, enc_hook=_in_each_language)


def _in_each_language(value: object) -> str | list[str]:
    if not isinstance(value, Sentence):
        raise NotImplementedError(type(value).__name__)
    said = [spoken(value, language) for language in LANGUAGES]
    return said if len(set(said)) > 1 else said[0]
