"""The folders of a pod's volumes: empty ones, and those that hold ConfigMaps and Secrets."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from meshdemo.engines.local import config_data
from meshdemo.system import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from meshdemo.engines.local.config_data import ConfigData, File
    from meshdemo.engines.local.model import PlannedPod
    from meshdemo.engines.local.pods.layout import Layout


def folders(layout: Layout, pod: PlannedPod) -> dict[str, str]:
    """Say where the volumes of a pod are, by name."""
    return {name: str(path) for name, path in _folders(layout, pod).items()}


def write(layout: Layout, pod: PlannedPod, data: ConfigData) -> None:
    """Bring the volumes of a pod up to date; what is in an empty one is the pod's business."""
    declared = config_data.volumes(pod.template)
    for name, folder in _folders(layout, pod).items():
        files.make_folder(folder)
        volume = declared[name]
        wanted = None if config_data.is_scratch(volume) else config_data.files(volume, data)
        if wanted is not None:  # else its source was deleted: then it stays as it is
            _bring_up_to_date(folder, wanted)


def _folders(layout: Layout, pod: PlannedPod) -> dict[str, Path]:
    return {
        name: layout.volume(pod, name, scratch=config_data.is_scratch(volume))
        for name, volume in config_data.volumes(pod.template).items()
    }


def _bring_up_to_date(folder: Path, wanted: Mapping[str, File]) -> None:
    paths = {folder / name: file for name, file in wanted.items()}
    for path in list(folder.rglob("*")):
        if not path.is_dir() and path not in paths:
            files.remove_file(path)
    for path, file in paths.items():
        if not _holds(path, file):
            files.write(path, file.content, mode=file.mode)


def _holds(path: Path, file: File) -> bool:
    try:
        return stat.S_IMODE(path.lstat().st_mode) == file.mode and files.read(path) == file.content
    except OSError:
        return False
