"""What the options of ``heavylift images`` mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.cli.inventory_options import MIGRATION
from heavylift.cli.output import mark_touched
from heavylift.cli.stores import evidence_connection
from heavylift.connections import Connection, connection_from_env
from heavylift.errors import SpecError

if TYPE_CHECKING:
    from heavylift.images.requests import ImagesRequest
    from heavylift.spec.sections_containers import Containers


@dataclass(frozen=True)
class AskedImages:
    """A copy, and where its evidence lies."""

    request: ImagesRequest
    evidence_url: str | None
    evidence_connection: Connection | None


def section(
    source: str | None,
    target: str | None,
    repositories: list[str] | None,
    tags: list[str] | None,
    exclude_tags: list[str] | None,
    images: list[str] | None,
    manifests: list[Path] | None,
    how: Mapping[str, Any] | None = None,
) -> Containers | None:
    """Return the section that the options stand for; None where none was given.

    :raises SpecError: a value is not one of those that there are.
    """
    from pydantic import ValidationError

    from heavylift.spec.sections_containers import Containers

    fields: dict[str, Any] = {
        "source": source, "target": target, "repositories": repositories, "tags": tags,
        "exclude_tags": exclude_tags, "images": images, "manifests": [str(each) for each in manifests or ()],
        **(how or {}),
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if value is not None and value != []}
    if not given:
        return None
    try:
        return Containers.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise SpecError(
            "reading the command line",
            got=f"--{str(first['loc'][0]).replace('_', '-')}: {first['msg']}",
            expected="--source and --target, and values that there are",
            state="nothing was touched",
            remedy="correct the option",
            code="9172",
        ) from None


def asked_images(
    spec: Path | None,
    conns: tuple[str | None, str | None],
    given: Containers | None,
    naming: tuple[list[Path] | None, Path | None],
    migration: str | None,
    evidence: tuple[str | None, str | None],
    *,
    dry_run: bool = False,
    deep: bool = False,
) -> AskedImages:
    """Return what the command line means.

    :param naming: manifests and an inventory that name images.
    :raises SpecError: neither a spec alone nor two registries with their connections.
    """
    from heavylift.evidence.records import RunKey
    from heavylift.images.requests import IMAGES_PHASE, ImagesRequest, connections_of, section_of

    place = evidence[0], evidence_connection(evidence[1])
    if spec is not None and conns == (None, None) and given is None and migration is None:
        from heavylift.cli.inventory_options import asked_by_spec
        from heavylift.spec.load import load_spec

        loaded = load_spec(spec)
        wanted, ids, name = section_of(loaded), connections_of(loaded), loaded.migration
        found = asked_by_spec(spec, *evidence)
        place = found.evidence_url, found.evidence_connection
        naming = [Path(each) for each in wanted.manifests], naming[1]
    elif spec is None and given is not None and conns[0] and conns[1]:
        wanted, ids, name = given, (conns[0], conns[1]), migration or MIGRATION
    else:
        raise SpecError(
            "reading the command line",
            got="a spec and options that it has itself" if spec else "neither a spec nor two registries",
            expected="SPEC alone, or --source, --target, --source-conn and --target-conn",
            state="nothing was touched",
            remedy="name the spec, or both registries and their connections",
            code="9173",
        )
    run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    key = RunKey(migration=name, phase=IMAGES_PHASE, run=run)
    sides = connection_from_env(ids[0]), connection_from_env(ids[1])
    request = ImagesRequest(key, *sides, wanted, _named(wanted, *naming), dry_run, deep, mark_touched)
    return AskedImages(request, *place)


def _named(
    wanted: Containers, manifests: list[Path] | None, inventory: Path | None
) -> tuple[str, ...] | None:
    """Return the images that manifests and an inventory name; None where neither was given."""
    from heavylift.images.inventoried import images_in
    from heavylift.manifests.image_names import images_of
    from heavylift.platforms.oci.names import parse_place

    if not manifests and inventory is None:
        return None
    found = images_of(manifests) if manifests else ()
    return found + (images_in(inventory, parse_place(wanted.source).host) if inventory else ())
