"""The folder of a class: readable by nobody else, and no file of others is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from meshdemo.engines.cluster.classroom.kubeconfigs import Kubeconfigs
from meshdemo.engines.cluster.classroom.seats import Seat
from meshdemo.errors import EnvironmentFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.engines.cluster.conftest import Dial

NAMES = ["lab-01", "lab-02"]
SEATS = [Seat(name, is_new=True, token=f"t-{name}", expires="") for name in NAMES]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "class" / "lab"


@pytest.fixture
def ours(dial: Dial, folder: Path) -> Kubeconfigs:
    return Kubeconfigs(dial(1), folder, "lab")


def test_each_student_has_one_that_only_its_owner_may_read(ours: Kubeconfigs, folder: Path) -> None:
    ours.require(NAMES)
    ours.write(SEATS)
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in NAMES:
        file = folder / f"{name}.yaml"
        assert file.stat().st_mode & 0o777 == 0o600
        config = yaml.safe_load(file.read_text())
        assert config["users"][0]["user"] == {"token": f"t-{name}"}
        assert config["contexts"][0]["context"]["namespace"] == name
        assert config["current-context"] == name
        assert config["clusters"][0]["cluster"] == {"server": "http://127.0.0.1:1"}
    ours.require(NAMES)  # once more
    assert ours.remove() == len(NAMES)
    assert not folder.exists()
    assert ours.remove() == 0


def opened(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o750)


def with_a_file(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "lab-02.yaml").write_text("mine")


def with_a_link(folder: Path) -> None:
    folder.mkdir(parents=True, mode=0o700)
    (folder / "lab-02.yaml").symlink_to("/nowhere")


def a_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.touch()


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (opened, "others may look into"),
        (with_a_file, "not of this class: lab-02.yaml"),
        (with_a_link, "not of this class: lab-02.yaml"),
        (a_file, "not a folder of yours"),
    ],
)
def test_what_is_in_the_way_is_named_and_stays(
    ours: Kubeconfigs, folder: Path, put: Callable[[Path], None], said: str
) -> None:
    put(folder)
    with pytest.raises(EnvironmentFailed, match=said):
        ours.require(NAMES)
    before = sorted(folder.parent.rglob("*"))
    assert ours.remove() == 0
    assert sorted(folder.parent.rglob("*")) == before


def test_those_of_the_same_class_on_another_cluster_stay(dial: Dial, ours: Kubeconfigs) -> None:
    ours.write(SEATS)
    elsewhere = Kubeconfigs(dial(2), ours.folder, "lab")
    with pytest.raises(EnvironmentFailed, match="not of this class"):
        elsewhere.require(NAMES)
    assert elsewhere.remove() == 0
    assert ours.remove() == len(NAMES)
