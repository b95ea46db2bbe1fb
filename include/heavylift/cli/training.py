"""``heavylift training``: training jobs for another platform, checked and rehearsed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heavylift.cli.output import ExitStatus, finish, mark_touched
from heavylift.cli.stores import AsJson
from heavylift.cli.training_text import translated
from heavylift.errors import SpecError
from heavylift.training.model import Cluster, Form
from heavylift.training.targets import Kind, target_of

if TYPE_CHECKING:
    from heavylift.training.checking import Checked

app = typer.Typer(no_args_is_help=True, help="Translate, check and rehearse distributed training jobs.")

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="The definitions.")]
To = Annotated[Form, typer.Option("--target", help="sagemaker, vertex, azureml or kubernetes.")]
ToCluster = Annotated[
    Cluster | None, typer.Option("--cluster", help="Of Kubernetes as target: eks, gke, aks or plain.")
]
SourceCluster = Annotated[
    Cluster | None, typer.Option("--source-cluster", help="Of Kubernetes as source; default: plain.")
]
ToKind = Annotated[Kind, typer.Option("--kind", help="Of Kubernetes: pytorchjob, mpijob, job or jobset.")]
Map = Annotated[
    Path | None, typer.Option("--map", metavar="FILE", help="Addresses, images, machines on the target.")
]


@app.command()
def translate(
    files: Files,
    target: To,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the definitions go.")],
    cluster: ToCluster = None,
    source_cluster: SourceCluster = None,
    kind: ToKind = Kind.AUTO,
    map_file: Map = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write definitions for the target, each change told with its reason. Exits 1 where something blocks."""
    from heavylift.training.keeping import record_of, save
    from heavylift.training.mapping import read_map
    from heavylift.training.translate import translate as translate_file

    wanted, mapping = target_of(target, cluster, kind), read_map(map_file)
    _demand_own_names(files)
    made = [translate_file(path, wanted, mapping, source_cluster) for path in files]
    mark_touched()
    rows = [(record_of(each), save(each, out, overwrite=overwrite)) for each in made]
    finish(
        {"translations": [{**record.model_dump(mode="json"), "written": path} for record, path in rows]},
        text="\n\n".join(translated(record, path) for record, path in rows),
        as_json=as_json,
        status=ExitStatus.DONE if all(record.passed for record, _ in rows) else ExitStatus.FAILED,
    )


@app.command()
def check(
    files: Files,
    form: Annotated[Form, typer.Option("--form", help="sagemaker, vertex, azureml or kubernetes.")],
    kubernetes_version: Annotated[str, typer.Option(help="Of Kubernetes, such as 1.33.")] = "1.33",
    as_json: AsJson = False,
) -> None:
    """Hold definitions to what the platform publishes; asks no platform. Exits 1 where one is wrong.

    Azure ML and Kubernetes are checked in environments of their own, downloaded by the first check.
    """
    found = [_checked(path, form, kubernetes_version) for path in files]
    text = [
        f"{each.file}: {each.problem or 'accepted'}"
        + (
            f"; nothing was held against the outer fields of {', '.join(each.unchecked)}"
            if each.unchecked
            else ""
        )
        for each in found
    ]
    bad = [each for each in found if each.problem]
    finish({"checked": found}, text="\n".join(text), as_json=as_json, status=ExitStatus(int(bool(bad))))


@app.command()
def rehearse(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The definition.")],
    target: To,
    cluster: ToCluster = None,
    source_cluster: SourceCluster = None,
    kind: ToKind = Kind.AUTO,
    map_file: Map = None,
    as_json: AsJson = False,
) -> None:
    """Run both forms' launchers here, as processes, and compare ranks, numbers and first machine.

    Needs no GPU and shows nothing of one. At most 3 machines with 2 processes each are played.
    """
    from heavylift.training.mapping import read_map
    from heavylift.training.rehearse import rehearse as run_both
    from heavylift.training.translate import translate as translate_file

    made = translate_file(file, target_of(target, cluster, kind), read_map(map_file), source_cluster)
    found = run_both(made.source, made.target, made.text)
    word = "EQUAL" if found.equal else "DIFFERENT"
    lines = [f"{word}: {found.nodes} machines with {found.processes} processes each, summed over all"]
    lines += [
        f"  rank {each.rank}: machine {each.node}, local {each.local} of {each.world}"
        for each in found.target
    ]
    finish(
        {"rehearsal": found, "equal": found.equal},
        text="\n".join(lines),
        as_json=as_json,
        status=ExitStatus.DONE if found.equal else ExitStatus.FAILED,
    )


def _checked(path: Path, form: Form, version: str) -> Checked:
    from heavylift.environments import Solver
    from heavylift.training.checking import REQUIREMENTS, check

    if form is Form.KUBERNETES:
        from heavylift.manifests.checking import problems_in
        from heavylift.training.checking import checked_objects

        return checked_objects(path, version, problems_in)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The models of SageMaker are part of what the library itself needs.
    own = form is Form.SAGEMAKER
    interpreter = Path(sys.executable) if own else Solver().tool(REQUIREMENTS[form], python)
    return check(path, form, interpreter)


def _demand_own_names(files: list[Path]) -> None:
    names = [path.name.split(".")[0] for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(
            "naming the definitions",
            got=f"several files called {', '.join(twice)}",
            expected="files with names of their own",
            state="nothing was written",
            remedy="translate them one by one, each into an --out of its own",
            code="9221",
        )
