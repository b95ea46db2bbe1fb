"""``heavylift scaling``: autoscaling for another platform, and both sides simulated at the same load."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.autoscaling.model import System
from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson
from heavylift.errors import ConflictError, SpecError

if TYPE_CHECKING:
    from heavylift.autoscaling.translate import Translation

app = typer.Typer(no_args_is_help=True, help="Translate autoscaling, and simulate both sides.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The source's settings.")]
To = Annotated[System, typer.Option("--target", help="aws, hpa, keda, vertex or azure.")]
Load = Annotated[
    Path | None, typer.Option("--load", metavar="FILE", help="Requests of each minute: JSON list, or CSV.")
]
Shape = Annotated[str | None, typer.Option("--shape", help="Without a file: steady, step, ramp, day, burst.")]


@app.command()
def translate(
    file: File,
    target: To,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the settings go.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the target's settings; what it cannot hold is told. Exits 1 where something blocks."""
    from heavylift.autoscaling.files import SUFFIX
    from heavylift.autoscaling.told import translation_text
    from heavylift.autoscaling.translate import translate as translate_file

    made = translate_file(file, target)
    mark_touched()
    path = _save(out / f"{file.name.split('.')[0]}.{SUFFIX[target]}", made.text, overwrite=overwrite)
    finish(
        {"source": made.source, "target": made.target, "losses": made.losses, "written": path},
        text=f"{translation_text(made)}\n{path}",
        as_json=as_json,
        status=ExitStatus.DONE if made.passed else ExitStatus.FAILED,
    )


@app.command()
def simulate(
    file: File,
    capacity: Annotated[
        float, typer.Option(help="Requests a minute that one replica works off: measure it.")
    ],
    target: Annotated[System | None, typer.Option("--target", help="Translate to this system first.")] = None,
    target_file: Annotated[
        Path | None, typer.Option("--target-file", metavar="FILE", help="The target's settings as they are.")
    ] = None,
    load: Load = None,
    shape: Shape = None,
    base: Annotated[float, typer.Option(help="Lowest requests a minute of --shape.")] = 0.0,
    peak: Annotated[float, typer.Option(help="Highest requests a minute of --shape.")] = 0.0,
    minutes: Annotated[int, typer.Option(help="Length of --shape.")] = 1440,
    start_seconds: Annotated[int, typer.Option(help="Until a new replica works.")] = 180,
    queue: Annotated[float, typer.Option(help="Requests that may wait for each replica.")] = 100.0,
    excess: Annotated[float, typer.Option(help="Share that the target may cost more.")] = 0.10,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Report, picture and advised settings.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run both autoscalers at one load and compare cost and safety. Exits 1 where the target is less safe."""
    from heavylift.autoscaling.compare import Tolerance, compare
    from heavylift.autoscaling.keeping import record_of
    from heavylift.autoscaling.load import made_load, read_load
    from heavylift.autoscaling.simulate import World
    from heavylift.autoscaling.told import comparison_text, translation_text

    _demand_one("--load or --shape", load, shape)
    _demand_one("--target or --target-file", target, target_file)
    made = _made(file, target, target_file)
    series = read_load(load) if load else made_load(shape or "", base, peak, minutes)
    world, tolerance = World(capacity, start_seconds, queue), Tolerance(excess=excess)
    found = compare(made.source, made.target, series, world, tolerance)
    record = record_of(made, found, series, world, tolerance)
    written: list[Path] = []
    if out is not None:
        mark_touched()
        from heavylift.autoscaling.files import files_of

        texts = files_of(made, found, series, made.file.split(".")[0])
        written = [_save(out / name, text, overwrite=overwrite) for name, text in texts.items()]
    finish(
        {"comparison": record.model_dump(mode="json", exclude={"run"}), "written": written},
        text="\n".join([translation_text(made), "", comparison_text(found, series), *map(str, written)]),
        as_json=as_json,
        status=ExitStatus.DONE if record.passed else ExitStatus.FAILED,
    )


def _made(file: Path, target: System | None, target_file: Path | None) -> Translation:
    from heavylift.autoscaling.translate import Translation, load
    from heavylift.autoscaling.translate import translate as translate_file

    if target_file is None:
        return translate_file(file, target or System.AWS)
    theirs = load(target_file)
    return Translation(file.name, load(file), theirs, (), target_file.read_text(encoding="utf-8"))


def _demand_one(names: str, first: object, second: object) -> None:
    if (first is None) != (second is None):
        return
    raise SpecError(
        "reading the options",
        got=f"{'neither' if first is None else 'both'} of {names}",
        expected="one of them",
        state="nothing was run",
        remedy=f"give {names}",
        code="9222",
    )


def _save(path: Path, text: str, *, overwrite: bool) -> Path:
    if path.exists() and not overwrite and path.read_text(encoding="utf-8") != text:
        raise ConflictError(
            f"writing {path}",
            got="a file with other contents",
            expected="no such file",
            state="files before it were written",
            remedy="remove it, name another --out, or add --overwrite",
            code="9223",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path
