"""What pages get, as JSON."""

from __future__ import annotations

import msgspec

from meshdemo.language import Sentence


def encoded(document: object) -> bytes:
    """Encode a document; a sentence that is not given in each language is in English."""
    return msgspec.json.encode(document, enc_hook=_plain)


def _plain(value: object) -> str:
    if isinstance(value, Sentence):
        return str(value)
    raise NotImplementedError(type(value).__name__)
