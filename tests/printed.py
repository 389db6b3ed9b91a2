"""What commands print as JSON, held against the schema that the docs show.

Whatever runs command lines in tests asks here, so that no document is left out.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
from jsonschema.exceptions import best_match
from tests.paths import ROOT

from meshdemo.cli.exit_reporting import wants_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = ROOT / "docs" / "reference" / "meshdemo-v1.schema.json"


@cache
def schema() -> Any:
    return json.loads(SCHEMA.read_bytes())


@cache
def validator() -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(schema())


def read(text: str | bytes) -> Any:
    """Give the document that a command printed, which must be one that the schema describes."""
    document = json.loads(text)
    if wrong := best_match(validator().iter_errors(document)):
        message = f"{wrong.json_path}: {wrong.message}\nby {list(wrong.absolute_schema_path)}"
        raise AssertionError(f"{SCHEMA.name} does not describe it: {message}\n{text!r}")
    return document


def read_record(file: Path) -> list[Any]:
    """Read what ``verify --record`` wrote, each line of which the schema must describe."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    of_a_line = validator().evolve(schema={**schema()["$defs"]["record"]})
    for line in lines:
        of_a_line.validate(line)
    return lines


def hold(text: str, argv: Sequence[str] | None = None) -> str:
    """See that the schema describes the output of a command line, if that is to be JSON.

    Where the command line is not known, it is one if it says so. ``get`` prints Kubernetes' own.
    """
    if text.startswith("{") and (argv is None or wants_json(argv)):
        try:
            document = json.loads(text)
        except ValueError:
            assert argv is None, text
            return text
        ours = "apiVersion" not in document if argv else document.get("schema") == "meshdemo/v1"
        if ours:
            read(text)
    return text
