"""Copies and comparisons of images, as tests ask for them."""

from __future__ import annotations

import asyncio
from typing import Any

from heavylift.connections import Connection
from heavylift.evidence.image_records import ImageRow, ImagesRecord
from heavylift.evidence.records import RunKey
from heavylift.images.api import copy_images, list_images, verify_images
from heavylift.images.requests import ImagesRequest
from heavylift.spec.sections_containers import Containers

RUN = RunKey(migration="m", phase="images", run="r")
_ACTS: dict[str, Any] = {"list": list_images, "copy": copy_images, "verify": verify_images}


def moved(
    source: tuple[str, Connection],
    target: tuple[str, Connection],
    act: str = "copy",
    *,
    named: tuple[str, ...] | None = None,
    dry_run: bool = False,
    deep: bool = False,
    **wanted: Any,
) -> ImagesRecord:
    """Do something with images between two registries, each a place and a connection."""
    section = Containers(source=source[0], target=target[0], **wanted)
    request = ImagesRequest(RUN, source[1], target[1], section, named, dry_run, deep)
    return asyncio.run(_ACTS[act](request))


def rows(record: ImagesRecord) -> dict[str, ImageRow]:
    """Return a record's rows by repository and tag."""
    return {each.source.partition("/")[2]: each for each in record.rows}


def between(source: Any, target: Any, name: str, act: str = "copy", **more: Any) -> ImagesRecord:
    """Move what lies below ``name`` of one server to ``moved/NAME`` of another."""
    return moved(
        (f"{source.host}/{name}", source.connection("source")),
        (f"{target.host}/moved/{name}", target.connection("target")), act, **more,
    )  # fmt: skip
