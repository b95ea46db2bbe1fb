"""``heavylift images``: copies container images by digest between registries and compares them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson, Evidence, EvidenceConn, shell_actor

if TYPE_CHECKING:
    from heavylift.cli.images_asked import AskedImages
    from heavylift.evidence.image_records import ImagesRecord

app = typer.Typer(no_args_is_help=True)

SpecFile = Annotated[
    Path | None, typer.Argument(metavar="[SPEC]", help="Spec with a section containers; else --source.")
]
Source = Annotated[str | None, typer.Option(metavar="REGISTRY", help="host[:port][/path] of the source.")]
Target = Annotated[str | None, typer.Option(metavar="REGISTRY", help="host[:port][/path] of the target.")]
SourceConn = Annotated[str | None, typer.Option("--source-conn", metavar="ID", help="Its connection.")]
TargetConn = Annotated[str | None, typer.Option("--target-conn", metavar="ID", help="Its connection.")]
Repository = Annotated[
    list[str] | None, typer.Option(help="Repositories below the source's path, as patterns; default: all.")
]
Tag = Annotated[list[str] | None, typer.Option(help="Tags that move, as patterns; default: all.")]
ExcludeTag = Annotated[list[str] | None, typer.Option(help="Tags that stay, as patterns.")]
Image = Annotated[list[str] | None, typer.Option(help="A single image: repository[:tag][@sha256:…].")]
Manifests = Annotated[
    list[Path] | None, typer.Option(help="Kubernetes manifests: the source's images that they name.")
]
Inventory = Annotated[
    Path | None, typer.Option(help="An inventory's file of components: the source's images that it names.")
]
MapFile = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="Write which new image takes the place of which old one."),
]
Migration = Annotated[str | None, typer.Option(help="Without SPEC: name under which evidence is kept.")]


@app.command("list")
def list_(
    spec: SpecFile = None,
    source: Source = None,
    target: Target = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    repository: Repository = None,
    tag: Tag = None,
    exclude_tag: ExcludeTag = None,
    image: Image = None,
    manifests: Manifests = None,
    inventory: Inventory = None,
    map_file: MapFile = None,
    migration: Migration = None,
    as_json: AsJson = False,
) -> None:
    """Tell which images would move, their digests now, and what they would be called."""
    from heavylift.aio import run
    from heavylift.cli.images_asked import asked_images, section
    from heavylift.images.api import list_images

    made = section(source, target, repository, tag, exclude_tag, image, manifests)
    asked = asked_images(
        spec, (source_conn, target_conn), made, (manifests, inventory), migration, (None, None)
    )
    _finish(run(list_images(asked.request)), map_file, as_json=as_json)


@app.command()
def copy(
    spec: SpecFile = None,
    source: Source = None,
    target: Target = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    repository: Repository = None,
    tag: Tag = None,
    exclude_tag: ExcludeTag = None,
    image: Image = None,
    manifests: Manifests = None,
    inventory: Inventory = None,
    conflict: Annotated[
        str | None, typer.Option(help="A tag at another digest: fail (default), skip, overwrite.")
    ] = None,
    referrers: Annotated[
        bool, typer.Option("--referrers/--no-referrers", help="Signatures and the like move, too.")
    ] = True,
    parallel: Annotated[int | None, typer.Option(help="Blobs on the way at once; default: 6.")] = None,
    bandwidth: Annotated[str | None, typer.Option(help="Most bytes a second, e.g. 50MiB/s.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read both sides; write nothing.")] = False,
    map_file: MapFile = None,
    migration: Migration = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Copy images to the target by digest, with all that refers to them; what is there is not sent again."""
    from heavylift.aio import run
    from heavylift.cli.images_asked import asked_images, section
    from heavylift.images.api import copy_images

    how = {
        "conflict": conflict,
        "referrers": None if referrers else False,
        "parallel": parallel,
        "max_bandwidth": bandwidth,
    }
    made = section(source, target, repository, tag, exclude_tag, image, manifests, how)
    places = evidence, evidence_conn
    asked = asked_images(
        spec, (source_conn, target_conn), made, (manifests, inventory), migration, places, dry_run=dry_run
    )
    record = run(copy_images(asked.request) if dry_run else _copied(asked))
    _finish(record, map_file, as_json=as_json)


@app.command()
def verify(
    spec: SpecFile = None,
    source: Source = None,
    target: Target = None,
    source_conn: SourceConn = None,
    target_conn: TargetConn = None,
    repository: Repository = None,
    tag: Tag = None,
    exclude_tag: ExcludeTag = None,
    image: Image = None,
    manifests: Manifests = None,
    inventory: Inventory = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read and hash every blob of the target's.")] = False,
    map_file: MapFile = None,
    migration: Migration = None,
    evidence: Evidence = None,
    evidence_conn: EvidenceConn = None,
    as_json: AsJson = False,
) -> None:
    """Compare the images on both sides; exits 1 where one differs, lacks a part or is missing."""
    from heavylift.aio import run
    from heavylift.cli.images_asked import asked_images, section

    made = section(source, target, repository, tag, exclude_tag, image, manifests)
    places = evidence, evidence_conn
    asked = asked_images(
        spec, (source_conn, target_conn), made, (manifests, inventory), migration, places, deep=deep
    )
    _finish(run(_verified(asked)), map_file, as_json=as_json)


async def _copied(asked: AskedImages) -> ImagesRecord:
    from heavylift.evidence.store import open_evidence
    from heavylift.images.api import copy_images
    from heavylift.images.keeping import keep_images, note_begin

    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        # The store is open before anything is written: a copy without evidence would prove nothing.
        await note_begin(store, asked.request.run, shell_actor())
        record = await copy_images(asked.request)
        mark_touched()
        await keep_images(store, record, shell_actor())
    return record


async def _verified(asked: AskedImages) -> ImagesRecord:
    from heavylift.evidence.store import open_evidence
    from heavylift.images.api import verify_images
    from heavylift.images.keeping import keep_images

    record = await verify_images(asked.request)
    async with open_evidence(asked.evidence_url, asked.evidence_connection) as store:
        mark_touched()
        await keep_images(store, record, shell_actor())
    return record


def _finish(record: ImagesRecord, map_file: Path | None, *, as_json: bool) -> None:
    from heavylift.cli.images_text import images_text
    from heavylift.evidence.image_records import image_map

    if map_file is not None:
        map_file.write_text(image_map(record.rows).model_dump_json(indent=1) + "\n", encoding="utf-8")
    finish(
        {"images": record.model_dump(mode="json")},
        text=images_text(record),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )
