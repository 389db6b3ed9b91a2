"""The wheel is what users install: it has all that it needs, and works where no source is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from typing import TYPE_CHECKING

from tests.paths import MANIFESTS, ROOT

from meshdemo import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Mesh

NAMES = {"yaml": "pyyaml", "websocket": "websocket-client"}
"""Distributions that are not called as what is imported."""
NAME = f"meshdemo-{__version__}"
SHIPPED = {file for file in MANIFESTS.rglob("*") if file.is_file()}


def test_the_walkthrough_works_from_the_wheel_alone(
    installed: Path, tmp_path: Path, make_mesh: Callable[[Path], Mesh]
) -> None:
    mesh = make_mesh(installed)
    ask = "import meshdemo; print(meshdemo.__file__)"
    python = installed.with_name("python")
    where = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    assert str(ROOT) not in where.stdout

    mesh.run("up")
    assert mesh.shell("meshdemo status < /").returncode == 3
    (tmp_path / "link").symlink_to(installed)
    assert subprocess.run([tmp_path / "link", "version"], check=False).returncode == 0

    out = tmp_path / "out"
    mesh.run("manifests", str(out))
    written = {file.relative_to(out) for file in out.rglob("*") if file.is_file()}
    assert written == {file.relative_to(MANIFESTS) for file in SHIPPED}


def test_the_wheel_holds_the_package_the_manifests_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    shipped = {f"meshdemo/_{file.relative_to(ROOT).as_posix()}" for file in SHIPPED}
    assert shipped <= names
    assert {"meshdemo/py.typed", "meshdemo/language/zh/LC_MESSAGES/meshdemo.mo"} <= names
    assert {name for name in names if not name.startswith(("meshdemo/", f"{NAME}.dist-info/"))} == {
        f"{NAME}.data/scripts/meshdemo"
    }


def test_every_package_that_is_imported_is_a_declared_dependency() -> None:
    required = {
        re.split(r"[^\w-]", text)[0].lower() for text in metadata.requires("meshdemo") or ()
    }
    names = {
        NAMES.get(name, name)
        for file in (ROOT / "src").rglob("*.py")
        for name in imported(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert names - {"meshdemo", *sys.stdlib_module_names} <= required


def imported(tree: ast.AST) -> set[str]:
    """Give the top-level names of all that a module imports when it runs."""
    names: set[str] = set()
    for_types = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    return names
