"""Keeps translations of training jobs: in a folder, and in the evidence store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavylift.errors import ConflictError, IncompleteError
from heavylift.evidence.audit import AuditTrail
from heavylift.evidence.audit_entry import Act
from heavylift.evidence.numbered import write_next
from heavylift.evidence.records import RunKey
from heavylift.evidence.training_records import (
    TRAINING_FOLDER,
    TrainingChange,
    TrainingRecord,
    TrainingRemark,
    TrainingShape,
    training_path,
)
from heavylift.training.fabric import bandwidths
from heavylift.training.model import Form, Job
from heavylift.training.writers.common import name_of

if TYPE_CHECKING:
    from heavylift.evidence.base import EvidenceRef
    from heavylift.evidence.store import EvidenceStore
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


async def keep_training(
    store: EvidenceStore,
    made: Translation,
    record: TrainingRecord,
    actor: str,
    attempt: Mapping[str, Any] | None = None,
) -> tuple[TrainingRecord, EvidenceRef]:
    """Write definition and record into the evidence store, and note them in the audit trail.

    Idempotency: nothing is overwritten; each call adds a record. A definition that
    must not be run is not kept.
    """
    run = record.run
    if record.passed:
        name = f"{record.name}-{record.digest[:12]}.{SUFFIX[made.target.form]}"
        path = f"{run.folder}/{TRAINING_FOLDER}/{name}"
        kept = await store.write_bytes(path, made.text.encode(), "text/plain; charset=utf-8")
        record = record.model_copy(update={"definition": kept})
    _, ref = await write_next(store, lambda n: training_path(run, record.name, n), record)
    details = {**record.counts, "passed": record.passed, "exact": record.exact, **(attempt or {})}
    act = Act(
        actor=actor,
        action="training.translated",
        phase=run.phase,
        run=run.run,
        subject=record.name,
        evidence=(ref,),
        details=details,
    )
    await AuditTrail(store, run.migration).append(act)
    return record, ref


def require_translated(record: TrainingRecord) -> None:
    """Return where nothing stands in the way.

    :raises IncompleteError: something does; the first things are named.
    """
    if record.passed:
        return
    named = [f"{each.subject}: {each.what}" for each in record.blocks]
    if record.checked:
        named.append(record.checked[:300])
    if record.rehearsed is False:
        named.append("the launchers give processes different places")
    raise IncompleteError(
        f"translating the training job {record.name}",
        got="; ".join(named[:5]),
        expected="nothing in the way",
        state="the record is kept; no definition is",
        remedy=record.blocks[0].remedy if record.blocks else "correct the job or the map",
        code="9209",
    )
