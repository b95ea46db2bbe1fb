"""The training jobs of a spec, translated for the phase provision: files, gaps, and what was tried."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.environments import Solver
from heavylift.errors import (
    ConnectionConfigError,
    IncompleteError,
    ServerUnavailableError,
    UnsupportedError,
)
from heavylift.evidence.part_evidence import Accepted, Made, judge_gaps
from heavylift.evidence.part_records import PartGap, PartProblem
from heavylift.spec.beside import file_beside, plain_files_beside
from heavylift.spec.secrets import holds_secret, names_secret
from heavylift.training.checking import REQUIREMENTS, ProblemsIn, check, checked_objects
from heavylift.training.keeping import SUFFIX, record_of
from heavylift.training.mapping import read_map
from heavylift.training.model import Cluster, Form, Launcher
from heavylift.training.rehearse import rehearse
from heavylift.training.targets import target_of
from heavylift.training.translate import Translation, translate

if TYPE_CHECKING:
    from heavylift.spec.sections_jobs import TrainingJob

FORMS = {
    "sagemaker": Form.SAGEMAKER,
    "vertex": Form.VERTEX,
    "azure_ml": Form.AZURE_ML,
    "kubernetes": Form.KUBERNETES,
}
"""The spec's word for a product → the library's."""

_NO_LOADER = (ServerUnavailableError, UnsupportedError, ConnectionConfigError)


@dataclass(frozen=True)
class TrainingRequest:
    """The jobs that are translated, and the spec's file, beside which their definitions lie.

    :param problems_in: how Kubernetes' objects are checked.
    """

    spec_path: str
    jobs: tuple[TrainingJob, ...]
    problems_in: ProblemsIn


@dataclass(frozen=True)
class _One:
    job: TrainingJob
    name: str
    made: Translation


def make_training(request: TrainingRequest, stop: threading.Event | None = None) -> Made:
    """Translate every job, hold it to what its target publishes, and rehearse its launcher; writes nothing.

    What has something in its way is told as a gap and not kept, nor is a definition with a secret in it.
    Where the target's form cannot be checked, nothing counts as valid.

    Idempotency: the same definitions and maps give the same files.

    :param stop: no further job is looked at once it is set; what is returned then is of no use.
    :raises NotFoundError: a file is missing.
    :raises SpecError: one cannot be read, or lies outside of the spec's folder.
    """
    made = Made("training", "", "")
    made.counts = dict.fromkeys(("definitions", "changes", "with_loss", "needs", "rehearsed"), 0)
    sources, loaders = set[str](), set[str]()
    for one in _translations(request):
        if stop is not None and stop.is_set():
            break
        sources.add(one.made.source.form.value)
        _add(made, one, request.problems_in, loaders)
    made.source = ", ".join(sorted(sources))
    made.target = ", ".join(sorted({each.target_kind.value for each in request.jobs}))
    made.loader = ", ".join(sorted(loaders))
    return made


def _translations(request: TrainingRequest) -> Iterator[_One]:
    for job in request.jobs:
        paths = plain_files_beside(request.spec_path, job.definition)
        mapping = read_map(file_beside(request.spec_path, job.map))
        cluster = job.cluster.value if job.cluster else None
        target = target_of(FORMS[job.target_kind.value].value, cluster, job.object_kind.value)
        today = Cluster(job.source_cluster.value) if job.source_cluster else None
        for path in paths:
            name = job.name if len(paths) == 1 else f"{job.name}-{path.name.split('.')[0]}"
            yield _One(job, name, translate(path, target, mapping, today))


def _add(made: Made, one: _One, problems_in: ProblemsIn, loaders: set[str]) -> None:
    """Add one translation: its gaps, its files, and what was found when it was tried."""
    found, name = one.made.findings, one.name
    gaps = [
        PartGap(subject=f"{name}: {each.subject}", what=each.what, remedy=each.remedy)
        for each in found.blocks
    ]
    accepted = [Accepted(f"{name}: {each.subject}", each.reason) for each in one.job.accept_untranslated]
    judged, unused = judge_gaps(gaps, accepted)
    made.gaps += judged
    made.unused += unused
    made.counts["definitions"] += 1
    made.counts["changes"] += len(found.changes)
    made.counts["with_loss"] += len(found.losses)
    made.counts["needs"] += len(found.needs)
    if secret := _secret(one.made):
        made.gaps.append(
            PartGap(
                subject=f"{name}: {secret}",
                what="a value that looks like a secret stands in the definition, which therefore is not kept",
                remedy="let the program read it from the target's store (the spec's section secrets)",
            )
        )
        return
    checked, equal = None, None
    if one.made.passed:
        file = f"{name}.{SUFFIX[one.made.target.form]}"
        made.files[file] = one.made.text
        checked = _checked(made, one, file, problems_in, loaders)
        equal = _rehearsed(made, one, file)
    record = record_of(one.made, checked=checked, rehearsed=equal)
    told = record.model_dump(mode="json", exclude={"run", "made_at", "schema_version"})
    made.files[f"{name}.report.json"] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _secret(made: Translation) -> str:
    """Return where the target's definition holds a secret; empty where it holds none."""
    named = (name for name, value in made.target.environment.items() if value and names_secret(name))
    return next(named, "") or ("its text" if holds_secret(made.text) else "")


def _checked(made: Made, one: _One, file: str, problems_in: ProblemsIn, loaders: set[str]) -> str | None:
    """Return what the target's published form says; None where it could not be asked."""
    form = one.made.target.form
    with tempfile.TemporaryDirectory(prefix="heavylift-training-") as scratch:
        path = Path(scratch, file)
        path.write_text(one.made.text, encoding="utf-8")
        try:
            if form is Form.KUBERNETES:
                checked = checked_objects(path, one.job.kubernetes_version, problems_in)
                loaders.add(f"Kubernetes {one.job.kubernetes_version}")
            else:
                checked = check(path, form, _interpreter(form))
                loaders.add(REQUIREMENTS[form])
        except _NO_LOADER as error:
            problem = f"nobody could look at it: {error.got}"
            made.problems.append(PartProblem(file=file, problem=problem, invalid=False))
            return None
    made.unchecked += len(checked.unchecked)
    if checked.problem:
        made.invalid += 1
        made.problems.append(PartProblem(file=file, problem=checked.problem[:500]))
    else:
        made.valid += 1
    return checked.problem


def _rehearsed(made: Made, one: _One, file: str) -> bool | None:
    """Return whether both launchers gave every process the same place; None where none was run."""
    launched = one.made.source.launcher is Launcher.TORCHRUN and one.made.target.launcher is Launcher.TORCHRUN
    if not (one.job.rehearse and launched):
        return None
    try:
        found = rehearse(one.made.source, one.made.target, one.made.text)
    except IncompleteError as error:
        made.invalid += 1
        made.problems.append(PartProblem(file=file, problem=f"its launcher did not start: {error.got}"[:500]))
        return False
    made.counts["rehearsed"] += 1
    if not found.equal:
        made.invalid += 1
        made.problems.append(PartProblem(file=file, problem="its launcher gives processes other places"))
    return found.equal


def _interpreter(form: Form) -> Path:
    # The worker has what SageMaker's and Vertex AI's forms are checked with.
    if form in {Form.SAGEMAKER, Form.VERTEX}:
        return Path(sys.executable)
    return Solver().tool(REQUIREMENTS[form], f"{sys.version_info.major}.{sys.version_info.minor}")
