"""The map file: what only the people who own both sides know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from heavylift.errors import SpecError
from heavylift.evidence.image_records import ImageMap
from heavylift.platforms.oci.names import parse_reference

Names = dict[str, str]


class NameMap(BaseModel):
    """Names on the source and what they are called on the target; every section may be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: Names = Field(
        default_factory=dict,
        description="whole image -> whole image, as `heavylift images` writes",
    )
    registries: Names = Field(default_factory=dict, description="prefix of an image -> prefix")
    uris: Names = Field(default_factory=dict, description="prefix of a URI -> prefix")
    identities: Names = Field(default_factory=dict, description="role, service account or client id -> same")
    storage_classes: Names = Field(default_factory=dict, description="name -> name")
    zones: Names = Field(default_factory=dict, description="zone -> zone")
    regions: Names = Field(default_factory=dict, description="region -> region")
    node_pools: Names = Field(default_factory=dict, description="node pool or group -> node pool")
    instance_types: Names = Field(default_factory=dict, description="type -> type, before the table is asked")
    resources: Names = Field(default_factory=dict, description="extended resource -> extended resource")
    env: dict[str, str | None] = Field(
        default_factory=dict, description="environment variable -> its new value; null takes it away"
    )
    certificates: Names = Field(default_factory=dict, description="certificate -> certificate")
    static_ips: Names = Field(default_factory=dict, description="address or its name -> name")
    pull_secrets: Names = Field(default_factory=dict, description="name -> name")


def load_map(path: Path | None) -> NameMap:
    """Return the map that a file holds; an empty one without a file.

    :raises SpecError: it cannot be read; values are not shown.
    """
    if path is None:
        return NameMap()
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return NameMap.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors()[0]
        got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        got = type(error).__name__
    raise SpecError(
        f"reading the map {path}",
        got=got,
        expected=f"YAML with any of {', '.join(NameMap.model_fields)}, each a mapping of names",
        state="nothing was written",
        remedy="correct the map; docs/reference/manifests.md shows one",
        code="8506",
    )


def with_images(names: NameMap, path: Path | None) -> NameMap:
    """Return a map with the images that a file of ``heavylift images --map`` adds to it.

    :raises SpecError: it is no such file.
    """
    if path is None:
        return names
    try:
        found = ImageMap.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SpecError(
            f"reading the map of images {path}",
            got=type(error).__name__,
            expected="a file that heavylift images copy --map has written",
            state="nothing was written",
            remedy="name that file",
            code="9175",
        ) from None
    return names.model_copy(update={"images": {**found.images, **names.images}})


def image_in(names: Mapping[str, str], image: str) -> str | None:
    """Return the image that takes the place of one, however that is written; None where none does."""
    if not names:
        return None
    try:
        reference = parse_reference(image)
    except SpecError:
        return names.get(image)
    place = f"{reference.host}/{reference.repository}"
    whole = f"{place}@{reference.digest}" if reference.digest else f"{place}:{reference.tag}"
    return names.get(image) or names.get(whole)


def by_prefix(names: Mapping[str, str], text: str) -> tuple[str, str] | None:
    """Return the longest prefix of ``text`` that ``names`` has, and the text that takes its place.

    A prefix ends where a part of the name ends: ``host/team`` is none of ``host/teamwork``.
    """
    for old in sorted(names, key=len, reverse=True):
        if not old or not text.startswith(old):
            continue
        rest = text[len(old) :]
        if not rest or old[-1] in "/:@" or rest[0] in "/:@?#":
            return old, names[old] + rest
    return None


def is_result(names: Mapping[str, str], text: str) -> bool:
    """Whether ``text`` already is what ``names`` makes of something."""
    return any(new and re.match(re.escape(new) + r"(?:$|[/:@?#])", text) for new in names.values())
