"""``heavylift pipelines``: translate training pipelines, check the translations, run small ones here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson
from heavylift.errors import ConflictError, SpecError
from heavylift.pipelines.model import System

app = typer.Typer(no_args_is_help=True)

Map = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="Where images, addresses, machines are on the target."),
]
Source = Annotated[
    System | None, typer.Option("--source", help="What it is written for; default: as it looks.")
]
TARGETS = (System.VERTEX, System.AZURE_ML, System.SAGEMAKER, System.AIRFLOW)


@app.command()
def translate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The definitions.")],
    target: Annotated[System, typer.Option("--target", help="vertex, azureml, sagemaker or airflow.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the translations go.")],
    source: Source = None,
    map_file: Map = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write definitions for the target, each with a report. Exits 1 where a step could not be translated."""
    from heavylift.pipelines.api import translate as translate_file
    from heavylift.pipelines.mapping import read_mapping
    from heavylift.pipelines.notes import Fate
    from heavylift.pipelines.report import report_of, report_text
    from heavylift.pipelines.saving import save

    if target not in TARGETS:
        raise SpecError(
            "choosing the target of a translation",
            got=str(target),
            expected=f"one of {', '.join(TARGETS)}",
            state="nothing was written",
            remedy="correct --target",
            code="8406",
        )
    mapping = read_mapping(map_file)
    _demand_own_names(files)
    found = [translate_file(path, source, target, mapping) for path in files]
    reports = [report_of(translation) for translation in found]
    mark_touched()
    for translation, report in zip(found, reports, strict=True):
        paths = save(translation, report, out, overwrite=overwrite)
        report["written"] = [str(path) for path in paths]
    lost = sum(report["counts"][str(Fate.UNTRANSLATED)] for report in reports)
    finish(
        {"translations": reports, "untranslated": lost},
        text="\n".join(report_text(report) for report in reports),
        as_json=as_json,
        status=ExitStatus.FAILED if lost else ExitStatus.DONE,
    )


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The definitions.")],
    platform: Annotated[System, typer.Option("--platform", help="vertex, azureml, sagemaker or airflow.")],
    as_json: AsJson = False,
) -> None:
    """Have definitions read by their platform's own loader, in an environment of its own.

    The first check for a platform downloads its package. A DAG file is executed: check only your own.
    """
    import sys

    from heavylift.environments import Solver
    from heavylift.pipelines.checking import REQUIREMENTS, SOURCES
    from heavylift.pipelines.checking import check as check_file

    requirement = REQUIREMENTS.get(platform)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = Solver(sources=SOURCES).tool(requirement, python) if requirement else Path(sys.executable)
    found = [check_file(path, platform, interpreter) for path in files]
    bad = [checked for checked in found if checked.problem]
    finish(
        {"checked": found},
        text="\n".join(f"{checked.file}: {checked.problem or 'accepted'}" for checked in found),
        as_json=as_json,
        status=ExitStatus.FAILED if bad else ExitStatus.DONE,
    )


@app.command("run")
def run_here(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition.")],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="An empty folder.")],
    source: Source = None,
    map_file: Map = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter; may be given again.")
    ] = None,
    places: Annotated[
        list[str] | None,
        typer.Option("--place", metavar="ADDRESS=FOLDER", help="Where an address is; may be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a small pipeline here, without containers: its programs are processes of this machine."""
    from heavylift.pipelines.api import load
    from heavylift.pipelines.mapping import read_mapping
    from heavylift.pipelines.runner import Run

    if out.exists() and any(out.iterdir()):
        raise ConflictError(
            f"running the pipeline {file} into {out}",
            got="a folder with something in it",
            expected="an empty one",
            state="nothing was run",
            remedy="name another --out",
            code="8407",
        )
    pipeline, notes = load(file, source, read_mapping(map_file))
    types = {parameter.name: parameter.type for parameter in pipeline.parameters}
    arguments = {name: _typed(types.get(name, ""), text) for name, text in _pairs("--set", given).items()}
    mark_touched()
    done = Run(pipeline, out.absolute(), arguments, _pairs("--place", places)).run()
    finish(
        {"steps": done, "out": str(out), "losses": [note.what for note in notes.entries]},
        text="".join(f"{name}: done\n" for name in done) + f"what they made is in {out}",
        as_json=as_json,
    )


def _demand_own_names(files: list[Path]) -> None:
    names = [path.name.split(".")[0] for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            "naming the translations",
            got=f"several files called {', '.join(twice)}",
            expected="files with names of their own",
            state="nothing was written",
            remedy="translate them one by one, each into an --out of its own",
            code="8409",
        )


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in texts or ():
        name, found, value = text.partition("=")
        if not found or not name:
            raise SpecError(
                f"reading {option}",
                got=repr(text),
                expected="NAME=VALUE",
                state="nothing was run",
                remedy=f"correct {option}",
                code="8408",
            )
        pairs[name] = value
    return pairs


def _typed(type_: str, text: str) -> Any:
    if type_ == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
