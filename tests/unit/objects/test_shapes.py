"""What every object has, and what describes pods, has its shape."""

from __future__ import annotations

import pytest
from tests.objects import parse

from meshdemo.objects import shapes


def refused(text: str) -> list[str]:
    """Say what is wrong with a text, without what follows from it."""
    objects, problems = parse(text)
    return [str(p) for p in (*problems, *(p for item in objects for p in shapes.problems(item)))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Pod\nmetadata: {name: a}", "Pod a apiVersion: it is missing, or no string"),
        ("apiVersion: v1\nmetadata: {name: a}", "a kind: it is missing, or no string"),
        ("apiVersion: v1\nkind: 7\nmetadata: {name: a}", "7 a kind: it is missing, or no string"),
        ("apiVersion: v1\nkind: Pod", "Pod metadata.name: it is missing, or no string"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: 7}",
            "Pod 7 metadata.name: it is missing, or no string",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1}}",
            'Pod a metadata.labels.version: text is wanted, not the number 1; write "1"',
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: n}}",
            (
                "Pod a metadata.labels.version: text is wanted, not the boolean false; "
                "put quotes around it: without them n, no, off and false are booleans"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: 1.10}}",
            (
                "Pod a metadata.labels.version: text is wanted, not the number 1.1; "
                "put quotes around it"
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {version: }}",
            (
                "Pod a metadata.labels.version: text is wanted, not nothing (null); "
                'write "" for an empty one'
            ),
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: [x]}",
            "Pod a metadata.annotations: a mapping is wanted, not a list",
        ),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: [x]",
            "Pod a spec: a mapping is wanted, not a list",
        ),
    ],
    ids=lambda value: value.splitlines()[-1],
)
def test_what_every_object_has_is_checked(text: str, said: str) -> None:
    (problem,) = refused(text)
    assert problem.partition(": ")[2].replace("Pod ", "Pod ", 1).split() == said.split()


TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, labels: , annotations: ~}
spec:
  template:
"""


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ("hello", ""),
        ("{spec: hello}", ".spec"),
        ("{metadata: hello}", ".metadata"),
        ("{metadata: {labels: hello}}", ".metadata.labels"),
        ("{metadata: {annotations: {a: {}}}}", ".metadata.annotations.a"),
        ("{spec: {containers: hello}}", ".spec.containers"),
        ("{spec: {containers: [hello]}}", ".spec.containers[0]"),
        ("{spec: {containers: [~]}}", ".spec.containers[0]"),
        ("{spec: {initContainers: [{}, {image: 5}]}}", ".spec.initContainers[1].image"),
        ("{spec: {containers: [{ports: [hello]}]}}", ".spec.containers[0].ports[0]"),
        ("{spec: {containers: [{env: [{name: []}]}]}}", ".spec.containers[0].env[0].name"),
        ("{spec: {containers: [{command: [y]}]}}", ".spec.containers[0].command[0]"),
    ],
)
def test_what_describes_pods_has_their_shape(pods: str, said: str) -> None:
    (problem,) = refused(f"{TEMPLATE}    {pods}")
    assert problem.startswith(f"app.yaml:{6 if said else 5}: Deployment a spec.template{said}: ")
    (problem,) = refused(f"{{apiVersion: batch/v1, kind: CronJob, metadata: {{name: a}}, "
                         f"spec: {{jobTemplate: {{spec: {{template: {pods}}}}}}}}}")  # fmt: skip
    assert f"CronJob a spec.jobTemplate.spec.template{said}: " in problem


@pytest.mark.parametrize("pods", ["", "{spec: , metadata: }", "{spec: {containers: [{env: }]}}"])
def test_what_is_null_has_any_shape(pods: str) -> None:
    assert refused(f"{TEMPLATE}    {pods}") == []
