"""Translates definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from heavylift.errors import SpecError
from heavylift.pipelines.documents import parse_documents, read_text
from heavylift.pipelines.mapping import TargetMap
from heavylift.pipelines.model import Pipeline, System
from heavylift.pipelines.notes import Notes
from heavylift.pipelines.preparing import Prepared, prepare
from heavylift.pipelines.readers import azureml, kfp, sagemaker, stepfunctions
from heavylift.pipelines.writers.airflow import write_airflow
from heavylift.pipelines.writers.azureml import write_azureml
from heavylift.pipelines.writers.kfp import write_kfp
from heavylift.pipelines.writers.sagemaker import write_sagemaker

_Read = Callable[[dict[str, Any], Notes, TargetMap], Pipeline]

READERS: dict[System, tuple[Callable[[dict[str, Any]], bool], _Read]] = {
    System.SAGEMAKER: (sagemaker.looks_like, sagemaker.read_sagemaker),
    System.STEP_FUNCTIONS: (stepfunctions.looks_like, stepfunctions.read_stepfunctions),
    System.AZURE_ML: (azureml.looks_like, azureml.read_azureml),
    System.KFP: (kfp.looks_like, kfp.read_kfp),
    System.VERTEX: (kfp.looks_like, kfp.read_kfp),
}
"""For each kind of source: whether a document is one, and what reads it."""


@dataclass(frozen=True)
class Translation:
    """One definition and its translation.

    :param text: the target's definition.
    """

    file: str
    source: Pipeline
    target: System
    prepared: Prepared
    notes: Notes
    text: str


def load(path: Path, system: System | None, mapping: TargetMap) -> tuple[Pipeline, Notes]:
    """Return the neutral form of a file, with what was lost in reading it.

    :param system: what it is written for; None to tell by its content.
    :raises SpecError: it is of no known kind, or wrong in itself.
    """
    documents = parse_documents(read_text(path), str(path))
    document, notes = documents[0], Notes(str(path))
    kind = system or detect(document, path)
    for extra in documents[1:]:
        named = ", ".join(map(str, sorted(extra, key=str)[:8]))
        notes.loss("pipeline", f"a further document ({named}) is not translated", "set it by hand")
    if kind not in READERS:
        raise _unknown(path, f"the kind {kind}")
    pipeline = READERS[kind][1](document, notes, mapping)
    if pipeline.name == "pipeline":
        pipeline = replace(pipeline, name=path.name.split(".")[0] or "pipeline")
    return pipeline, notes


def detect(document: dict[str, Any], path: Path) -> System:
    """Return what a definition is written for.

    :raises SpecError: it looks like none.
    """
    for system, (looks_like, _) in READERS.items():
        if looks_like(document):
            return system
    raise _unknown(path, f"the keys {', '.join(map(str, sorted(document, key=str)[:8]))}")


def _unknown(path: Path, got: str) -> SpecError:
    return SpecError(
        f"telling what the pipeline {path} is written for",
        got=got,
        expected=f"a definition of {', '.join(READERS)}",
        state="nothing was written",
        remedy="name its kind with --source, or correct the file",
        code="8404",
    )


def translate(path: Path, source: System | None, target: System, mapping: TargetMap) -> Translation:
    """Return the translation of one file.

    :raises SpecError: the file cannot be read.
    """
    pipeline, notes = load(path, source, mapping)
    prepared = prepare(pipeline, target, mapping, notes)
    text = write(prepared, target, mapping, notes)
    return Translation(str(path), pipeline, target, prepared, notes, text)


def write(prepared: Prepared, target: System, mapping: TargetMap, notes: Notes) -> str:
    """Return the definition of a pipeline for a target."""
    if target is System.AZURE_ML:
        return write_azureml(prepared, mapping, notes)
    if target is System.SAGEMAKER:
        return write_sagemaker(prepared, mapping, notes)
    if target is System.AIRFLOW:
        return write_airflow(prepared, mapping, notes)
    return write_kfp(prepared, notes, mapping.helper_image)
