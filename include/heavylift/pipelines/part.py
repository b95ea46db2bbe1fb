"""The pipelines of a spec, translated for the phase provision: files, gaps, and what the loaders say."""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.environments import Solver
from heavylift.errors import ConnectionConfigError, ServerUnavailableError, SpecError, UnsupportedError
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.pipelines.api import READERS, Translation, translate
from heavylift.pipelines.checking import REQUIREMENTS, SOURCES, check
from heavylift.pipelines.documents import parse_documents, read_text
from heavylift.pipelines.mapping import read_mapping
from heavylift.pipelines.model import Literal, Step, System
from heavylift.pipelines.notes import Fate
from heavylift.pipelines.report import report_of, report_text
from heavylift.pipelines.saving import file_name
from heavylift.pipelines.walk import all_nodes, all_steps
from heavylift.spec.beside import file_beside, plain_files_beside
from heavylift.spec.secrets import holds_secret, names_secret

if TYPE_CHECKING:
    from heavylift.spec.sections_parts import Pipeline

SYSTEMS: Mapping[str, System] = {
    "sagemaker": System.SAGEMAKER,
    "kubeflow": System.KFP,
    "vertex": System.VERTEX,
    "azure_ml": System.AZURE_ML,
    "step_functions": System.STEP_FUNCTIONS,
    "airflow": System.AIRFLOW,
}
"""The spec's word for a product → the library's."""

_NO_LOADER = (ServerUnavailableError, UnsupportedError, ConnectionConfigError)


@dataclass(frozen=True)
class PipelinesRequest:
    """The pipelines that are translated, and the spec's file, beside which their definitions lie."""

    spec_path: str
    pipelines: tuple[Pipeline, ...]


@dataclass(frozen=True)
class _One:
    """One definition."""

    pipeline: Pipeline
    path: Path
    name: str


def make_pipelines(request: PipelinesRequest, stop: threading.Event | None = None) -> Made:
    """Translate every definition, and have the target's own loader read each; writes nothing.

    A definition with a secret written into it is left out and told as a gap, for its text would lie in the
    evidence. Where a loader cannot be had, nothing counts as valid.

    Idempotency: the same definitions give the same files.

    :param stop: no further file is shown to a loader once it is set; what is returned then is of no use.
    :raises NotFoundError: a definition is missing.
    :raises SpecError: one cannot be read, lies outside of the spec's folder, or is of another kind.
    """
    made = Made("pipelines", "", "")
    made.counts = dict.fromkeys(("definitions", "steps", "kept", "with_loss", "stubs"), 0)
    checked: list[tuple[System, str, str]] = []
    for one in _definitions(request):
        translation = _translate(request.spec_path, one)
        checked += _add(made, one, translation)
    made.source = ", ".join(sorted({each.source_kind.value for each in request.pipelines}))
    made.target = ", ".join(sorted({each.target_kind.value for each in request.pipelines}))
    _check(made, checked, stop or threading.Event())
    return made


def _definitions(request: PipelinesRequest) -> Iterator[_One]:
    for pipeline in request.pipelines:
        paths = plain_files_beside(request.spec_path, pipeline.definition)
        for path in paths:
            stem = path.name.split(".")[0] or "pipeline"
            name = pipeline.name if len(paths) == 1 else f"{pipeline.name}-{stem}"
            yield _One(pipeline, path, name)


def _translate(spec_path: str, one: _One) -> Translation:
    source, target = SYSTEMS[one.pipeline.source_kind.value], SYSTEMS[one.pipeline.target_kind.value]
    mapping = read_mapping(file_beside(spec_path, one.pipeline.map))
    document = parse_documents(read_text(one.path), str(one.path))[0]
    if not READERS[source][0](document):
        raise SpecError(
            f"translating the pipeline {one.pipeline.name}",
            got=f"{one.path.name}, which is no definition of {one.pipeline.source_kind.value}",
            expected="a definition of what source_kind names",
            state="nothing was translated",
            remedy="correct source_kind, or name the right file",
            code="9114",
        )
    return translate(one.path, source, target, mapping)


def _add(made: Made, one: _One, translation: Translation) -> list[tuple[System, str, str]]:
    """Add one translation; return what a loader has to read."""
    report = report_of(translation)
    report["file"] = one.path.name
    counts = report["counts"]
    made.counts["definitions"] += 1
    made.counts["steps"] += len(report["steps"])
    made.counts["kept"] += counts[str(Fate.KEPT)]
    made.counts["with_loss"] += counts[str(Fate.LOSS)]
    made.counts["stubs"] += counts[str(Fate.UNTRANSLATED)]
    gaps = [
        PartGap(subject=f"{one.name}: {step['name']}", what=note["what"], remedy=note["remedy"])
        for step in [*report["steps"], {"name": "pipeline", "notes": report["pipeline"]}]
        for note in step["notes"]
        if note["fate"] == str(Fate.UNTRANSLATED)
    ]
    accepted = [
        Accepted(f"{one.name}: {each.subject}", each.reason) for each in one.pipeline.accept_untranslated
    ]
    judged, unused = judge_gaps(gaps, accepted)
    made.gaps += judged
    made.unused += unused
    if secret := next(_secrets(translation), ""):
        made.gaps.append(
            PartGap(
                subject=f"{one.name}: {secret}",
                what="a value that looks like a secret stands in the definition, which therefore is not kept",
                remedy="let the program read it from the target's store (the spec's section secrets)",
            )
        )
        return []
    name = file_name(one.name, translation.target)
    made.files[name] = translation.text
    made.files[f"{one.name}.report.txt"] = report_text(report)
    return [(translation.target, name, translation.text)]


def _secrets(translation: Translation) -> Iterator[str]:
    """Yield the places at which the definition holds a secret."""
    for step in all_steps(translation.prepared.pipeline):
        for name, value in {**step.env, **step.hyperparameters}.items():
            if isinstance(value, Literal) and value.value not in (None, "") and names_secret(name):
                yield f"{step.name}, {name}"
    for parameter in translation.prepared.pipeline.parameters:
        if parameter.default not in (None, "") and names_secret(parameter.name):
            yield f"the parameter {parameter.name}"
    if holds_secret(translation.text):
        steps = [node.name for node in all_nodes(translation.source.nodes) if isinstance(node, Step)]
        yield f"one of the steps {', '.join(steps[:5])}"


def _check(made: Made, checked: list[tuple[System, str, str]], stop: threading.Event) -> None:
    loaders = set()
    with tempfile.TemporaryDirectory(prefix="heavylift-pipelines-") as scratch:
        for system, name, text in checked:
            if stop.is_set():
                return
            path = Path(scratch, name)
            path.write_text(text, encoding="utf-8")
            try:
                problem = check(path, system, _interpreter(system)).problem
            except _NO_LOADER as error:
                problem = f"no loader: {error.got}"
                made.problems.append(PartProblem(file=name, problem=problem, invalid=False))
                continue
            loaders.add(_LOADERS[system])
            if problem:
                made.invalid += 1
                shown = problem.replace(str(path), name).replace(scratch, "")[:500]
                made.problems.append(PartProblem(file=name, problem=shown))
            else:
                made.valid += 1
    made.loader = ", ".join(sorted(loaders))


_LOADERS: Mapping[System, str] = {
    System.VERTEX: REQUIREMENTS[System.VERTEX],
    System.AZURE_ML: REQUIREMENTS[System.AZURE_ML],
    System.SAGEMAKER: "botocore",
    System.AIRFLOW: "apache-airflow",
}


def _interpreter(system: System) -> Path:
    requirement = REQUIREMENTS.get(system)
    if requirement is None:
        return Path(sys.executable)
    return Solver(sources=SOURCES).tool(requirement, f"{sys.version_info.major}.{sys.version_info.minor}")
