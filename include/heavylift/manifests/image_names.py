"""The images that manifests name, wherever a container stands in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from heavylift.manifests.reading import find_files, objects_in, read_file

_LISTS = ("containers", "initContainers", "ephemeralContainers")


def images_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return the image of every container in the manifests below ``paths``, each once, sorted.

    :raises SpecError: a path is missing, holds no manifest, or one cannot be read.
    """
    found: set[str] = set()
    for path, name in find_files(list(paths)):
        for chunk in read_file(path, name):
            for _, each in objects_in(chunk.data):
                found.update(_images(each))
    return tuple(sorted(found))


def _images(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inside in value.items():
            if name in _LISTS and isinstance(inside, list):
                yield from _of_containers(inside)
            # KServe, Argo and Ray keep single containers beside those of pods.
            elif name == "image" and isinstance(inside, str) and inside:
                yield inside
            else:
                yield from _images(inside)
    elif isinstance(value, list):
        for each in value:
            yield from _images(each)


def _of_containers(rows: list[Any]) -> Iterator[str]:
    for each in rows:
        if isinstance(each, dict) and isinstance(each.get("image"), str) and each["image"]:
            yield each["image"]
