"""Route tests as items of pytest: one for each request, and one for a coverage that is wanted."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from meshdemo.errors import MeshdemoError
from meshdemo.pytest_plugin.words import error_text, failure_text
from meshdemo.suite import preparing, reading
from meshdemo.suite.running import Runner

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from meshdemo.suite.preparing import Case, Prepared


class Failed(Exception):
    """What came is not what a test expects; the text says all of it."""


class RouteTests(pytest.File):
    """A file of route tests. Its meshes run while its items do."""

    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**arguments)
        self.stack = ExitStack()
        self.runs: dict[int, Runner] = {}
        self.asked: set[int] = set()
        """The ids of the cases that were asked."""

    def collect(self) -> Iterator[pytest.Item]:
        """Read the file and its rules; whatever is wrong with them is said here, all at once."""
        try:
            files = reading.read([self.shown])
            here = [file for file in files if not file.live]
            prepared = dict(zip(map(id, here), preparing.prepare_all(here), strict=True))
        except MeshdemoError as error:
            raise self.CollectError(error_text(error)) from None
        for file in files:
            prefix = f"{file.name}: " if len(files) > 1 else ""
            make = partial(RouteTestItem.from_parent, self)
            if file.live:
                for test in file.tests:
                    yield make(name=f"{prefix}{test.name}", line=test.line)
                continue
            found = prepared[id(file)]
            for case in found.cases:
                label = f" ({case.sent.label})" if case.sent.label else ""
                name = f"{prefix}{case.test.name}{label}"
                yield make(name=name, line=case.test.line, prepared=found, case=case)
            if file.fail_under is not None:
                line = file.item.line("coverage", "failUnder") if file.item else 1
                yield CoverageItem.from_parent(
                    self, name=f"{prefix}coverage", line=line, prepared=found
                )

    @property
    def shown(self) -> str:
        """The file as it is called in reports: from where pytest was started, if it is below."""
        start = self.config.invocation_params.dir
        return str(self.path.relative_to(start) if self.path.is_relative_to(start) else self.path)

    def run_of(self, prepared: Prepared) -> Runner:
        """Give what asks a document's mesh, which is started where it is not there."""
        if id(prepared) not in self.runs:
            self.stack.enter_context(prepared.mesh)
            self.runs[id(prepared)] = Runner(prepared.file, prepared.mesh, prepared.cases)
        return self.runs[id(prepared)]

    def teardown(self) -> None:
        """Take the meshes down."""
        self.runs.clear()
        self.stack.close()


class _Item(pytest.Item):
    """An item with a place in the file, whose failure is a text of its own."""

    parent: RouteTests

    def __init__(self, *, line: int, prepared: Prepared | None = None, **arguments: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**arguments)
        self.line, self.prepared = line, prepared

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Say where it stands."""
        return self.path, self.line - 1, self.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *_: Any) -> Any:  # noqa: ANN401 - pytest's own
        """Say why it failed, without a traceback through our code."""
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        if isinstance(excinfo.value, MeshdemoError):
            return error_text(excinfo.value)
        return super().repr_failure(excinfo)


class RouteTestItem(_Item):
    """One request of a route test."""

    def __init__(self, *, case: Case | None = None, **arguments: Any) -> None:  # noqa: ANN401 - pytest's own
        super().__init__(**arguments)
        self.case = case

    def runtest(self) -> None:
        """Send it, and see that what comes is what is expected."""
        if self.case is None or self.prepared is None:
            pytest.skip("live: true asks the mesh that is up: meshdemo test does")
        self.parent.asked.add(id(self.case))
        result = self.parent.run_of(self.prepared).one(self.case)
        if not result.ok:
            raise Failed(failure_text(result))


class CoverageItem(_Item):
    """The coverage that a file asks for."""

    def runtest(self) -> None:
        """Judge it, where all requests of the file were sent by this process."""
        assert self.prepared is not None  # noqa: S101 - for the type checker
        run = self.parent.run_of(self.prepared)
        if not {id(case) for case in self.prepared.cases} <= self.parent.asked:
            pytest.skip("not all tests of the file ran here")
        under = self.prepared.file.fail_under or 0
        if run.coverage.percent < under:
            said = [f"coverage {run.coverage.percent:.0f} %, and {under:g} % is wanted"]
            said += [
                f"not touched: {part.file}:{part.line}: {part.kind} {part.item.name} {part.field}"
                for part in run.coverage.untouched
            ]
            raise Failed("\n".join(said))
