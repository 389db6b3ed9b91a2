"""What becomes of the stored objects when others are applied."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.objects import made

from meshdemo.engines.local.apply_changes import as_written, merge
from meshdemo.objects.labels import COMMAND, DIRECTORY

if TYPE_CHECKING:
    from meshdemo.objects.model import Object


pod = partial(made, "Pod")


def test_an_object_is_created_then_unchanged_then_configured_and_stays_the_same_one() -> None:
    created, first = merge([pod()], [], "/here")
    same, second = merge([pod()], created, "/there")
    other, third = merge([pod(containers=[])], same, "/there")
    assert [change.action for (change,) in (first, second, third)] == [
        "created", "unchanged", "configured",
    ]  # fmt: skip
    assert same == created
    assert other[0].metadata["uid"] == created[0].metadata["uid"]
    assert other[0].metadata["creationTimestamp"] == created[0].metadata["creationTimestamp"]


def test_its_generation_counts_what_it_has_said() -> None:
    stored: tuple[Object, ...] = ()
    labelled = pod(metadata={"labels": {}}, containers=[])
    generations = []
    for given in (pod(), pod(), pod(containers=[]), labelled, pod()):
        stored, _ = merge([given], stored, "/")
        generations.append(stored[0].metadata["generation"])
    assert generations == [1, 1, 2, 2, 3]


def test_what_we_add_is_not_the_users_to_change() -> None:
    annotated = pod(metadata={"annotations": {COMMAND: "serve"}})
    (stored,), _ = merge([annotated], [], "/here")
    assert as_written(stored).data == annotated.data
    again, (change,) = merge([as_written(stored)], [stored], "/there")
    assert change.action == "unchanged"
    assert again[0].annotations[DIRECTORY] == "/here"


def test_objects_that_are_not_given_stay_as_they_are() -> None:
    before, _ = merge([pod("a"), pod("b")], [], "/")
    after, changes = merge([pod("b", containers=[])], before, "/")
    assert [change.name for change in changes] == ["b"]
    assert {item.name for item in after} == {"a", "b"}
    assert before[0] in after
