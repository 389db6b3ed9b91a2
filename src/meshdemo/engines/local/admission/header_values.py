"""Which values of headers Envoy takes: ``%`` opens a variable, ``%%`` is a percent sign.

Source: Istio's pkg/config/validation/header_value_validator.go, after Envoy's header parser.
"""

from __future__ import annotations

import re

_STRING = r'(?:\\.|[^\\)"])*'
_ARGUMENTS = rf"""
    [ ]* (?: \[[ ]*" | [^ \[] ) {_STRING}       # the first one, of a list or bare
    (?: "[ ]*,[ ]*" {_STRING} )*                # more of a list
    (?: "[ ]*\][ ]* )? \)
"""
_FORMAT = re.compile(
    rf"(?: [^%] | % (?: % | [^%(]+% | [^%(]*\( {_ARGUMENTS} [ ]* % ) )*",
    re.VERBOSE | re.DOTALL,
)
LONGEST = 16_384
"""Bytes of a header's name or value that Envoy adds; from its base.proto, HeaderValue."""
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def problem(value: str) -> str:
    """Say what is wrong with the value of a header, or nothing."""
    if _CONTROL_CHARACTERS.search(value):
        return f"the header value {value!r} holds a control character"
    if len(value.encode(errors="replace")) > LONGEST:
        return f"Envoy takes a header value of {LONGEST:,} bytes at most"
    if not _FORMAT.fullmatch(value):
        return f'the header value "{value}" has a "%" that opens no variable (%% is a percent sign)'
    return ""
