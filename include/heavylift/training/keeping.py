"""Keeps translations of training jobs in a folder, and tells of them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from heavylift.errors import ConflictError
from heavylift.evidence.records import RunKey
from heavylift.evidence.training_records import (
    TrainingChange,
    TrainingRecord,
    TrainingRemark,
    TrainingShape,
)
from heavylift.training.fabric import bandwidths
from heavylift.training.model import Form, Job
from heavylift.training.writers.common import name_of

if TYPE_CHECKING:
    from heavylift.training.translate import Translation

SUFFIX = {
    Form.SAGEMAKER: "sagemaker.json",
    Form.VERTEX: "vertex.json",
    Form.AZURE_ML: "azureml.yaml",
    Form.KUBERNETES: "kubernetes.yaml",
}
_SHELL = RunKey(migration="shell", phase="provision", run="shell")


def record_of(
    made: Translation, run: RunKey = _SHELL, *, checked: str | None = None, rehearsed: bool | None = None
) -> TrainingRecord:
    """Return what is told of a translation.

    :param checked: what was found wrong with the definition; empty: nothing, None: nobody looked.
    :param rehearsed: whether both launchers gave every process the same place.
    """
    found = made.findings
    return TrainingRecord(
        run=run,
        name=name_of(made.source.name),
        file=made.file,
        source=_shape(made.source),
        target=_shape(made.target),
        exact=made.shape.exact,
        digest=hashlib.sha256(made.text.encode()).hexdigest(),
        changes=tuple(TrainingChange(**asdict(each)) for each in found.changes),
        losses=tuple(TrainingRemark(**asdict(each)) for each in found.losses),
        needs=tuple(TrainingRemark(**asdict(each)) for each in found.needs),
        blocks=tuple(TrainingRemark(**asdict(each)) for each in found.blocks),
        bandwidths=tuple(bandwidths(made.target.provider, made.choice.family)),
        checked=checked,
        rehearsed=rehearsed,
        passed=made.passed and not checked and rehearsed is not False,
    )


def _shape(job: Job) -> TrainingShape:
    return TrainingShape(
        form=str(job.form),
        cluster=str(job.cluster or ""),
        machine=job.machine.instance,
        nodes=job.machine.nodes,
        processes=job.processes,
        accumulation=job.batch.accumulation,
        world=job.world,
        global_batch=job.global_batch,
    )


def save(made: Translation, folder: Path, *, overwrite: bool) -> Path:
    """Write the definition into a folder and return its path; equal contents are left as they are.

    :raises ConflictError: another file is in the way.
    """
    path = folder / f"{made.file.split('.')[0] or 'job'}.{SUFFIX[made.target.form]}"
    if path.exists() and not overwrite and path.read_text(encoding="utf-8") != made.text:
        raise ConflictError(
            f"writing {path}",
            got="a file with other contents",
            expected="no such file",
            state="nothing was written",
            remedy="remove it, name another --out, or add --overwrite",
            code="9208",
        )
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(made.text, encoding="utf-8")
    unfinished.replace(path)
    return path
