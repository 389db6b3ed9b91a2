from __future__ import annotations

import pytest
from tests.paths import MANIFESTS

from meshdemo.errors import InputError
from meshdemo.objects.model import WORKLOAD_KINDS, Object
from meshdemo.objects.reading import read
from meshdemo.walkthrough.images import ImageChoice, images_of, mirrored

OBJECTS = read([str(MANIFESTS / name) for name in ("app-istio.yaml", "test-client.yaml")])


def test_by_default_the_images_are_those_of_the_article() -> None:
    objects = ImageChoice().replaced(OBJECTS)
    assert objects == OBJECTS
    assert images_of(objects) == ("dustise/flaskapp", "zze326/test-tools")


@pytest.mark.parametrize("name", ["test-tools", "testclient"], ids=["container", "app"])
def test_an_image_is_chosen_by_its_container_or_its_app(name: str) -> None:
    objects = ImageChoice({name: "mine:1"}).replaced(OBJECTS)
    assert images_of(objects) == ("dustise/flaskapp", "mine:1")


def test_one_name_may_stand_for_several_workloads() -> None:
    objects = ImageChoice({"app": "mine:1"}).replaced(OBJECTS)
    assert images_of(objects) == ("mine:1", "zze326/test-tools")


def test_a_chosen_image_is_not_taken_from_the_mirror() -> None:
    objects = ImageChoice({"app": "mine:1"}, "reg.example").replaced(OBJECTS)
    assert images_of(objects) == ("mine:1", "reg.example/zze326/test-tools")


def test_a_name_that_none_has_is_bad_input_and_names_those_there_are() -> None:
    with pytest.raises(InputError, match="no container or app is named web") as caught:
        ImageChoice({"web": "x"}).replaced(OBJECTS)
    assert caught.value.hint == "There are app, test-tools, testclient."


@pytest.mark.parametrize(
    ("image", "there"),
    [
        ("dustise/flaskapp", "reg.example/hub/dustise/flaskapp"),
        ("docker.io/istio/pilot:1", "reg.example/hub/istio/pilot:1"),
        ("nginx:1.27", "reg.example/hub/library/nginx:1.27"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        ("localhost:5000/b", "localhost:5000/b"),
        ("localhost/b", "localhost/b"),
        ("", ""),
    ],
)
def test_a_mirror_stands_for_docker_hub_and_for_no_other_registry(image: str, there: str) -> None:
    assert mirrored(image, "reg.example/hub") == there
    assert mirrored(image, "") == image


@pytest.mark.parametrize("kind", sorted(WORKLOAD_KINDS))
def test_an_image_is_chosen_in_every_kind_that_makes_pods(kind: str) -> None:
    containers = {"spec": {"containers": [{"name": "app", "image": "x"}]}}
    item = Object({"kind": kind}).with_pod_template({"kind": kind, **containers})
    (changed,) = ImageChoice({"app": "y"}).replaced([item])
    assert images_of([changed]) == ("y",)
