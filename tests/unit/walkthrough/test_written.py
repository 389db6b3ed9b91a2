"""Where applied objects were written, of several files that have the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshdemo.objects import reading
from meshdemo.walkthrough import written

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec: {hosts: [app], http: [{route: [{destination: {host: app}}]}]}
"""


def test_an_object_stands_in_the_file_that_it_was_applied_from(tmp_path: Path) -> None:
    before, now = tmp_path / "before.yaml", tmp_path / "now.yaml"
    before.write_text(f"{RULE}---{RULE.replace('{name: app}', '{name: other}')}")
    now.write_text(RULE)
    objects = reading.read([str(before)])
    files = {item.key: str(now if item.name == "app" else before) for item in objects}
    files = dict(sorted(files.items(), key=lambda each: each[1]))
    found = written.located(objects, files, (), "default")
    assert [
        item.file.endswith(name)
        for item, name in zip(found, ("now.yaml", "before.yaml"), strict=True)
    ] == [True, True]
