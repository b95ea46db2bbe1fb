"""``heavylift spec``: check migration specs, print their JSON Schema and their fields."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, emit, finish, note
from heavylift.cli.render import render_error
from heavylift.spec.load import LoadedSpec, SpecSet, load_files, specs_in
from heavylift.spec.problems import SpecFileError
from heavylift.spec.reference import fields_as_markdown
from heavylift.spec.schema import spec_schema

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Check migration specs; print their JSON Schema and their fields."""


@app.command("check")
def check_specs(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Spec files, or directories of them.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
) -> None:
    """Check spec files. Reads them and nothing else: no cloud, no connection.

    Exits 0 where all are right, 2 where one is wrong; every problem is named with its line.
    """
    found = load_files(specs_in(files))
    for error in found.broken:
        note(render_error(error))
    # Nothing found is no success: a mistyped directory would look checked.
    right = found.valid and not found.broken
    status = ExitStatus.DONE if right else ExitStatus.REFUSED
    finish(_document(found), text=_text(found), as_json=as_json, status=status)


@app.command("schema")
def print_schema(
    _as_json: Annotated[bool, typer.Option("--json", help="The schema is JSON with or without it.")] = False,
) -> None:
    """Print the JSON Schema of migration specs, for editors."""
    emit(spec_schema(), text="", as_json=True)


@app.command("fields")
def print_fields() -> None:
    """Print every field of a migration spec with its type, default and meaning, as Markdown."""
    typer.echo(fields_as_markdown(), nl=False)


def _document(found: SpecSet) -> dict[str, Any]:
    files = [_valid(loaded) for loaded in found.valid] + [_broken(error) for error in found.broken]
    return {
        "valid": len(found.valid),
        "broken": len(found.broken),
        "files": sorted(files, key=lambda entry: str(entry["file"])),
    }


def _valid(loaded: LoadedSpec) -> dict[str, Any]:
    return {
        "file": loaded.path,
        "ok": True,
        "migration": loaded.spec.migration,
        "digest": loaded.digest,
        "datasets": [dataset.name for dataset in loaded.spec.datasets],
        "problems": [],
    }


def _broken(error: SpecFileError) -> dict[str, Any]:
    return {"file": error.file, "ok": False, "problems": [asdict(problem) for problem in error.problems]}


def _text(found: SpecSet) -> str:
    lines = [
        f"{loaded.path}: ok, migration {loaded.spec.migration}, {_moved(loaded)}, digest {loaded.digest[:12]}"
        for loaded in found.valid
    ]
    lines.append(f"{len(found.valid)} right, {len(found.broken)} wrong")
    return "\n".join(lines)


_MOVED = (
    ("datasets", "dataset", "datasets"),
    ("databases", "database", "databases"),
    ("streams", "stream", "streams"),
    ("registries", "registry", "registries"),
    ("feature_stores", "feature store", "feature stores"),
    ("models", "model", "models"),
)


def _moved(loaded: LoadedSpec) -> str:
    counts = [(len(getattr(loaded.spec, field)), one, more) for field, one, more in _MOVED]
    told = [f"{count} {one if count == 1 else more}" for count, one, more in counts if count]
    return ", ".join(told) or "nothing that moves"
