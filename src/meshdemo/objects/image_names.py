"""Names of images, as registries have them."""

from __future__ import annotations


def is_called(image: str, name: str) -> bool:
    """Tell whether an image has this name, from whatever registry and of whatever version."""
    path = image.partition("@")[0]
    folder, slash, last = path.rpartition("/")
    path = folder + slash + last.partition(":")[0]
    return name in (image, path) or path.endswith(f"/{name}")
