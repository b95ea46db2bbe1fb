"""``heavylift manifests``: Kubernetes manifests for another platform, and checked for its version."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from heavylift.cli.manifests_text import checked, translated
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson
from heavylift.errors import SpecError

app = typer.Typer(no_args_is_help=True, help="Translate and check Kubernetes manifests.")

BUCKET_SECRET = "heavylift-bucket"  # noqa: S105 - the name of a Secret
"""Where Jobs of volumes look for their bucket's connection unless told otherwise."""


class From(StrEnum):
    """Where manifests come from."""

    EKS = "eks"
    GKE = "gke"
    AKS = "aks"
    ANY = "any"


class To(StrEnum):
    """Where manifests go to."""

    EKS = "eks"
    GKE = "gke"
    AKS = "aks"
    PLAIN = "plain"


Files = Annotated[list[Path], typer.Argument(help="files, or folders with .yaml, .yml and .json files")]
Version = Annotated[str, typer.Option("--kubernetes-version", help="of the target, such as 1.33")]


@app.command()
def translate(
    files: Files,
    target: Annotated[To, typer.Option(help="the platform that gets them")],
    kubernetes_version: Version,
    out: Annotated[Path, typer.Option(help="folder for the result; must be empty or absent")],
    source: Annotated[From, typer.Option(help="the platform that they were written for")] = From.ANY,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="YAML with names of the source and of the target")
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="FILE", help="what `heavylift images copy --map` has written")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite manifests for another platform; every change and everything that stays is listed.

    The report of --json is written beside OUT, as OUT.report.json. Ends with 1 where something could not
    be translated.
    """
    from heavylift.facts.accelerators import load_accelerators
    from heavylift.manifests.context import Settings
    from heavylift.manifests.mapping import load_map, with_images
    from heavylift.manifests.reading import find_files
    from heavylift.manifests.translate import translate_files
    from heavylift.manifests.writing import write_all

    version = _version_of(kubernetes_version)
    out = out.absolute()
    _demand_empty(out)
    names = with_images(load_map(map_file), images)
    settings = Settings(source.value, target.value, version, names, load_accelerators())
    done = translate_files(find_files(files), settings)
    if done.unreadable and not done.texts:
        raise done.unreadable[0].error
    mark_touched()
    document = done.as_document()
    write_all(out, done.texts, document)
    finish(
        {"translation": document},
        text=translated(done, out),
        as_json=as_json,
        status=ExitStatus.DONE if done.passed else ExitStatus.FAILED,
    )


@app.command()
def volumes(
    files: Files,
    bucket: Annotated[str, typer.Option(help="of the source: s3://, gs:// or az:// with a prefix")],
    target_bucket: Annotated[str, typer.Option(help="of the target; a dataset of the spec moves it there")],
    image: Annotated[str, typer.Option(help="container image with Heavylift")],
    out: Annotated[Path, typer.Option(help="folder for the result; must be empty or absent")],
    target_image: Annotated[str, typer.Option(help="the same on the target; default: --image")] = "",
    secret: Annotated[
        str, typer.Option(help="Secret whose key connection has the bucket's, on either cluster")
    ] = BUCKET_SECRET,
    user: Annotated[int, typer.Option(min=0, help="numeric user that owns the files; 0 is root")] = 65532,
    as_json: AsJson = False,
) -> None:
    """Make Jobs that copy what each claim holds: to the bucket on the source, from the bucket on the target.

    Nothing is run. OUT/source is for the source's cluster, OUT/target for the target's. Ends with 1 where a
    claim could not get its Jobs, or none is there.
    """
    from heavylift.cli.manifests_text import volume_text
    from heavylift.manifests.volumes import VolumeAsk, volume_jobs
    from heavylift.manifests.writing import write_all

    out = out.absolute()
    _demand_empty(out)
    source = VolumeAsk(bucket, image, secret, user)
    target = VolumeAsk(target_bucket, target_image or image, secret, user)
    done = volume_jobs(files, source, target)
    texts = {f"source/{name}": text for name, text in done.copies.items()}
    texts |= {f"target/{name}": text for name, text in done.restores.items()}
    document = done.as_document()
    if texts:
        mark_touched()
        write_all(out, texts, document)
    finish(
        {"volumes": document},
        text=volume_text(done, source, target, out),
        as_json=as_json,
        status=ExitStatus.DONE if done.passed else ExitStatus.FAILED,
    )


@app.command()
def check(
    files: Files,
    kubernetes_version: Version,
    offline: Annotated[
        bool, typer.Option("--offline", help="build the checker's environment from uv's cache alone")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hold manifests against the schemas of a version of Kubernetes, strictly: unknown fields are wrong.

    Kinds without a schema, as those of custom resources, are listed as unchecked. Ends with 1 where
    something is invalid.
    """
    from heavylift.environments import Solver
    from heavylift.manifests.checking import REQUIREMENT, check_files
    from heavylift.manifests.reading import find_files

    version = _version_of(kubernetes_version)
    found = find_files(files)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Solver(offline=offline).tool(REQUIREMENT, python)
    done = check_files(found, version, interpreter)
    finish(
        {
            "check": {
                "kubernetes_version": kubernetes_version,
                "valid": done.count("valid"),
                "invalid": done.count("invalid"),
                "unchecked": done.count("unchecked"),
                "objects": done.objects,
                "unreadable": [{"file": each.file, **each.error.attrs()} for each in done.unreadable],
            }
        },
        text=checked(done, kubernetes_version),
        as_json=as_json,
        status=ExitStatus.DONE if done.passed else ExitStatus.FAILED,
    )


def _version_of(text: str) -> tuple[int, int]:
    parts = text.removeprefix("v").split(".")
    if len(parts) in {2, 3} and all(part.isdecimal() for part in parts):
        return int(parts[0]), int(parts[1])
    raise SpecError(
        "reading --kubernetes-version",
        got=repr(text),
        expected="a version such as 1.33",
        state="nothing was touched",
        remedy="correct --kubernetes-version",
        code="8530",
    )


def _demand_empty(out: Path) -> None:
    """Refuse a folder that holds something: what an earlier run left there must not look like this one's."""
    if not out.exists() or (out.is_dir() and not os.listdir(out)):
        return
    raise SpecError(
        f"writing to {out}",
        got="something that is there already",
        expected="an empty folder, or none",
        state="nothing was touched",
        remedy="name another folder with --out, or empty this one",
        code="8531",
    )
